#!/usr/bin/env bash
# Every check and figure that needs a GPU, in eight minutes, on a machine with torch and no network:
#     bash benchmarks/gpu.sh OUT [WHEELS]
# WHEELS is the folder that `make gpu-wheels` filled (default work_dirs/gpu-wheels); an empty argument
# takes the packages that are installed. DRY=1 runs the same parts on a CPU at tiny sizes.
# Each part has its own limit, and leaves its results in OUT when it ends.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=$(mkdir -p "${1:?usage: bash benchmarks/gpu.sh OUT [WHEELS]}" && cd "$1" && pwd)
wheels=${2-work_dirs/gpu-wheels}
python=${PYTHON:-python3}
device=cuda quick=() tests=(-m cuda) patience=1
if [ -n "${DRY:-}" ]; then
  # Nothing is measured there, and a busy CPU is slow.
  device=cpu quick=(--quick) patience=10
  tests=(tests/ops/backends/test_backends.py tests/distillers/test_devices.py)
fi
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
export PYTHONPATH=$site:$PWD PYTHONUNBUFFERED=1
: > "$out/summary.txt"
failed=0

# part NAME SECONDS COMMAND...: run the command, at most so long, with its output in OUT/NAME.log.
part() {
  local name=$1 limit=$(($2 * patience)) start=$SECONDS status=0
  shift 2
  timeout --kill-after=5 "$limit" "$@" > "$out/$name.log" 2>&1 || status=$?
  [ "$status" = 0 ] || failed=1
  echo "$name: exit status $status after $((SECONDS - start)) s (limit $limit s)" | tee -a "$out/summary.txt"
}

if [ -n "$wheels" ]; then
  # The driver's machine may have other versions of what is in the folder.
  part install 60 "$python" -m pip install --quiet --no-index --no-deps --no-compile \
    --target "$site" "$wheels"/*.whl
fi
# The op for CPUs, which some checks compare with.
part native 30 "$python" setup.py --quiet build_ext --inplace
part tests 170 env KDRANK_REQUIRE_GPU="${DRY:-1}" "$python" -m pytest -q --disable-warnings \
  -p no:cacheprovider "${tests[@]}"
part op 80 "$python" -W ignore benchmarks/op.py --device "$device" "${quick[@]}" --out "$out"
part step 110 "$python" -W ignore benchmarks/step.py --device "$device" "${quick[@]}" --out "$out"
part host_reads 40 "$python" -W ignore benchmarks/host_reads.py --device "$device"
exit "$failed"
