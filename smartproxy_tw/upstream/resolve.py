"""
Names to addresses, for targets: what is known of each, for how long, and who
waits for it.

An answer serves for as long as its owner says, within bounds.  The answer for a
name in use is renewed before it ends, while it still serves, so that only the
first connection to a name waits for it; callers that ask meanwhile share one
question.  When nobody can tell, the last good answer serves on, and is asked
for again after a pause that grows.

A name that nobody has asked for or connected to for some minutes is forgotten, also one
that never had an address: who makes up names takes no more room than for so long.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

from twisted.logger import Logger

from .outcome import Failed, Found, Nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .outcome import Outcome
    from .sources import Source

__all__ = ["Resolver", "Watcher", "isLiteral"]

_log = Logger()

# Bounds of how long an answer serves, whatever its owner says, in seconds.
_LEAST = 1.0
_MOST = 300.0
# That there is no answer is believed for so long at first, and while a former one serves for up to so long.
_FAILED = 1.0
_MOST_FAILED = 30.0
# With so much of its time gone an answer is renewed.
_RENEW = 0.9
# A question is given up after so long, in seconds: whoever asks may use a resolver that never answers.
_PATIENCE = 60.0
# A name nobody connected to for so long is renewed no more, in seconds.
_UNUSED = 120.0


def isLiteral(host: str) -> bool:
    """
    @return: Whether a host is an IP address already.
    """
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Watcher(Protocol):
    """
    Somebody who has connections to a name.
    """

    @property
    def isInUse(self) -> bool:
        """
        Whether there are any now.
        """

    def moved(self, addresses: Sequence[str]) -> None:
        """
        The name has other addresses now.

        @param addresses: At least one.
        """


class _Entry:
    """
    What is known of one name.

    @ivar addresses: The last good ones; none when there are none.
    @ivar expires: Until when they serve without a question.
    @ivar usedAt: When somebody last wanted them.
    @ivar failures: Questions in a row that came to nothing.
    @ivar question: The one that is under way, if any.
    @ivar waiting: Who waits for its answer.
    @ivar watchers: See L{Watcher}.
    """

    __slots__ = ("addresses", "expires", "failures", "question", "usedAt", "waiting", "watchers")

    def __init__(self) -> None:
        self.addresses: tuple[str, ...] = ()
        self.expires = self.usedAt = float("-inf")
        self.failures = 0
        self.question: object | None = None
        self.waiting: dict[Callable[[Sequence[str]], None], None] = {}
        self.watchers: list[Watcher] = []


class Resolver:
    """
    Answers from memory where it can.
    """

    def __init__(
        self,
        source: Callable[[], Source],
        seconds: Callable[[], float],
        after: Callable[[float, Callable[[], None]], None],
    ) -> None:
        """
        @param source: Gives whom to ask; called when there is something to be
            asked for the first time, as many configurations have no names.
        @param seconds: A reactor's clock.
        @param after: Calls something after so many seconds; a quarter of a
            second later does not matter.
        """
        self._makeSource = source
        self._source: Source | None = None
        self._seconds = seconds
        self._after = after
        self._entries: dict[str, _Entry] = {}

    def remembered(self, host: str) -> Sequence[str] | None:
        """
        @param host: A name.
        @return: Its addresses where no question is needed; L{None} otherwise.
        """
        entry = self._entries.get(host)
        if entry is None:
            return None
        entry.usedAt = now = self._seconds()
        if now < entry.expires or (entry.question is not None and entry.addresses):
            return entry.addresses
        return None

    def ask(self, host: str, then: Callable[[Sequence[str]], None]) -> None:
        """
        Find the addresses of a name.

        @param then: Called with them, the preferred first; with none when
            there are none.  At once where the answer is near.
        """
        entry = self._entryOf(host)
        entry.usedAt = self._seconds()
        entry.waiting[then] = None
        self._renew(host, entry)

    def unask(self, host: str, then: Callable[[Sequence[str]], None]) -> None:
        """
        Somebody who asked does not want to know any more.
        """
        entry = self._entries.get(host)
        if entry is not None:
            entry.waiting.pop(then, None)

    def watch(self, host: str, watcher: Watcher) -> None:
        """
        Tell somebody when a name moves, and renew it while he uses it.
        """
        self._entryOf(host).watchers.append(watcher)

    def unwatch(self, host: str, watcher: Watcher) -> None:
        """
        No more.
        """
        entry = self._entries.get(host)
        if entry is not None and watcher in entry.watchers:
            entry.watchers.remove(watcher)

    def _entryOf(self, host: str) -> _Entry:
        entry = self._entries.get(host)
        if entry is None:
            entry = self._entries[host] = _Entry()
            self._after(_UNUSED, lambda: self._look(host, entry))
        return entry

    def _look(self, host: str, entry: _Entry) -> None:
        """
        Forget a name that nobody has to do with any more, whatever is known of it.
        """
        if self._entries.get(host) is not entry:
            return
        now = self._seconds()
        isWanted = entry.question is not None or entry.waiting or entry.watchers
        if isWanted or now < entry.expires or now - entry.usedAt < _UNUSED:
            self._after(_UNUSED, lambda: self._look(host, entry))
        else:
            del self._entries[host]

    def _renew(self, host: str, entry: _Entry) -> None:
        if entry.question is not None:
            return
        entry.question = question = object()

        def then(outcome: Outcome, isLast: bool) -> None:
            if entry.question is question:
                if isLast:
                    entry.question = None
                self._answered(host, entry, outcome)

        try:
            host.encode("idna")
        except UnicodeError:
            # Some of those who could be asked would never answer.
            then(Nothing(_MOST), True)
            return
        self._after(_PATIENCE, lambda: then(Failed(f"nobody answers for {_PATIENCE:g} s"), True))
        if self._source is None:
            self._source = self._makeSource()
        self._source.ask(host, then)

    def _answered(self, host: str, entry: _Entry, outcome: Outcome) -> None:
        now = self._seconds()
        if isinstance(outcome, Found):
            self._found(host, entry, outcome, now)
        elif isinstance(outcome, Nothing):
            if entry.addresses:
                _log.warn("The name {host} has no address any more", host=host)
            entry.addresses = ()
            entry.expires = now + min(max(outcome.seconds, _FAILED), _MOST)
            entry.failures = 0
        else:
            self._failed(host, entry, outcome, now)
        waiting, entry.waiting = entry.waiting, {}
        for then in waiting:
            then(entry.addresses)

    def _found(self, host: str, entry: _Entry, outcome: Found, now: float) -> None:
        seconds = min(max(outcome.seconds, _LEAST), _MOST)
        addresses = outcome.addresses
        if outcome.isPartial:
            # Of one family nothing is known: what was known of it is still the best guess.
            families = {":" in each for each in addresses}
            addresses += tuple(each for each in entry.addresses if (":" in each) not in families)
        before, entry.addresses = entry.addresses, addresses
        entry.expires = now + seconds
        if entry.failures:
            _log.info("The name {host} can be resolved again", host=host)
        entry.failures = 0
        self._after(seconds * _RENEW, lambda: self._due(host, entry, now + seconds))
        if before and set(before) != set(addresses):
            _log.info(
                "The name {host} has moved: {before} before, {after} now",
                host=host,
                before=", ".join(before),
                after=", ".join(addresses),
            )
            for watcher in list(entry.watchers):
                watcher.moved(addresses)

    def _failed(self, host: str, entry: _Entry, outcome: Failed, now: float) -> None:
        pause = min(_FAILED * 2**entry.failures, _MOST_FAILED) if entry.addresses else _FAILED
        if entry.addresses and not entry.failures:
            _log.warn(
                "The name {host} cannot be resolved ({reason}); {addresses} serves on",
                host=host,
                reason=outcome.reason,
                addresses=", ".join(entry.addresses),
            )
        entry.failures = min(entry.failures + 1, 10)
        entry.expires = now + pause
        if entry.addresses:
            self._after(pause * _RENEW, lambda: self._due(host, entry, now + pause))

    def _due(self, host: str, entry: _Entry, expires: float) -> None:
        """
        An answer is about to end: renew it if somebody uses it.
        """
        if entry.expires != expires:
            # It was renewed meanwhile.
            return
        if self._seconds() - entry.usedAt < _UNUSED or any(each.isInUse for each in entry.watchers):
            self._renew(host, entry)
