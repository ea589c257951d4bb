"""
Public keys that are fetched from a URL, and kept: for as long as the answer says, and for
as long as the URL fails.

They are fetched when somebody needs them: the first time, in the background when their
time is over, and when a token names a key that is not among them; the last is bounded by a
floor between two fetches, or anybody could have us fetch with each made-up token.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from ..config.keysets import Keys, readKeys

if TYPE_CHECKING:
    from twisted.python.failure import Failure

__all__ = ["Keyring"]

_log = Logger()

_ACCEPTED = ((b"Accept", b"application/jwk-set+json, application/json"),)
_MOST = 1 << 20
_WAITING = 1024

# In seconds: between two fetches, and how long keys count when the answer says nothing of it, too little,
# or too much.
_FLOOR = 30.0
_USUAL, _LEAST, _LONGEST = 300.0, 30.0, 86400.0

_AGE = re.compile(rb"(?i)(?:^|[,\s])max-age\s*=\s*\"?([0-9]{1,9})")


class _Asking(Protocol):
    def ask(self, url: str, fields: Any, most: int) -> Deferred[Any]:
        """As L{Web.ask<smartproxy_tw.guards.web.Web.ask>}."""

    def close(self) -> None:
        """As there."""


class Keyring:
    """
    The keys behind one URL.

    @ivar keys: The last ones that were had; L{None}: none yet.
    """

    def __init__(
        self, web: _Asking, url: str, seconds: Callable[[], float], told: Callable[[], None]
    ) -> None:
        """
        @param web: The way there.
        @param seconds: The time.
        @param told: Called whenever there are other keys.
        """
        self.keys: Keys | None = None
        self._web = web
        self._url = url
        self._seconds = seconds
        self._told = told
        self._fetching: Deferred[Any] | None = None
        self._waiting: list[Callable[[], None]] = []
        self._until = self._next = float("-inf")
        self._hasFailed = False

    def look(self) -> None:
        """
        Somebody is about to use the keys: fetch them in the background if their time is over.
        """
        if self._seconds() >= self._until:
            self._begin()

    def wait(self, then: Callable[[], None]) -> bool:
        """
        Have them fetched, because what is needed is not there.

        @param then: Called once when that has ended, well or not, never before this returns.
        @return: False when it is not to be, because that was a moment ago, or too many wait, or
            it has ended already; C{then} is not called.
        """
        self._begin()
        if self._fetching is None or len(self._waiting) >= _WAITING:
            return False
        self._waiting.append(then)
        return True

    def _begin(self) -> None:
        now = self._seconds()
        if self._fetching is None and now >= self._next:
            self._next = now + _FLOOR
            self._fetching = asking = self._web.ask(self._url, _ACCEPTED, _MOST)
            asking.addCallback(self._read)
            asking.addErrback(self._failed)
            asking.addBoth(self._ended)

    def _read(self, reply: Any) -> None:
        from .web import Reply

        assert isinstance(reply, Reply)
        if reply.status != 200:
            raise ValueError(f"it answered with {reply.status}")
        try:
            keys = readKeys(reply.body.decode("utf-8"))
        except ValueError as why:
            raise ValueError(f"its answer {why}") from None
        found = _AGE.search(reply.value(b"cache-control"))
        age = _USUAL if found is None else min(max(float(found[1]), _LEAST), _LONGEST)
        self._until = self._seconds() + age
        self.keys = keys
        self._told()
        if self._hasFailed:
            self._hasFailed = False
            _log.info("The keys for tokens are there again: {url}", url=self._url, event="keys-fetched")

    def _failed(self, failure: Failure) -> None:
        if isinstance(failure.value, CancelledError):
            return
        from .web import worded

        if not self._hasFailed:
            self._hasFailed = True
            _log.warn(
                "The keys for tokens cannot be fetched from {url}: {reason}. {what}.",
                url=self._url,
                reason=worded(failure.value),
                what="Tokens are refused" if self.keys is None else "The last ones go on counting",
                event="keys-not-fetched",
            )

    def _ended(self, _: object) -> None:
        self._fetching = None
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each()

    def close(self) -> None:
        """
        Fetch no more; whoever waits is told.
        """
        if self._fetching is not None:
            self._fetching.cancel()
        self._web.close()
