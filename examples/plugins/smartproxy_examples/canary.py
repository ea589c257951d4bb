"""
A condition: holds for a part of all users, and always for the same ones.

    match: {canary: {percent: 10, header: X-User}}
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from smartproxy_tw.config.plugin import WrongSettings
from smartproxy_tw.interfaces import ICondition, IMatcherPlugin

if TYPE_CHECKING:
    from smartproxy_tw.routing.sight import Sight

__all__ = ["Canary"]


@implementer(ICondition)
class _Part:
    """
    Some of all users.
    """

    def __init__(self, percent: int, header: str) -> None:
        self._percent = percent
        self._header = header

    def holds(self, sight: Sight) -> bool:
        """
        See L{ICondition}.
        """
        values = sight.values(self._header)
        return bool(values) and sha256(values[0].encode()).digest()[0] * 100 < self._percent * 256

    def objection(self, sight: Sight) -> str:
        """
        See L{ICondition}.
        """
        if not sight.values(self._header):
            return f"{self._header} is not there"
        return f"{self._header} is not of the first {self._percent} %"


@implementer(IMatcherPlugin)
class Canary:
    """
    The plug-in.  It reads its settings without pydantic.
    """

    name = "canary"
    needsHTTP = True

    def settings(self, written: Mapping[str, Any]) -> tuple[int, str]:
        """
        See L{IMatcherPlugin}.
        """
        wrong: list[tuple[tuple[str | int, ...], str]] = [
            ((name,), "is not an option here") for name in written if name not in ("percent", "header")
        ]
        percent, header = written.get("percent"), written.get("header")
        if type(percent) is not int or not 0 <= percent <= 100:
            wrong.append((("percent",), "has to be a whole number from 0 to 100"))
        if not isinstance(header, str) or not header:
            wrong.append((("header",), "has to be the name of a header field"))
        if wrong:
            raise WrongSettings(*wrong)
        assert isinstance(percent, int) and isinstance(header, str)
        return percent, header.lower()

    def build(self, settings: tuple[int, str]) -> ICondition:
        """
        See L{IMatcherPlugin}.
        """
        return _Part(*settings)
