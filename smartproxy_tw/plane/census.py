"""
What is counted of requests and streams, for each route; pure.

A request leaves one entry, which the access log is made of; the counts are made of the
same entries, in the same batches, so that a request costs nothing more for being
counted.

A count has a name of three words: what is counted, into which class it falls, and whose
it is, which is a name from the configuration and may have spaces.  So each count is one
number in a flat dictionary, those of several processes are added by their names, and no
client can bring about another one.  Nothing is there for a route before its first
request; then all its counts are, but for those of status codes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from .lines import Refused, Served, Streamed

if TYPE_CHECKING:
    from .lines import Entry

__all__ = ["CODES", "DELAYS", "DURATIONS", "LARGEST", "Census", "cell", "words"]

#: The upper bounds of the classes of durations, in seconds; above the last there is one more.
DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

#: Those of how much later than it should something had its turn, likewise.
DELAYS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

#: Counts of which the largest is told where there are several, and not their sum.
LARGEST = frozenset({"target_share", "target_until"})

#: Those that are told one by one: a target may answer with any three digits.
_STATUSES = frozenset((0, 499, *(status.value for status in HTTPStatus)))

#: All classes that requests may be in.
CODES = (*map(str, sorted(_STATUSES)), *(f"{each}xx" for each in range(10)))

_DENIED = "denied "

#: A connection that speaks another protocol from then on, for as long as it likes.
_SWITCHED = 101


def cell(what: str, kind: str | int, whose: str) -> str:
    """
    The name of a count.

    @param what: One word.
    @param kind: One word.
    @param whose: Anything.
    """
    return f"{what} {kind} {whose}"


def words(name: str) -> tuple[str, str, str]:
    """
    What L{cell} was given.
    """
    what, kind, whose = name.split(" ", 2)
    return what, kind, whose


class _Route:
    """
    The names of the counts of one route.
    """

    __slots__ = ("_name", "classes", "codes", "microseconds", "received", "sent", "streams")

    def __init__(self, name: str) -> None:
        self._name = name
        self.codes: dict[int, str] = {}
        self.classes = tuple(cell("seconds", each, name) for each in range(len(DURATIONS) + 1))
        self.microseconds = cell("microseconds", "-", name)
        self.received = cell("received", "-", name)
        self.sent = cell("sent", "-", name)
        self.streams = cell("streams", "-", name)

    @property
    def names(self) -> tuple[str, ...]:
        """
        All that are there from the first request on.
        """
        return *self.classes, self.microseconds, self.received, self.sent, self.streams

    def code(self, status: int) -> str:
        """
        The one for a status.
        """
        kind = str(status) if status in _STATUSES else f"{status // 100}xx"
        found = self.codes[status] = cell("requests", kind, self._name)
        return found


class Census:
    """
    Counts entries.
    """

    def __init__(self, counts: dict[str, int]) -> None:
        """
        @param counts: Where they are counted, by name; C{"requests"} among them.
        """
        self._counts = counts
        counts.setdefault("requests", 0)
        counts.setdefault("log_lines_lost", 0)
        self._routes: dict[str, _Route] = {}

    def take(self, entries: Iterable[Entry]) -> None:
        """
        Count these.
        """
        counts = self._counts
        routes = self._routes
        requests = 0
        for entry in entries:
            # In the order of how many there are.
            if type(entry) is Served:
                prepared, _, started, ended, status, size, received, _ = entry
                name = "" if prepared.route is None else prepared.route.name
                route = routes.get(name) or self._met(name)
                requests += 1
                key = route.codes.get(status) or self._code(route, status)
                counts[key] += 1
                counts[route.sent] += size
                if received:
                    counts[route.received] += received
                if status != _SWITCHED:
                    seconds = ended - started
                    counts[route.classes[bisect_left(DURATIONS, seconds)]] += 1
                    counts[route.microseconds] += int(seconds * 1e6)
            elif type(entry) is Streamed:
                name = entry.route.name
                route = routes.get(name) or self._met(name)
                counts[route.streams] += 1
                counts[route.received] += entry.sent
                counts[route.sent] += entry.received
            elif type(entry) is Refused:
                route = routes.get("") or self._met("")
                requests += 1
                key = route.codes.get(entry.status) or self._code(route, entry.status)
                counts[key] += 1
                counts[route.sent] += entry.size
        counts["requests"] += requests

    def lost(self, lines: int) -> None:
        """
        So many lines of the access log were lost.
        """
        self._counts["log_lines_lost"] += lines

    def denied(self, reason: str, route: str) -> None:
        """
        A guard let somebody not pass.

        @param reason: One word.
        @param route: Its name.
        """
        name = cell("denied", reason, route)
        self._counts[name] = self._counts.get(name, 0) + 1

    def keep(self, routes: Collection[str]) -> None:
        """
        Forget the routes that are not there any more.

        @param routes: The names of those that are.
        """
        for name in [name for name in self._counts if name.startswith(_DENIED)]:
            if words(name)[2] not in routes:
                del self._counts[name]
        for name in [name for name in self._routes if name and name not in routes]:
            route = self._routes.pop(name)
            for each in (*route.names, *route.codes.values()):
                self._counts.pop(each, None)

    def forget(self, targets: Collection[str]) -> None:
        """
        Forget targets that are not there any more.

        @param targets: Their names.
        """
        if targets:
            for name in [name for name in self._counts if name.startswith("target_")]:
                if words(name)[2] in targets:
                    del self._counts[name]

    def _met(self, name: str) -> _Route:
        route = self._routes[name] = _Route(name)
        for each in route.names:
            self._counts.setdefault(each, 0)
        return route

    def _code(self, route: _Route, status: int) -> str:
        name = route.code(status)
        self._counts.setdefault(name, 0)
        return name
