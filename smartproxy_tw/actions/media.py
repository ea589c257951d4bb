"""
What a file has in it, by its name: the field Content-Type.

The table is that of Python, without what a machine says beside it, so that two machines agree,
and with what is newer.
"""

from __future__ import annotations

import mimetypes
from functools import lru_cache

__all__ = ["mediaType"]

_NEWER = {
    ".avif": "image/avif",
    ".cjs": "text/javascript",
    ".flac": "audio/flac",
    ".gz": "application/gzip",
    ".br": "application/octet-stream",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".jsonld": "application/ld+json",
    ".jxl": "image/jxl",
    ".log": "text/plain",
    ".m4a": "audio/mp4",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".otf": "font/otf",
    ".rst": "text/x-rst",
    ".rss": "application/rss+xml",
    ".atom": "application/atom+xml",
    ".toml": "application/toml",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zst": "application/zstd",
}
_ARCHIVES = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_UNKNOWN = "application/octet-stream"

_known = mimetypes.MimeTypes(filenames=())


@lru_cache(4096)
def mediaType(name: bytes) -> str:
    """
    @param name: Of a file.
    @return: Its type; text is said to be UTF-8.
    """
    text = name.decode("utf-8", "replace").lower()
    dot = text.rfind(".")
    found: str | None = _NEWER.get(text[dot:]) if dot >= 0 else None
    if found is None:
        # With a scheme before it no name is taken for a URL.
        found, coding = _known.guess_type("file:/" + text)
        if coding is not None:
            # What is compressed is a file of its own, and nothing that is undone on the way.
            found = _ARCHIVES.get(coding, _UNKNOWN)
    if found is None:
        return _UNKNOWN
    return f"{found}; charset=utf-8" if found.startswith("text/") else found
