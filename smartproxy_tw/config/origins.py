"""
Which origins are meant by C{cors.origins} and C{websocket.origins}: C{https://app.example},
C{https://*.app.example} (one label), C{https://**.app.example} (any depth), C{null}, or C{*} for all.

An origin is what a browser sends: scheme, name and, where it is not the usual one, port
(RFC 6454 section 6.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["Origins", "origin"]

_WRITTEN = re.compile(
    r"(https?|[a-z][a-z0-9+.-]*)://(\*\*?\.)?([a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
)
_USUAL = {"http": ":80", "https": ":443"}
_LABEL = r"[a-z0-9_-]+"


def origin(text: str) -> str:
    """
    Read one.

    @return: In normal form.
    @raise ValueError: It is none.
    """
    if text in ("*", "null"):
        return text
    found = _WRITTEN.fullmatch(text.lower().removesuffix("/") if text.count("/") == 3 else text.lower())
    if found is None:
        raise ValueError(
            "is no origin: write https://app.example, with a port if it has one and without a path, "
            "https://*.app.example, null or *"
        )
    scheme, stars, host, port = found.groups()
    if stars and host.startswith("["):
        raise ValueError("is no origin: an address has no names below it")
    return f"{scheme}://{stars or ''}{host}{'' if port == _USUAL.get(scheme) else port or ''}"


class Origins:
    """
    Those that are allowed, ready to be asked.

    @ivar isAll: Whether every one is.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        """
        @param texts: As L{origin} returns them.
        """
        every = tuple(texts)
        self.isAll = "*" in every
        self._exact = frozenset(each for each in every if "*" not in each)
        patterns = [_pattern(each) for each in every if "*" in each and each != "*"]
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    def has(self, asked: str) -> bool:
        """
        Whether one is allowed.

        @param asked: As a browser sends it.
        """
        if self.isAll or asked in self._exact:
            return True
        return self._pattern is not None and self._pattern.fullmatch(asked) is not None


def _pattern(text: str) -> str:
    scheme, _, rest = text.partition("://")
    stars, _, host = rest.partition(".")
    labels = _LABEL if stars == "*" else rf"{_LABEL}(?:\.{_LABEL})*"
    return rf"{re.escape(scheme)}://{labels}\.{re.escape(host)}"
