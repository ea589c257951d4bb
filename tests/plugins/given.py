"""
Plug-ins for tests, which are there without being installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smartproxy_tw.config.plugin import WrongSettings
from smartproxy_tw.interfaces import (
    IAction,
    IActionPlugin,
    ICondition,
    IExchange,
    IMatcherPlugin,
    ISource,
    IStream,
    IUpstreamPlugin,
)
from smartproxy_tw.plugins import discovery
from smartproxy_tw.plugins.discovery import Known
from smartproxy_tw.routing.sight import Sight

__all__ = ["Brew", "Greeting", "Hours", "Point", "Ring", "given"]


class Greeting(BaseModel):
    """
    Settings of L{Brew}.
    """

    text: str
    status: int = 418


@implementer(IAction)
class _Brewing:
    def __init__(self, settings: Greeting) -> None:
        self.settings = settings
        self.closed = 0

    def request(self, exchange: IExchange) -> None:
        """Answer."""
        exchange.respond(self.settings.status, b"", self.settings.text.encode())

    def stream(self, stream: IStream) -> None:
        """None."""
        stream.abort()

    def close(self) -> None:
        """Counted."""
        self.closed += 1


@implementer(IActionPlugin)
class Brew:
    """
    An action.
    """

    name = "brew"
    needsHTTP = True
    settings = Greeting

    def build(self, settings: Greeting, reactor: Any) -> _Brewing:
        """Made."""
        if settings.status == 500:
            raise RuntimeError("no water")
        return _Brewing(settings)


@implementer(ICondition)
class _Between:
    def __init__(self, settings: str) -> None:
        self.settings = settings

    def holds(self, sight: Sight) -> bool:
        """Or it fails."""
        return {"always": True, "never": False}[self.settings]

    def objection(self, sight: Sight) -> str:
        """Why not."""
        return f"it is {self.settings}"


@implementer(IMatcherPlugin)
class Hours:
    """
    A matcher, whose settings are read by hand.
    """

    name = "hours"
    needsHTTP = False

    def settings(self, written: Mapping[str, Any]) -> str:
        """Of one key."""
        if set(written) != {"when"}:
            raise WrongSettings((("when",), "is needed, and nothing else"))
        return str(written["when"])

    def build(self, settings: str) -> _Between:
        """Made."""
        return _Between(settings)


@implementer(ISource)
class _Ringing:
    def __init__(self, settings: list[str]) -> None:
        self.settings = settings
        self.closed = 0

    def pick(self, facts: object) -> list[str]:
        """All."""
        return self.settings

    def close(self) -> None:
        """Counted."""
        self.closed += 1


@implementer(IUpstreamPlugin)
class Ring:
    """
    A source of targets.
    """

    name = "ring"

    def settings(self, written: Mapping[str, Any]) -> list[str]:
        """A list."""
        if not written.get("members"):
            raise ValueError("has no members")
        return list(written["members"])

    def build(self, settings: list[str], reactor: Any) -> _Ringing:
        """Made."""
        return _Ringing(settings)


class Point:
    """
    An entry point.
    """

    def __init__(self, name: str, loaded: Any) -> None:
        self.name = name
        self.value = f"pack.{name}"
        self._loaded = loaded

    def load(self) -> Any:
        """What it leads to."""
        if isinstance(self._loaded, BaseException):
            raise self._loaded
        return self._loaded


def given(case: SynchronousTestCase, *points: Point) -> Known:
    """
    Have these for a test.
    """
    there = Known([Point("brew", Brew), Point("hours", Hours()), Point("ring", Ring), *points], [])
    case.patch(discovery, "known", lambda: there)
    return there
