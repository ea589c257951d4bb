"""
What a service has: targets by SRV records (RFC 2782), for as long as their owner says.

Whoever watches a service is told when what it has changes, and the first time that it is
known.  The records are asked for again before their time is over, for as long as anybody
watches; when nobody can tell, what there was serves on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..values import dataclass
from .query import NoAnswer, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .nameservers import NameServers

__all__ = ["Asked", "Member", "Services", "Watcher", "asking"]

_log = Logger()

#: Bounds of how long an answer serves, whatever its owner says, in seconds.
_LEAST = 1.0
_MOST = 300.0
#: That there is none is believed for so long, and after failures it is asked again so late at most.
_NOTHING = 10.0
_MOST_FAILED = 30.0
#: With so much of its time gone an answer is renewed.
_RENEW = 0.9
#: No service has more that count.
_MEMBERS = 64


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """
    One record.

    @ivar priority: Of those with the lowest one any are used that can be had.
    @ivar weight: The share among those with the same priority.
    @ivar host: A name, lower-case ASCII without a trailing dot.
    @ivar port: 1..65535.
    """

    priority: int
    weight: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What was answered.

    @ivar members: In order; none: there is no such service.
    @ivar seconds: How long that may be used.
    """

    members: tuple[Member, ...]
    seconds: float


class Watcher(Protocol):
    """
    Somebody who uses a service.
    """

    def found(self, name: str, members: Sequence[Member]) -> None:
        """
        It has these now.
        """


class _Entry:
    """
    What is known of one service.
    """

    __slots__ = ("failures", "isAsking", "members", "watchers")

    def __init__(self) -> None:
        self.members: tuple[Member, ...] | None = None
        self.watchers: list[Watcher] = []
        self.failures = 0
        self.isAsking = False


class Services:
    """
    All of a process.
    """

    def __init__(
        self,
        ask: Callable[[str], Deferred[Asked]],
        after: Callable[[float, Callable[[], None]], object],
    ) -> None:
        """
        @param ask: Asks for the records of a name; fails with L{NoAnswer} or
            L{ValueError}.
        @param after: Calls something after so many seconds.
        """
        self._ask = ask
        self._after = after
        self._entries: dict[str, _Entry] = {}

    def watch(self, name: str, watcher: Watcher) -> None:
        """
        Tell somebody what a service has, at once if that is known.
        """
        entry = self._entries.get(name)
        if entry is None:
            entry = self._entries[name] = _Entry()
        entry.watchers.append(watcher)
        if entry.members is not None:
            watcher.found(name, entry.members)
        elif not entry.isAsking:
            self._renew(name, entry)

    def unwatch(self, name: str, watcher: Watcher) -> None:
        """
        No more.
        """
        entry = self._entries.get(name)
        if entry is not None and watcher in entry.watchers:
            entry.watchers.remove(watcher)

    def _renew(self, name: str, entry: _Entry) -> None:
        if not entry.watchers:
            # Its routes are gone.
            if self._entries.get(name) is entry:
                del self._entries[name]
            return
        entry.isAsking = True
        asked = self._ask(name)
        asked.addCallback(lambda found: self._answered(name, entry, found))
        asked.addErrback(lambda failure: self._failed(name, entry, failure))

    def _answered(self, name: str, entry: _Entry, asked: Asked) -> None:
        entry.isAsking = False
        if entry.failures:
            _log.info("The service {name} can be asked for again", name=name)
        entry.failures = 0
        members = asked.members[:_MEMBERS]
        seconds = min(max(asked.seconds, _LEAST), _MOST) if members else _NOTHING
        self._after(seconds * _RENEW, lambda: self._renew(name, entry))
        before, entry.members = entry.members, members
        if members == before:
            return
        if before is not None or not members:
            _log.info(
                "The service {name} has {members} now",
                name=name,
                members=", ".join(f"{each.host}:{each.port}" for each in members) or "nothing",
            )
        for watcher in list(entry.watchers):
            watcher.found(name, members)

    def _failed(self, name: str, entry: _Entry, failure: Any) -> None:
        entry.isAsking = False
        if not failure.check(NoAnswer, ValueError):
            _log.failure("A bug while asking for a service", failure)
        elif not entry.failures:
            _log.warn(
                "The service {name} cannot be asked for ({reason}){on}",
                name=name,
                reason=failure.getErrorMessage(),
                on="; what it had serves on" if entry.members else "",
            )
        pause = min(2.0**entry.failures, _MOST_FAILED)
        entry.failures = min(entry.failures + 1, 10)
        self._after(pause, lambda: self._renew(name, entry))


def asking(reactor: Any, settings: Callable[[], NameServers]) -> Callable[[str], Deferred[Asked]]:
    """
    What asks name servers for SRV records.

    @param reactor: One with descriptors, TCP and time.
    @param settings: Whom to ask; read for each question.
    """
    return lambda name: Deferred.fromCoroutine(_asked(reactor, settings(), name))


async def _asked(reactor: Any, settings: NameServers, name: str) -> Asked:
    from twisted.names import dns

    from .lookup import related

    answer = await ask(reactor, settings, name, dns.SRV)
    records, aliases = related(answer.answers, name, dns.SRV)
    members = []
    for each in records:
        told = each.payload
        host = told.target.name.decode("ascii", "replace").lower().rstrip(".")
        # A target that is the root says that there is no such service (RFC 2782).
        if host and 0 < told.port < 65536 and host.isascii():
            members.append(Member(told.priority, told.weight, host, told.port))
    seconds = min((each.ttl for each in (*records, *aliases)), default=0)
    return Asked(tuple(sorted(set(members))), float(seconds))
