"""MkDocs hook: the built site loads nothing from another host, or the build fails."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

_LOADED = {
    '.html': re.compile(
        r'<(?:script|img|iframe|source|link(?![^>]*rel="?canonical))\b[^>]*'
        r'\b(?:src|href)=["\']?(?:https?:)?//[^"\'> ]+'
    ),
    '.css': re.compile(r'(?:url\(|@import\s+)["\']?(?:https?:)?//[^"\')]+'),
}


def on_post_build(config: MkDocsConfig) -> None:
    """Search pages and style sheets for resources with a host.

    Raises:
        PluginError: If there is one.
    """
    for file in Path(config.site_dir).rglob('*'):
        pattern = _LOADED.get(file.suffix)
        match = pattern and pattern.search(file.read_text(encoding='utf-8'))
        if match:
            raise PluginError(f'{file} loads something from the network: {match.group()}')
