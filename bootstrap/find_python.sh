#!/bin/sh
# Prints a Python that fits: find_python.sh STACK [PYTHON] [VENV_PYTHON]
# Every candidate is run as a check: version managers put names on PATH that start nothing.
stack=${1:-modern}
given=${2:-}
existing=${3:-}

case $stack in
    modern | openmmlab) fitting='3.12 3.11 3.10' ;;
    classic) fitting='3.11 3.10' ;;
    *)
        echo "STACK=$stack is unknown: use STACK=modern, STACK=openmmlab or STACK=classic." >&2
        exit 2
        ;;
esac

rejected=
tried=' '

# Prints 'fits', or why the candidate $1 does not fit.
judge() {
    verdict=$("$1" -c '
import sys
version = "%d.%d" % sys.version_info[:2]
full = "%d.%d.%d" % sys.version_info[:3]
if version not in sys.argv[1].split():
    print("Python " + full)
    sys.exit()
try:
    import ensurepip, venv
except ImportError as error:
    print("Python " + full + " without " + str(error).split()[-1])
else:
    print("fits")
' "$fitting" 2>/dev/null) || verdict='does not run'
    echo "${verdict:-does not run}"
}

# Prints $1 and ends the script if it fits; otherwise adds it to the rejected ones.
try() {
    path=$(command -v "$1" 2>/dev/null) || return 0
    case $tried in *" $path "*) return 0 ;; esac
    tried="$tried$path "
    verdict=$(judge "$path")
    if [ "$verdict" = fits ]; then
        echo "$path"
        exit 0
    fi
    rejected="$rejected${rejected:+, }$path ($verdict)"
}

if [ -n "$given" ]; then
    if ! command -v "$given" >/dev/null 2>&1; then
        rejected="PYTHON=$given, which does not exist"
    fi
    try "$given"
else
    [ -n "$existing" ] && try "$existing"
    for version in $fitting; do
        try "python$version"
        for candidate in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python; do
            try "$candidate"
        done
    done
    try python3
    try python
fi

{
    echo "STACK=$stack needs Python in one of the versions $fitting, with its venv module."
    echo "Found: ${rejected:-no Python at all}."
    echo "Install one (Debian, Ubuntu: apt install python3 python3-venv; Fedora: dnf install python3.12)," \
        "or name one: make PYTHON=/path/to/python."
} >&2
exit 1
