"""
The attacks that need processes of their own, each with its size: a few seconds as a test, as long
as one likes by C{python -m benchmarks.soak}.

Each gives the figures that it found, and fails with an C{AssertionError} that says what did not hold.
"""

from __future__ import annotations

import socket
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smartproxy_tw.wire.frames import ENHANCE_YOUR_CALM

from .crowd import Crowd
from .origin import StrictOrigin
from .subject import Subject
from .torrents import STREAMS, TORRENTS

__all__ = ["Siege", "exhausted", "full", "kept", "lag", "mutations", "slow", "torrents"]

# So many pipes may rest, for the next transfers.
_PIPES = 8
_REQUEST = b"GET / HTTP/1.1\r\nHost: good.test\r\n\r\n"


class Siege:
    """
    @ivar origin: Strict; attackers are sent there.
    @ivar good: Another one, for good requests.
    @ivar subject: The proxy.
    """

    def __init__(self, **settings: Any) -> None:
        self.origin = StrictOrigin()
        self.good = StrictOrigin()
        try:
            self.subject = Subject({**self.origin.ports, "good": self.good.ports["http"]}, **settings)
        except BaseException:
            self.origin.close()
            self.good.close()
            raise

    def crowd(self, seconds: float, kinds: dict[str, int], **settings: Any) -> Crowd:
        """
        Send a crowd.
        """
        return Crowd(self.subject.ports, seconds, kinds, **settings)

    def isUnharmed(self) -> dict[str, Any]:
        """
        Nothing was logged that tells of a bug, and the origin has seen nothing
        malformed.

        @return: The facts of the proxy.
        """
        facts = self.subject.facts()
        bad = self.origin.ask()["bad"] | self.good.ask()["bad"]
        assert not bad, f"the origin was sent what no proxy may send: {bad}"
        assert not facts["troubles"], "the proxy logged:\n" + "\n".join(facts["troubles"][:3])
        return facts

    def close(self) -> None:
        """
        End.
        """
        self.subject.close()
        self.origin.close()
        self.good.close()


@contextmanager
def _besieged(**settings: Any) -> Iterator[Siege]:
    siege = Siege(**settings)
    try:
        yield siege
    finally:
        siege.close()


