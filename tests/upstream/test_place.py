"""
What is said of a target that fails, and which ones are connected to at once.
"""

from __future__ import annotations

import os
import socket
from typing import Any, cast

from twisted.logger import capturedLogs
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from smartproxy_tw.config.model import Ejection, ProxyHeader, Target, UpstreamTLS
from smartproxy_tw.upstream.place import Place

from ..plane.harness import lacksIPv6
from .groups import Caller, GroupCase, target

FAILURES, PAUSE = Ejection().failures, Ejection().seconds


class Hand:
    """
    A poller that only tells the time.
    """

    now = 1000.0


class Link:
    """
    A link that has given an answer.
    """

    deadline = 0.0

    def close(self) -> None:
        """Closed."""


class TellingTests(SynchronousTestCase):
    """
    A diary is not flooded by a target that comes and goes.
    """

    def setUp(self) -> None:
        self.hand = Hand()
        self.place = Place(cast(Any, self.hand), Target("127.0.0.1", 80), 0)

    def told(self, *deeds: str) -> list[str]:
        """
        What is said while this happens to it.
        """
        with capturedLogs() as events:
            for deed in deeds:
                if deed == "failed":
                    self.place.failed("it left")
                else:
                    getattr(self.place, deed)()
        return [event["log_level"].name for event in events]

    def test_goneAndBack(self) -> None:
        """
        Once when it is passed over, and once when it answers again.
        """
        self.assertEqual(self.told(*["failed"] * FAILURES), ["warn"])
        self.hand.now += PAUSE
        self.assertEqual(self.told("probed", "reached"), [])
        self.assertEqual(self.told("answered"), ["info"])

    def test_statuses(self) -> None:
        """
        Answers are failures where their statuses are said to be, and do not speak for their target
        then; any other answer does.
        """
        link = cast(Any, Link())
        for statuses, opens in ((frozenset({502, 503}), True), (frozenset(), False)):
            place = Place(cast(Any, self.hand), Target("127.0.0.1", 80), 0, Ejection(2, statuses=statuses))
            for status in (503, 404, 502, 200, 503, 502):
                with capturedLogs() as events:
                    if status >= 400:
                        place.erred(status)
                    (place.giveBack if status % 2 else place.retire)(link)
            self.assertEqual(place.isAway, opens)
            self.assertEqual(place.failures, 4 * opens)
        self.assertEqual(events, [])

    def test_connectsOnly(self) -> None:
        """
        One that is reached each time and never answers is spoken of once.
        """
        deeds = ["failed"] * FAILURES + ["probed", "reached", "failed"] * 50
        self.assertEqual(self.told(*deeds), ["warn"])

    def test_comesAndGoes(self) -> None:
        """
        One that answers now and then, no more than once in a minute.
        """
        round = [*["failed"] * FAILURES, "probed", "answered"]
        self.assertEqual(self.told(*round * 20), ["warn", "info"])
        self.hand.now += 61
        self.assertEqual(self.told(*round), ["warn", "info"])


class AtOnceTests(GroupCase):
    """
    Who wants a bare connection to a target on this machine has it before he has turned round.
    """

    def dialled(self, *targets: Target, **others: Any) -> Caller:
        """
        Somebody who dials in a new group.
        """
        self.begin(*targets, **others)
        return self.dials()

    def speaks(self, caller: Caller, server: socket.socket) -> None:
        """
        What was got is a connection to this server, that the poller knows of.
        """
        wire = caller.wire
        peer, _ = server.accept()
        with peer:
            heard: list[int] = []
            self.poller.handlers[wire.fd] = heard.append
            self.loop.turns()
            self.assertEqual(heard, [])
            wire.write(b"hello")
            self.assertEqual(peer.recv(100), b"hello")
            peer.send(b"goodbye")
            self.loop.turns()
            self.assertEqual((len(heard), wire.recv(100)), (1, b"goodbye"))
            self.poller.forget(wire.fd)
            wire.close()

    def test_loopback(self) -> None:
        """
        By either family, and nothing is left to be cancelled.
        """
        for address in ("127.0.0.1", "127.0.0.3", "::1"):
            if ":" in address and (why := lacksIPv6()):
                raise SkipTest(why)
            server = self.listens(address)
            caller = self.dialled(target(server))
            self.assertIsNone(caller.attempt)
            self.speaks(caller, server)

    def test_unix(self) -> None:
        """
        By a unix socket.
        """
        path = "/tmp/" + self.mktemp().replace("/", "-")[-40:]
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            self.addCleanup(os.unlink, path)
            server.listen()
            self.speaks(self.dialled(Target(path, 0)), server)

    def test_speaksFirst(self) -> None:
        """
        What a target has said by then is heard by whoever comes.
        """
        server = self.listens()
        caller = self.dialled(target(server))
        peer, _ = server.accept()
        with peer:
            peer.send(b"220")
            heard: list[int] = []
            self.poller.handlers[caller.wire.fd] = heard.append
            self.loop.turns()
            self.assertEqual((len(heard), caller.wire.recv(100)), (1, b"220"))
        self.poller.forget(caller.wire.fd)
        caller.wire.close()

    def test_turns(self) -> None:
        """
        Targets take turns all the same.
        """
        servers = [self.listens(), self.listens(), self.listens()]
        self.begin(*map(target, servers))
        for server in (servers[1], servers[2], servers[0], servers[1]):
            self.speaks(self.dials(), server)

    def test_refused(self) -> None:
        """
        One that refuses counts as failed once, and the next one has its chance.
        """
        server = self.listens()
        caller = self.dialled(target(server), target(self.refuses()))
        self.assertEqual(caller.got, [])
        self.loop.turns()
        self.assertEqual([place.failures for place in self.places()], [0, 1])
        self.speaks(caller, server)

    def test_full(self) -> None:
        """
        One that accepts nobody just now is waited for.
        """
        caller = self.dialled(target(self.ignores()))
        self.loop.turns()
        self.assertEqual(caller.got, [])
        self.loop.turns(3.1)
        self.assertTrue(caller.failure.isTimeout)

    def test_others(self) -> None:
        """
        Others are not: those that are told something first, or are counted, or have a name, or are on
        probation.
        """
        server = self.listens()
        host, port = server.getsockname()
        for caller in (
            self.dialled(Target(host, port, proxyHeader=ProxyHeader(2))),
            self.dialled(Target(host, port), tls=UpstreamTLS(verify=False)),
            self.dialled(Target(host, port), most=3),
            self.dialled(Target("localhost", port)),
        ):
            self.assertEqual(caller.got, [])
            caller.attempt.cancel()
        self.begin(target(server))
        self.drops(self.dials())
        self.places()[0].failed("no reason")
        caller = self.dials()
        self.assertEqual(caller.got, [])
        self.loop.turns()
        self.drops(caller)
        self.assertIsNone(self.places()[0].breaker)

    def drops(self, caller: Caller) -> None:
        """
        Somebody has a connection no more.
        """
        self.poller.forget(caller.wire.fd)
        caller.wire.close()
