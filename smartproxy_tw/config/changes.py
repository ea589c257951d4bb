"""
What makes one configuration different from another: what a reload has to do, what it
cannot do, and how both are told.

Where something is written in its file makes no difference, nor does the order in which
things are listed that have none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from inspect import get_annotations
from operator import attrgetter
from typing import Any

from ..values import dataclass
from .model import CertificateSource, Config, Route

__all__ = ["Changes", "Setting", "changes", "sources"]

#: What a process is begun with.  Everything else can change while it runs.
_LASTING = ("state_dir", "workers", "bind", "log", "admin", "metrics", "acme")

#: What of that can change all the same.
_EXCEPTIONS = frozenset({"acme.challenges"})

#: What is told in another way, or says only where the rest comes from.
_NO_SETTINGS = frozenset({"routes", "source", "files", "patterns"})

#: What is called otherwise where it is written.
_WRITTEN = {"external": "external_account", "logFormat": "log.format", "senders": "from"}

#: So much of a value is told.
_MOST = 200

#: A list for people names so many.
_NAMED = 10

_Facts = attrgetter(*(name for name in get_annotations(Route) if name != "line"))


@dataclass(frozen=True, slots=True)
class Setting:
    """
    Something that has one value for the whole proxy.

    @ivar name: As it is written in a file, for instance C{timeouts.drain}.
    @ivar old: Its value, for people; nothing of a secret.
    @ivar new: Likewise.
    """

    name: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.name}: {self.old} -> {self.new}"


@dataclass(frozen=True, slots=True)
class Changes:
    """
    What is different.

    @ivar added: Routes that are new, by name, in their order.
    @ivar removed: Routes that are gone.
    @ivar changed: Routes that have another content.
    @ivar isReordered: Whether those that stay come in another order.
    @ivar bound: Ports that are listened on from now on.
    @ivar released: Ports that are listened on no more.
    @ivar wanted: Certificates that are needed from now on, by
        L{Auto.key<smartproxy_tw.config.model.Auto.key>} and its like.
    @ivar dropped: Certificates that are needed no more.
    @ivar settings: What else has changed.
    @ivar obstacles: Those settings that need a restart.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    isReordered: bool = False
    bound: tuple[int, ...] = ()
    released: tuple[int, ...] = ()
    wanted: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    obstacles: tuple[Setting, ...] = ()

    def __bool__(self) -> bool:
        """
        Whether anything is different.
        """
        return self != Changes()

    def __str__(self) -> str:
        """
        In one line, for the log.
        """
        told = [f"{what} {_few(items)}" for what, items in self._lists() if items]
        if self.isReordered:
            told.append("routes reordered")
        return "; ".join([*told, *map(str, self.settings)]) or "nothing has changed"

    def lines(self) -> Iterator[str]:
        """
        At full length, one change a line.
        """
        for what, items in self._lists():
            for each in items:
                yield f"{what} {each}"
        if self.isReordered:
            yield "routes reordered"
        for setting in self.settings:
            yield str(setting) + (" (needs a restart)" if setting in self.obstacles else "")

    def _lists(self) -> tuple[tuple[str, tuple[object, ...]], ...]:
        return (
            ("route added:", self.added),
            ("route removed:", self.removed),
            ("route changed:", self.changed),
            ("port bound:", self.bound),
            ("port released:", self.released),
            ("certificate wanted:", self.wanted),
            ("certificate dropped:", self.dropped),
        )


def changes(old: Config, new: Config) -> Changes:
    """
    Find out what is different.

    @param old: What is in use.
    @param new: What is to be.
    @raise ValueError: Two routes of the new one have the same name.
    """
    before = {route.name: route for route in old.routes}
    after = {route.name: route for route in new.routes}
    if len(after) < len(new.routes):
        names = [route.name for route in new.routes]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise ValueError(f"Two routes are called {twice!r}: each needs a name of its own.")
    kept = [name for name in after if name in before]
    ports, newPorts = set(old.ports), set(new.ports)
    keys, newKeys = sources(old), sources(new)
    settings = tuple(_settings(old, new, ""))
    return Changes(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(name for name in kept if _Facts(before[name]) != _Facts(after[name])),
        isReordered=kept != [name for name in before if name in after],
        bound=tuple(sorted(newPorts - ports)),
        released=tuple(sorted(ports - newPorts)),
        wanted=tuple(key for key in newKeys if key not in keys),
        dropped=tuple(key for key in keys if key not in newKeys),
        settings=settings,
        obstacles=tuple(each for each in settings if _needsRestart(each.name)),
    )


def sources(config: Config) -> dict[str, CertificateSource]:
    """
    Every certificate that is needed, by its identity, in the order of the routes.
    """
    found: dict[str, CertificateSource] = {}
    for route in config.routes:
        for source in () if route.tls is None else route.tls.sources:
            found.setdefault(source.key, source)
    return found


def _needsRestart(name: str) -> bool:
    return name.partition(".")[0] in _LASTING and name not in _EXCEPTIONS


def _settings(old: Any, new: Any, path: str) -> Iterator[Setting]:
    """
    The leaves that are different.
    """
    for each in fields(old):
        if not path and each.name in _NO_SETTINGS:
            continue
        before, after = getattr(old, each.name), getattr(new, each.name)
        if before == after:
            continue
        name = path + _written(each.name)
        if is_dataclass(before) and type(before) is type(after):
            yield from _settings(before, after, name + ".")
        elif each.repr:
            yield Setting(name, _told(before), _told(after))
        else:
            yield Setting(name, "one secret", "another")


def _written(name: str) -> str:
    return _WRITTEN.get(name) or re.sub("[A-Z]+", lambda found: "_" + found[0].lower(), name)


def _told(value: object) -> str:
    if value is None:
        text = "not set"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, float):
        text = f"{value:g}"
    elif is_dataclass(value):
        text = f"{{{', '.join(_members(value))}}}"
    elif type(value) is tuple:
        text = f"[{', '.join(map(_told, value))}]"
    else:
        text = str(value)
    return text if len(text) <= _MOST else text[: _MOST - 3] + "..."


def _members(value: Any) -> Iterator[str]:
    """
    What a part of the configuration has in it, without what is not set, and without its secrets.
    """
    for each in fields(value):
        found = getattr(value, each.name)
        if each.repr and found is not None and found != ():
            yield f"{_written(each.name)}: {_told(found)}"


def _few(items: Iterable[object]) -> str:
    told = [str(each) for each in items]
    if len(told) <= _NAMED:
        return ", ".join(told)
    return f"{', '.join(told[: _NAMED - 1])} and {len(told) - _NAMED + 1} more"
