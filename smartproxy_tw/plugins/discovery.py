"""
Finds plug-ins: by entry points of the group C{smartproxy_tw.plugins}, and as plug-ins of
Twisted (L{twisted.plugin}).

They are looked for once in a process, and only when a configuration has a name that is
nobody else's.  One that cannot be imported, or is none, is told and left out; it stops
nobody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol

from twisted.logger import Logger
from twisted.plugin import getPlugins

from ..config.plugin import Kind, Plugin, WrongSettings
from ..interfaces import IActionPlugin, IMatcherPlugin, IUpstreamPlugin
from .guarded import GuardedCondition

__all__ = ["GROUP", "Known", "known"]

#: The group of entry points.
GROUP = "smartproxy_tw.plugins"

_KINDS: dict[Kind, Any] = {
    "action": IActionPlugin,
    "matcher": IMatcherPlugin,
    "upstream": IUpstreamPlugin,
}

#: What the language has already.
_TAKEN: dict[Kind, frozenset[str]] = {
    "action": frozenset(("forward", "redirect", "respond", "files", "block", "socket")),
    "matcher": frozenset(
        ("ports", "domains", "path", "headers", "query", "method", "client_ip", "tls_version", "protocol")
    ),
    "upstream": frozenset(),
}

_log = Logger()


class EntryPoint(Protocol):
    """
    Where something of another distribution is.
    """

    @property
    def name(self) -> str:
        """What it is called there."""

    @property
    def value(self) -> str:
        """Where it is."""

    def load(self) -> Any:
        """
        Import it.
        """


class Known:
    """
    All that there are.

    @ivar problems: Why others are not there.
    """

    def __init__(self, points: Iterable[EntryPoint], found: Iterable[tuple[Kind, Any]]) -> None:
        """
        @param points: Where to find them.
        @param found: Those that are found already.
        """
        self._plugins: dict[tuple[Kind, str], Any] = {}
        self.problems: tuple[str, ...] = ()
        for point in points:
            where = f"{point.name} = {point.value}"
            try:
                value = point.load()
                if isinstance(value, type):
                    value = value()
            except (Exception, SystemExit) as why:
                self._leaveOut(where, f"it cannot be imported: {type(why).__name__}: {why}")
                continue
            kinds = [kind for kind, interface in _KINDS.items() if interface.providedBy(value)]
            if not kinds:
                names = ", ".join(interface.getName() for interface in _KINDS.values())
                self._leaveOut(where, f"it provides none of {names}")
            for kind in kinds:
                self._add(kind, value, where)
        for kind, value in found:
            self._add(kind, value, type(value).__qualname__)

    def _add(self, kind: Kind, plugin: Any, where: str) -> None:
        name = getattr(plugin, "name", None)
        if not isinstance(name, str) or not name.replace("-", "").replace("_", "").isalnum():
            self._leaveOut(where, f"its name has to be of letters, digits and hyphens, not {name!r}")
        elif name in _TAKEN[kind]:
            self._leaveOut(where, f"{name} is what the proxy itself calls something")
        elif self._plugins.setdefault((kind, name), plugin) is not plugin:
            self._leaveOut(where, f"another {kind} is called {name} too")

    def _leaveOut(self, where: str, why: str) -> None:
        self.problems += (f"{where}: {why}",)
        _log.warn("The plug-in {plugin} is left out: {why}", event="plugin-failed", plugin=where, why=why)

    def names(self, kind: Kind) -> tuple[str, ...]:
        """
        See L{Plugins<smartproxy_tw.config.plugin.Plugins>}, as of the others.
        """
        return tuple(sorted(name for each, name in self._plugins if each == kind))

    def get(self, kind: Kind, name: str) -> Any:
        """
        The one of that name.
        """
        found = self._plugins.get((kind, name))
        if found is None:
            there = ", ".join(self.names(kind)) or "none"
            left = "".join(f"; left out is {each}" for each in self.problems)
            raise ValueError(f"no plug-in gives the {kind} {name}: there are {there}{left}")
        return found

    def mistakes(self, kind: Kind, plugin: Plugin) -> list[tuple[tuple[str | int, ...], str]]:
        """
        What is wrong with its settings.
        """
        try:
            self._settings(kind, plugin)
        except WrongSettings as why:
            return why.mistakes
        except Exception as why:
            return _mistakesOf(why)
        return []

    def matcher(self, plugin: Plugin) -> GuardedCondition:
        """
        A condition that raises nothing.
        """
        return GuardedCondition(plugin.name, self.built("matcher", plugin))

    def built(self, kind: Kind, plugin: Plugin, *more: Any) -> Any:
        """
        What a plug-in makes of its settings.

        @param more: What else it is given.
        @raise ValueError: It cannot.
        """
        try:
            return self.get(kind, plugin.name).build(self._settings(kind, plugin), *more)
        except (Exception, SystemExit) as why:
            if isinstance(why, ValueError) and self._plugins.get((kind, plugin.name)) is None:
                raise
            raise ValueError(f"the {plugin} cannot be used: {type(why).__name__}: {why}") from why

    def _settings(self, kind: Kind, plugin: Plugin) -> Any:
        return _read(self.get(kind, plugin.name).settings, plugin.settings)


def _read(settings: Any, written: dict[str, Any]) -> Any:
    validate = getattr(settings, "model_validate", None)
    return settings(written) if validate is None else validate(written)


def _mistakesOf(why: Exception) -> list[tuple[tuple[str | int, ...], str]]:
    errors = getattr(why, "errors", None)
    if callable(errors):
        # Those of pydantic.
        return [(tuple(each["loc"]), str(each["msg"])) for each in errors()]
    if isinstance(why, ValueError):
        return [((), str(why))]
    return [((), f"cannot be read: {type(why).__name__}: {why}")]


def _twisted() -> Iterator[tuple[Kind, Any]]:
    for kind, interface in _KINDS.items():
        for plugin in getPlugins(interface):
            yield kind, plugin


@cache
def known() -> Known:
    """
    What there is in this process.
    """
    return Known(entry_points(group=GROUP), _twisted())
