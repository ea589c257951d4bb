"""
What things are called on the disk.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

__all__ = ["authorityName", "entryName"]

#: Beyond this a name is shortened, since a file system takes 255 bytes.
_LONGEST_PLAIN = 200
_LONGEST_SHORTENED = 150


def authorityName(directory: str) -> str:
    """
    What a certificate authority is called: by the host of its directory, C{-},
    and the first 16 hexadecimal digits of the SHA-256 of the whole URL.  So
    staging and production, or two authorities on one host, never mix.

    @param directory: The URL of an ACME directory.
    """
    host = re.sub(r"[^a-z0-9.-]", "_", (urlsplit(directory).hostname or "directory").lower())
    return f"{host[:_LONGEST_SHORTENED].lstrip('.')}-{_digest(directory)}"


def entryName(names: Iterable[str]) -> str:
    """
    What the certificate for some names is called.

    One name is called by itself, as txacme does it.  Several are called by the
    first of them in alphabetical order, C{+}, how many more there are, C{-}, and
    the first 16 hexadecimal digits of the SHA-256 of all of them in that order,
    joined by commas.  A name of more than 200 characters is treated likewise,
    cut to 150.  C{*} is written C{_wildcard}.

    @param names: At least one; their order does not matter.
    """
    ordered = sorted(set(names))
    first = ordered[0].replace("*", "_wildcard")
    if len(ordered) == 1 and len(first) <= _LONGEST_PLAIN:
        return first
    return f"{first[:_LONGEST_SHORTENED]}+{len(ordered) - 1}-{_digest(','.join(ordered))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
