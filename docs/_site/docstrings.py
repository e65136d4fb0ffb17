"""Griffe extension: this package's docstrings, which have Sphinx roles, as Markdown."""

import re

import griffe

_ROLE = re.compile(r':[a-z]+:`(?P<tilde>~?)(?P<name>[^`]+)`')
_DOCTEST = re.compile(r'^Example:$', re.MULTILINE)


class ReadableDocstrings(griffe.Extension):
    """Sphinx roles become links where the reference has the object, doctests become code."""

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        """Rewrite the docstring of each object that griffe has read."""
        if obj.docstring:
            text = _ROLE.sub(_link, obj.docstring.value)
            obj.docstring.value = _DOCTEST.sub('Examples:', text)


def _link(match: re.Match[str]) -> str:
    name = match['name']
    shown = name.rpartition('.')[2] if match['tilde'] else name
    return f'<autoref identifier="{name}" optional><code>{shown}</code></autoref>'