def slow(each: int, seconds: float, head: float = 10.0, pause: float = 2.0) -> dict[str, Any]:
    """
    Slow heads, slow bodies, slow readers and slow hellos, so many of each at
    the same time, while good requests go on.
    """
    with _besieged(head=head) as siege:
        before = siege.crowd(seconds / 2, {"good": 8}).tells()["good"]
        kinds = {"slowHead": each, "slowBody": each, "slowReader": each, "slowHello": each // 4}
        attackers = siege.crowd(seconds + 12, kinds, pause=pause)
        # On a busy machine they are slow to come.
        count, latest = 0, time.monotonic() + 10
        while count < 3 * each and time.monotonic() < latest:
            time.sleep(0.2)
            count = max(count, siege.subject.facts()["open"])
        began = siege.subject.cpu()
        during = siege.crowd(seconds, {"good": 8}).tells()["good"]
        used = (siege.subject.cpu() - began) / seconds
        count = max(count, siege.subject.facts()["open"])
        told = attackers.tells()
        siege.isUnharmed()
        found = {"without": before, "with": during, "CPU": used, "open": count, "attackers": told}
    for name in ("broken", "wrong"):
        assert not during.get(name), f"good requests suffered: {during}"
    # Much of what good requests wait for is the CPU that attackers, origin and proxy share here.
    assert during["p99"] < max(0.15, 10 * before["p99"]), f"good requests waited: {found}"
    if seconds > head + 1:
        assert told["slowHead"].get("408"), f"no slow head was cut: {found}"
    return found


def torrents(each: int, seconds: float, write: float = 4.0) -> dict[str, Any]:
    """
    Enemies that speak HTTP/2, so many of each kind at the same time, while good requests go on, twice:
    the second time leaves no more than the first.

    @param write: How long an answer may wait for its reader, in seconds.
    """
    # What is too late is seen every few seconds.
    lasts = seconds + write + 8
    # Where there are very many, what they ask for is begun and given up one after the other.
    patience = write + 8 + each
    with _besieged(head=2, write=write, knows=True) as siege:
        before: dict[str, Any] = siege.crowd(seconds / 2, {"good": 8}).tells()["good"]
        told, during, turns, left = [], [], [], []
        siege.subject.ask("watch")
        for turn in range(2):
            attackers = siege.crowd(lasts, dict.fromkeys(TORRENTS, each), seed=turn, patience=patience)
            good = siege.crowd(lasts - 1, {"good": 8})
            end = time.monotonic() + lasts - 1
            while time.monotonic() < end:
                siege.subject.ask("reset")
                time.sleep(0.5)
                turns.append(siege.subject.ask("turns")["worst"])
            during.append(good.tells()["good"])
            told.append(attackers.tells())
            left.append(_left(_quiet(siege)))
        siege.isUnharmed()
        found = {"without": before, "with": during, "left": left, "turns": turns, "attackers": told}
    for good in during:
        for name in ("broken", "wrong"):
            assert not good.get(name), f"good requests suffered: {found}"
    # How long others wait for their turns, in CPU time: these are the longest ones of half a second each.  By
    # the clock much of it is for the CPU that all of them share here.
    assert statistics.median(turns) < 0.025, f"good requests waited: {found}"
    p50 = max(good.get("p50", seconds) for good in during)
    assert p50 < max(0.05, 10 * before.get("p50", 0.0)), f"good requests waited: {found}"
    _leavesNothing(left, found)
    for kind in ("rapidReset", "pings", "continuation"):
        assert told[-1][kind].get(f"GOAWAY {ENHANCE_YOUR_CALM}"), f"{kind} was not told to be calm: {found}"
    for kind in ("unbegun", "halfHead"):
        assert any(name.startswith(("GOAWAY", "closed")) for name in told[-1][kind]), f"{kind}: {found}"
    assert told[-1]["bomb"].get("431"), f"no head was too large: {found}"
    for turn in told:
        assert turn["closedWindows"]["starved"] >= min(each, 10) * STREAMS, f"answers are held: {found}"
        # Whose answers have begun loses them; few enemies do so while all others are still there.
        for kind in [name for name, each in TORRENTS.items() if each.asks]:
            over, late = turn[kind].get("over", 0), turn[kind].get("late", 0)
            assert not turn[kind].get("held"), f"{kind} is not cut: {found}"
            assert over + late >= each // 2, f"{kind} was not answered: {found}"
            assert each > 10 or over >= each // 2, f"{kind} is cut too late: {found}"
    return found


def _left(facts: dict[str, Any]) -> dict[str, int]:
    return {name: facts[name] for name in ("open", "objects", "used", "memory")}


def _leavesNothing(left: list[dict[str, int]], found: object) -> None:
    """
    What is left grows with each round of an attack where something leaks.

    @param left: After one round, and after another one like it.
    """
    first, second = left
    for each in left:
        assert each["open"] == 0, f"connections are left: {found}"
    assert second["objects"] < first["objects"] + 100, f"objects are left: {found}"
    # What is no object of that kind, such as bytes; a table that was large for a moment stays so.
    for name in ("used", "memory"):
        assert second[name] < first[name] * 1.1 + 4_000_000, f"memory grew: {found}"


def mutations(count: int, seconds: float = 3600.0, seed: int = 1) -> dict[str, Any]:
    """
    So many requests that are almost right.
    """
    crowds = 16
    with _besieged() as siege:
        found = siege.crowd(seconds, {"mutant": crowds}, count=count // crowds, seed=seed).tells()
        facts = siege.isUnharmed()
        found["requests at the origin"] = siege.origin.ask()["requests"]
        told = found["mutant"]
        assert not told.get("500"), f"answered with 500: {found}"
        assert not told.get("no end"), f"some never ended: {found}"
        assert not told.get("unsaid"), f"not all were said in time: {found}"
        assert facts["open"] == 0, f"connections are left: {facts}"
    return found


def kept(seconds: float, each: int) -> dict[str, Any]:
    """
    Clients of all kinds that leave in every state; nothing of them stays.
    """
    with _besieged(head=2, idle=3) as siege:
        kinds = {
            "leaving": each,
            "big": max(2, each // 8),
            "idle": each // 2,
            "slowHead": each // 4,
            "good": 4,
        }
        # What is made once, on first use, is made by then.
        siege.crowd(min(3.0, seconds), kinds, pause=0.3).tells()
        before = _quiet(siege)
        told = siege.crowd(seconds, kinds, pause=0.3, seed=2).tells()
        _quiet(siege)
        after = siege.subject.settled(before)
        siege.isUnharmed()
        found = {"before": _shown(before), "after": _shown(after), "clients": told}
    assert after["open"] == 0, f"connections are left: {found}"
    assert _without(after, "pipe") <= _without(before, "pipe"), f"descriptors are left: {found}"
    assert after["descriptors"]["pipe"] <= before["descriptors"]["pipe"] + 2 * _PIPES, (
        f"pipes are left: {found}"
    )
    # Memos of heads and the like may grow by some, but not by one object for a hundred connections.
    came = after["connections"] - before["connections"]
    assert after["objects"] < before["objects"] + 100 + came // 100, f"objects are left: {found}"
    return found


def _quiet(siege: Siege) -> dict[str, Any]:
    """The facts, when all clients have gone."""
    end = time.monotonic() + 10
    while True:
        facts = siege.subject.facts()
        if not facts["open"] or time.monotonic() > end:
            # Connections to the origin that are kept for later requests are no leak.
            siege.subject.ask("letGo")
            return siege.subject.facts()
        time.sleep(0.1)


def _without(facts: dict[str, Any], kind: str) -> Counter[str]:
    """How many descriptors there are of all other kinds."""
    return Counter({name: count for name, count in facts["descriptors"].items() if name != kind})


def _shown(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        name: facts[name] for name in ("open", "descriptors", "objects", "memory", "connections", "requests")
    }


def lag(each: int, seconds: float, routes: int = 10000, most: float = 0.05) -> dict[str, Any]:
    """
    Big bodies, many handshakes at the same moment, a table of many routes
    compiled again and again, certificates installed, the access log written,
    idle connections swept: no turn of the reactor takes longer than 50 ms of
    CPU time.

    Of each kind of work the median of several counts, as a processor that is
    shared is slower at times; the longest is told.

    @param most: In place of those 50 ms, in seconds.
    """
    with _besieged(idle=2) as siege:
        subject = siege.subject
        subject.ask("plan", routes=routes)
        subject.ask("watch")
        kinds = {"idle": each, "big": 4, "good": 8, "leaving": 20, "storm": each}
        attackers = siege.crowd(seconds + 1, kinds, pause=1.0)
        worst: dict[str, list[float]] = {}
        long: list[tuple[float, str, str]] = []
        for what, arguments in (("storm", {}), ("install", {"count": 20}), ("table", {})):
            end = time.monotonic() + seconds / 3
            while time.monotonic() < end:
                subject.ask("reset")
                if what == "storm":
                    # There is one a second.
                    time.sleep(1.0)
                else:
                    subject.ask(what, **arguments)
                    time.sleep(0.1)
                turns = subject.ask("turns")
                worst.setdefault(what, []).append(turns["worst"])
                long += [(turn, what, why) for turn, why in turns["long"]]
        told = attackers.tells()
        siege.isUnharmed()
    long.sort(reverse=True)
    usual = {what: statistics.median(turns) for what, turns in worst.items()}
    longest = {what: max(turns) for what, turns in worst.items()}
    found = {"usual": usual, "longest": longest, "long": long[:6], "good": told["good"]}
    over = {what: turn for what, turn in usual.items() if turn > most}
    blocked = "\n".join(f"{turn:.3f} s during {what}:\n{why}" for turn, what, why in long[:6])
    assert not over, f"the reactor was kept from its work: {over}\n{blocked}"
    return found


def full(files: int = 256, seconds: float = 3.0) -> dict[str, Any]:
    """
    More clients than there is room for: those are refused at little cost, and
    served within a second after the others have gone.
    """
    with _besieged(files=files) as siege:
        first = _Kept(siege)
        # So many that a processor of any speed could refuse them all with a fiftieth of its time.
        crowd = siege.crowd(seconds + 0.5, {"idle": files}, pause=files / 128)
        time.sleep(0.7)
        used = _cpu(siege, seconds - 1)
        first.asks()
        told = crowd.tells()
        waited = _served(siege)
        first.asks()
        first.close()
        facts = siege.isUnharmed()
        found = {"CPU": used, "served again after": waited, "crowd": told, "facts": _shown(facts)}
    assert told["idle"].get("503"), f"nobody was refused: {found}"
    return _judged(found)


def exhausted(files: int = 256, seconds: float = 2.0) -> dict[str, Any]:
    """
    Not a descriptor is left, as when something else in the process leaks them:
    kept connections are served, the CPU rests, and those who wait are served
    within a second after some are free.
    """
    with _besieged(files=files) as siege:
        first = _Kept(siege)
        hoarded = siege.subject.ask("hoard")["hoarded"]
        waiting = [_Kept(siege, isWaiting=True) for _ in range(20)]
        time.sleep(0.3)
        used = _cpu(siege, seconds)
        first.asks()
        siege.subject.ask("free")
        began = time.monotonic()
        for each in waiting:
            each.hears()
        waited = time.monotonic() - began
        first.asks()
        for each in (first, *waiting):
            each.close()
        after = siege.subject.facts()
        found = {"CPU": used, "served again after": waited, "hoarded": hoarded, "facts": _shown(after)}
    return _judged(found)


def _judged(found: dict[str, Any]) -> dict[str, Any]:
    assert found["CPU"] < 0.05, f"the CPU did not rest: {found}"
    assert found["served again after"] < 1.0, f"service did not resume in time: {found}"
    return found


def _cpu(siege: Siege, seconds: float) -> float:
    """
    The part of a CPU that the proxy uses: the median of three spans, as the host of a
    virtual processor charges some of what others take to whoever runs.
    """
    spans = []
    for _ in range(3):
        began = siege.subject.cpu()
        time.sleep(seconds / 3)
        spans.append((siege.subject.cpu() - began) / (seconds / 3))
    return statistics.median(spans)


def _served(siege: Siege) -> float:
    """How long it takes until a new client is served, in seconds."""
    began = time.monotonic()
    while True:
        try:
            _Kept(siege).close()
        except (OSError, AssertionError):
            if time.monotonic() > began + 5:
                raise
        else:
            return time.monotonic() - began


class _Kept:
    """
    A connection that is kept, and asks now and then.
    """

    def __init__(self, siege: Siege, isWaiting: bool = False) -> None:
        self._sock = socket.create_connection(("127.0.0.1", siege.subject.ports["http"]), 60)
        self._sock.sendall(_REQUEST)
        if not isWaiting:
            self.hears()

    def asks(self) -> None:
        """One request."""
        self._sock.sendall(_REQUEST)
        self.hears()

    def hears(self) -> None:
        """Its answer."""
        data = b""
        while not data.endswith(b"hello"):
            more = self._sock.recv(4096)
            assert more, f"closed after {data!r}"
            data += more
        assert data.startswith(b"HTTP/1.1 200 "), data

    def close(self) -> None:
        """Go."""
        self._sock.close()
