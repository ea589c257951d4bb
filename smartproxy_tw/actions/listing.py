"""
The page that lists a directory.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from os import stat_result
from stat import S_ISLNK
from urllib.parse import quote, unquote

from ..wire.dates import formatted

__all__ = ["MOST", "page"]

#: So many entries are listed.
MOST = 2000

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:1rem sans-serif;margin:2rem}}td{{padding-right:1rem}}td+td{{text-align:right}}</style>
</head><body><h1>{title}</h1><table>
"""
_ROW = '<tr><td><a href="{link}">{name}</a></td><td>{size}</td><td>{modified}</td></tr>\n'


def page(path: str, entries: Iterable[tuple[bytes, bool, stat_result]]) -> bytes:
    """
    @param path: Of the directory, as it was asked for.
    @param entries: What is in it: name, whether it is a directory, and what is known of it.
    @return: A page of HTML, directories first.
    """
    found = sorted(entries, key=lambda entry: (not entry[1], entry[0]))
    # Where other bytes than UTF-8 are in a name they are shown as such; the link has them as they are.
    rows = [_HEAD.format(title=escape(unquote(path, errors="replace")))]
    if path != "/":
        rows.append(_ROW.format(link="../", name="../", size="", modified=""))
    for name, isDirectory, status in found[:MOST]:
        slash = "/" if isDirectory else ""
        hasSize = not (isDirectory or S_ISLNK(status.st_mode))
        rows.append(
            _ROW.format(
                # Without the dot a name with a colon would be taken for a scheme.
                link="./" + quote(name, safe="") + slash,
                name=escape(name.decode("utf-8", "replace") + slash),
                size=f"{status.st_size:,}" if hasSize else "",
                modified=escape(formatted(int(status.st_mtime))),
            )
        )
    if len(found) > MOST:
        rows.append(f"<tr><td>and more: only {MOST} are listed</td></tr>\n")
    rows.append("</table></body></html>\n")
    return "".join(rows).encode("utf-8")
