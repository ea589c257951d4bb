"""
How an authority misbehaves, settable at any time: every answer passes here before
it is sent.

    >>> authority.faults.slow(2.0)                       # every answer takes two seconds more
    >>> authority.faults.cut("certificate", times=1)     # one download ends in its midst
    >>> authority.faults.busy(30, "order", part=0.5)     # half of the new orders: 503, Retry-After
    >>> authority.faults.clear()

Each is about one kind of request (see L{whatIs}) or about all, for so many
C{times} or until L{Faults.clear}, and for a C{part} of the requests that chance
chooses.  Of what the authority has done nothing is undone by spoiling the answer;
what is said I{instead} of an answer is said without doing anything.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import field
from math import inf
from random import Random
from typing import Any

from ..values import dataclass

__all__ = ["Faults", "Reply", "whatIs"]

#: What no client knows, in front of what it may know; and what is no challenge.
_UNKNOWN: tuple[Any, ...] = (
    {"type": "smoke-signal-01", "url": "https://127.0.0.1/", "status": "pending", "token": "abc"},
    {"type": "no-token-01", "url": "https://127.0.0.1/"},
    {"type": 7, "url": None},
    {},
    "http-01",
    None,
)


@dataclass(slots=True)
class Reply:
    """
    An answer.

    @ivar body: To be JSON, or bytes as they are, or L{None} for none.
    @ivar fields: Of the head.
    @ivar delay: Seconds until it is sent.
    @ivar cut: The part of the body, 0 to 1, after which the connection is cut;
        negative: before anything is sent; L{None}: it is not.
    """

    status: int
    body: Any
    fields: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: float | None = None

    @property
    def content(self) -> bytes:
        """
        The body as it is sent.
        """
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode("ascii")


@dataclass(slots=True)
class _Fault:
    what: str | None
    left: float
    part: float
    instead: Callable[[], Reply] | None = None
    spoil: Callable[[str, Reply], object] | None = None


def whatIs(path: str) -> str:
    """
    What a path of the authority is for.

    @return: C{"directory"}, C{"nonce"}, C{"account"}, C{"order"} (a new one),
        C{"an order"}, C{"authorization"}, C{"challenge"}, C{"finalize"},
        C{"certificate"}, C{"renewal"}, C{"revoke"} or C{"key"}.
    """
    first, last = path.partition("/")[2].partition("/")[0], path.rpartition("/")[2]
    if last in ("finalize", "certificate", "directory", "nonce", "order", "account", "revoke", "key"):
        return last
    if last in ("http-01", "tls-alpn-01", "dns-01"):
        return "challenge"
    if first in ("account", "renewal"):
        return first
    return "authorization" if "/authorization/" in path else "an order"


class Faults:
    """
    Those of one authority; none at first.

    @ivar met: How often something was amiss, by what was asked for.
    """

    def __init__(self, chance: Random) -> None:
        """
        @param chance: Decides whom a fault meets that is for a part.
        """
        self._chance = chance
        self._faults: list[_Fault] = []
        self._shown: dict[str, list[Any]] = {}
        self.met: Counter[str] = Counter()

    def clear(self) -> None:
        """
        Behave from now on.
        """
        self._faults.clear()
        self._shown.clear()

    def slow(self, seconds: float, what: str | None = None, *, times: float = inf, part: float = 1.0) -> None:
        """
        Answer later.
        """

        def spoil(path: str, reply: Reply) -> None:
            reply.delay += seconds

        self._faults.append(_Fault(what, times, part, spoil=spoil))

    def cut(
        self, what: str | None = None, after: float = 0.5, *, times: float = inf, part: float = 1.0
    ) -> None:
        """
        Cut the connection in the midst of an answer.

        @param after: So much of the body is sent, 0 to 1; negative: not even the
            head is.
        """

        def spoil(path: str, reply: Reply) -> None:
            reply.cut = after

        self._faults.append(_Fault(what, times, part, spoil=spoil))

    def truncated(self, what: str | None = None, *, times: float = inf, part: float = 1.0) -> None:
        """
        Send half of a body as if it were all of it.
        """

        def spoil(path: str, reply: Reply) -> None:
            if not isinstance(reply.body, bytes | None):
                reply.fields.setdefault("Content-Type", "application/json")
            reply.body = reply.content[: len(reply.content) // 2]

        self._faults.append(_Fault(what, times, part, spoil=spoil))

    def typed(self, kind: str, what: str | None = None, *, times: float = inf, part: float = 1.0) -> None:
        """
        Send something as what it is not.

        @param kind: For Content-Type.
        """

        def spoil(path: str, reply: Reply) -> None:
            reply.fields["Content-Type"] = kind

        self._faults.append(_Fault(what, times, part, spoil=spoil))

    def busy(
        self,
        retryAfter: int | None = None,
        what: str | None = None,
        *,
        status: int = 503,
        times: float = inf,
        part: float = 1.0,
    ) -> None:
        """
        Do nothing, and say that somebody in front of the authority is busy.

        @param retryAfter: For how long, in seconds; L{None}: who knows.
        """
        fields = {} if retryAfter is None else {"Retry-After": str(retryAfter)}
        self.says(status, b"<html>Service busy</html>", what, times=times, part=part, **fields)

    def says(
        self,
        status: int,
        body: Any,
        what: str | None = None,
        *,
        times: float = inf,
        part: float = 1.0,
        **fields: str,
    ) -> None:
        """
        Do nothing, and answer this, whatever it is; a problem document for
        instance.

        @param body: As for L{Reply.body}.
        @param fields: Of the head, with C{_} for C{-}.
        """
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        instead = lambda: Reply(status, deepcopy(body), dict(named))  # noqa: E731
        self._faults.append(_Fault(what, times, part, instead=instead))

    def unknownKinds(self, *, isAlone: bool = False, times: float = inf, part: float = 1.0) -> None:
        """
        Offer challenges of kinds that nobody knows, and things that are none.

        @param isAlone: Whether to offer nothing else.
        """

        def spoil(path: str, reply: Reply) -> None:
            if isinstance(reply.body, dict) and "challenges" in reply.body:
                known = [] if isAlone else reply.body["challenges"]
                reply.body = {**reply.body, "challenges": [*_UNKNOWN, *known]}

        self._faults.append(_Fault("authorization", times, part, spoil=spoil))

    def outOfOrder(self, what: str | None = None, *, times: float = inf, part: float = 0.5) -> None:
        """
        Show what was shown before, as an authority of many machines does that
        know of one another late.
        """

        def spoil(path: str, reply: Reply) -> None:
            shown = self._shown.setdefault(path, [])
            shown.append(deepcopy(reply.body))
            reply.body = shown[max(0, len(shown) - 2)]

        def mayBe(path: str, reply: Reply) -> None:
            if whatIs(path) in ("an order", "authorization") and reply.status == 200:
                spoil(path, reply)

        self._faults.append(_Fault(what, times, part, spoil=mayBe))

    def pass_(self, path: str, answer: Callable[[], Reply]) -> Reply:
        """
        Let one answer pass.

        @param path: What was asked for.
        @param answer: Does what was asked.
        """
        what = whatIs(path)
        met = [each for each in self._faults if each.what in (None, what) and self._meets(each)]
        if met:
            self.met[what] += 1
        instead = next((each.instead for each in met if each.instead is not None), None)
        reply = answer() if instead is None else instead()
        for each in met:
            if each.spoil is not None:
                each.spoil(path, reply)
        return reply

    def _meets(self, fault: _Fault) -> bool:
        if fault.left <= 0 or self._chance.random() >= fault.part:
            return False
        fault.left -= 1
        return True
