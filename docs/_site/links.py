"""MkDocs hook: pages outside docs/ join the site, and links lead there as they do on GitHub."""

import os
import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
HOME = 'README.md'
# Code, which stays as it is, or the target of a link or image: relative, without its anchor.
_PARTS = re.compile(
    r'^```.*?^```$|`[^`\n]+`|(?<=\]\()(?![a-z]+:|#|/)(?P<target>[^)\s#]+)', re.MULTILINE | re.DOTALL
)


def site_uri(path: str) -> str:
    """Return the path of a repository's file among the site's sources."""
    if path == HOME:
        return 'index.md'
    return path.removeprefix('docs/')


def repository_path(uri: str) -> str:
    """Return the inverse of :func:`site_uri`."""
    if uri == 'index.md':
        return HOME
    return f'docs/{uri}' if (ROOT / 'docs' / uri).is_file() else uri


def resolve(page: str, target: str) -> str:
    """Return the file of the repository that a link on a page means; of a folder, its README.

    Raises:
        PluginError: If there is no such file.
    """
    path = normpath(join(dirname(page), target))
    if (ROOT / path).is_dir():
        path = join(path, 'README.md')
    if path.startswith('..') or not (ROOT / path).is_file():
        raise PluginError(f'{page} links to {target}, and the repository has no {path}')
    return path


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the home page, and what pages link to outside docs/."""
    files.append(_outside(HOME, config))
    todo = [file.src_uri for file in files.documentation_pages()]
    while todo:
        page = repository_path(todo.pop())
        for match in _PARTS.finditer((ROOT / page).read_text()):
            if match['target'] is None:
                continue
            uri = site_uri(path := resolve(page, match['target']))
            if files.get_file_from_path(uri) is None:
                files.append(_outside(path, config))
                todo += [uri] * uri.endswith('.md')
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Rewrite links relative to the site's sources."""
    uri = page.file.src_uri
    source = repository_path(uri)

    def rewrite(match: re.Match[str]) -> str:
        if match['target'] is None:
            return match.group()
        return relpath(site_uri(resolve(source, match['target'])), dirname(uri) or '.')

    return _PARTS.sub(rewrite, markdown)


def _outside(path: str, config: MkDocsConfig) -> File:
    return File.generated(config, site_uri(path), abs_src_path=os.fspath(ROOT / path))
