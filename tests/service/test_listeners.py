"""
Tests for L{smartproxy_tw.service.listeners}.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smartproxy_tw.facts import Address
from smartproxy_tw.service.deposit import Deposit, nameOf
from smartproxy_tw.service.errors import ListenError
from smartproxy_tw.service.inherited import Handed, Inherited
from smartproxy_tw.service.listeners import BACKLOG, Listeners, listenBy, takeBy
from smartproxy_tw.service.notices import removed, stored
from smartproxy_tw.testing.fakes import FakeListen, FakePlane, Story

reactor: Any = _reactor


class BindingTests(SynchronousTestCase):
    """
    All ports or none.
    """

    def setUp(self) -> None:
        self.story = Story()
        self.listen = FakeListen(self.story)
        self.plane = FakePlane(self.story)
        self.holder: str | None = None
        self.listeners = Listeners(
            self.listen,  # type: ignore[arg-type]
            ("127.0.0.1",),
            holder=lambda _: self.holder,
        )

    def refusal(self, number: int, code: int) -> str:
        """
        What an operator is told about a port.
        """
        self.listen.refuses(number, code)
        return str(self.failureResultOf(self.listeners.bind([number]), ListenError).value)

    def test_all(self) -> None:
        """
        It fires when every port is bound, and not before.
        """
        self.listen.hesitates(443)
        bound = self.listeners.bind([443, 80, 80])
        self.assertNoResult(bound)
        self.assertEqual(self.listeners.addresses, ())
        self.listen.opens(443)
        self.successResultOf(bound)
        self.assertEqual(self.listeners.addresses, (Address("127.0.0.1", 80), Address("127.0.0.1", 443)))

    def test_retain(self) -> None:
        """
        Ports that nobody needs are given back and closed, also those that the data
        path was not offered; the others are not touched.
        """
        self.successResultOf(self.listeners.bind([80, 443]))
        self.successResultOf(self.listeners.adopt(self.plane))
        self.successResultOf(self.listeners.bind([80, 443, 8080]))
        self.story.lines.clear()
        self.successResultOf(self.listeners.retain([443]))
        self.assertEqual(self.story.lines, ["closed 8080", "released 80", "closed 80"])
        self.assertEqual(self.listeners.addresses, (Address("127.0.0.1", 443),))
        self.assertEqual(self.plane.adopted, [443])

    def test_offered(self) -> None:
        """
        What the data path could not adopt is taken back from it all the same: a part
        of it may have done so.
        """
        self.successResultOf(self.listeners.bind([80]))
        self.successResultOf(self.listeners.adopt(self.plane))
        self.successResultOf(self.listeners.bind([80, 443]))
        self.plane.breaks("adopt", ValueError("no"))
        self.failureResultOf(self.listeners.adopt(self.plane), ValueError)
        given: list[object] = []
        release = self.plane.release
        self.plane.release = lambda port: (given.append(port.number), release(port))[1]  # type: ignore[method-assign,func-returns-value]
        self.successResultOf(self.listeners.retain([80]))
        self.assertEqual(given, [443])

    def test_eachInterface(self) -> None:
        """
        Each port is bound on each address.
        """
        listeners = Listeners(self.listen, ("127.0.0.1", "::1"))  # type: ignore[arg-type]
        self.successResultOf(listeners.bind([80, 443]))
        self.assertEqual(
            [str(address) for address in listeners.addresses],
            ["127.0.0.1:80", "[::1]:80", "127.0.0.1:443", "[::1]:443"],
        )

    def test_again(self) -> None:
        """
        What is bound already is left alone.
        """
        self.successResultOf(self.listeners.bind([80]))
        self.successResultOf(self.listeners.bind([80, 443]))
        self.assertEqual(self.story.lines, ["bound 80", "bound 443"])

    def test_oneRefusal(self) -> None:
        """
        One refusal closes the others, known at once; what was bound before
        stays.
        """
        self.successResultOf(self.listeners.bind([22]))
        self.listen.hesitates(443)
        self.listen.refuses(80)
        error = self.failureResultOf(self.listeners.bind([79, 80, 443]), ListenError).value
        self.assertEqual(error.addresses, (Address("127.0.0.1", 80),))
        self.assertIs(self.listeners.refusal, error)
        self.listen.opens(443)
        self.assertEqual(self.listen.open, [22])
        self.assertEqual(self.listeners.addresses, (Address("127.0.0.1", 22),))

    def test_afterARefusal(self) -> None:
        """
        Another try begins afresh.
        """
        self.refusal(80, errno.EADDRINUSE)
        self.successResultOf(self.listeners.bind([81]))
        self.assertIsNone(self.listeners.refusal)

    def test_allRefusalsAtOnce(self) -> None:
        """
        When several are refused, one message has them all, a line each.
        """
        self.listen.refuses(80)
        self.listen.refuses(443)
        error = self.failureResultOf(self.listeners.bind([80, 443]), ListenError).value
        first, second = str(error).split("\n")
        self.assertIn("127.0.0.1:80", first)
        self.assertIn("127.0.0.1:443", second)

    def test_oneReasonForAll(self) -> None:
        """
        When all are refused for one reason, that is told once.
        """
        self.listen.refuses(80, errno.EACCES)
        self.listen.refuses(443, errno.EACCES)
        text = str(self.failureResultOf(self.listeners.bind([80, 443]), ListenError).value)
        self.assertTrue(
            text.startswith("Cannot listen on 127.0.0.1:80, 127.0.0.1:443: Permission denied."), text
        )
        self.assertNotIn("\n", text)

    def test_inUseBySomebody(self) -> None:
        """
        A port in use names who has it, if that can be told, and what to do.
        """
        self.holder = "nginx (process 812)"
        self.assertEqual(
            self.refusal(443, errno.EADDRINUSE),
            "Cannot listen on 127.0.0.1:443: Address already in use: nginx (process 812) has port 443."
            " Stop it, or choose another port.",
        )

    def test_inUseByNobodyKnown(self) -> None:
        """
        Where it cannot be told, it says how to find out.
        """
        self.assertIn("ss -ltnp", self.refusal(443, errno.EADDRINUSE))

    def test_notAllowed(self) -> None:
        """
        A privileged port says which privilege, and the ways to have it.
        """
        text = self.refusal(443, errno.EACCES)
        for word in ("127.0.0.1:443", "Permission denied", "CAP_NET_BIND_SERVICE", "authbind", "--uid"):
            self.assertIn(word, text)

    def test_noSuchAddress(self) -> None:
        """
        An address of another machine points to bind.
        """
        self.assertIn("no address 127.0.0.1: correct bind", self.refusal(80, errno.EADDRNOTAVAIL))

    def test_anythingElse(self) -> None:
        """
        Whatever the reason, it is one plain sentence.
        """
        self.assertIn("Cannot listen on 127.0.0.1:80: Too many open files", self.refusal(80, errno.EMFILE))

        def listen(*_: object) -> Deferred[Any]:
            raise RuntimeError("no supervisor")

        error = self.failureResultOf(Listeners(listen, ("::1",)).bind([80]), ListenError).value
        self.assertIn("Cannot listen on [::1]:80: no supervisor", str(error))

    def test_another(self) -> None:
        """
        A port that cannot be bound, as a socket of it on another address was handed
        over, says so.
        """
        with socket.create_server(("127.0.0.1", 0)) as sock:
            number = sock.getsockname()[1]
            inherited = Inherited([Handed("web", sock)])
            self.listen.refuses(number)
            listeners = Listeners(
                self.listen,  # type: ignore[arg-type]
                ("127.0.0.2",),
                inherited=inherited,
                take=takeBy(reactor),
            )
            error = self.failureResultOf(listeners.bind([number]), ListenError).value
        self.assertEqual(
            str(error),
            f"Cannot listen on 127.0.0.2:{number}: Address already in use: a socket on 127.0.0.1:{number} was"
            " handed over instead. Let the socket unit (ListenStream=, BindIPv6Only=) and bind say the same.",
        )

    def test_tooLate(self) -> None:
        """
        A port that is wanted only after its socket was dismissed needs a restart, and
        says so.
        """
        with socket.create_server(("127.0.0.1", 0)) as sock:
            number = sock.getsockname()[1]
            inherited = Inherited([Handed("web", sock)])
            listeners = Listeners(
                self.listen,  # type: ignore[arg-type]
                ("127.0.0.1",),
                inherited=inherited,
                take=takeBy(reactor),
            )
            self.successResultOf(listeners.bind([1]))
            self.listen.refuses(number)
            error = self.failureResultOf(listeners.bind([number]), ListenError).value
        self.assertIn("its socket was handed over and closed", str(error))
        self.assertIn("A restart uses it.", str(error))

    def test_adoption(self) -> None:
        """
        The data path takes each port once, and fires when it has them all.
        """
        self.successResultOf(self.listeners.bind([80, 443]))
        self.plane.holds("adopt")
        adopted = self.listeners.adopt(self.plane)
        self.assertNoResult(adopted)
        self.assertEqual(self.listeners.adopted, frozenset())
        self.plane.finishes("adopt")
        self.successResultOf(adopted)
        self.assertEqual(self.listeners.adopted, frozenset(self.listeners.addresses))
        self.successResultOf(self.listeners.bind([8080]))
        self.successResultOf(self.listeners.adopt(self.plane))
        self.assertEqual(self.plane.adopted, [80, 443, 8080])

    def test_stopGoesOnWhenSomethingBreaks(self) -> None:
        """
        A data path that cannot release a port does not keep it, or the others,
        open.
        """
        self.successResultOf(self.listeners.bind([80, 443]))
        self.successResultOf(self.listeners.adopt(self.plane))
        self.plane.breaks("release", RuntimeError("gone"))
        self.successResultOf(self.listeners.stop())
        self.assertEqual(self.listen.open, [])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_stopBeforeAdoption(self) -> None:
        """
        What nobody adopted is only closed.
        """
        self.successResultOf(self.listeners.bind([80]))
        self.successResultOf(self.listeners.stop())
        self.assertEqual(self.story.lines, ["bound 80", "closed 80"])


class RealPortTests(TestCase):
    """
    With the kernel's sockets.
    """

    def freePort(self) -> int:
        """
        A number that nobody listens on just now.
        """
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            number: int = probe.getsockname()[1]
            return number

    def test_boundAtOnceAndSilent(self) -> None:
        """
        A real port is bound when C{bind} returns; it completes connections and
        accepts none, and it has a long queue.
        """
        seen = []

        def listenTCP(number: int, factory: Any, backlog: int, interface: str) -> Any:
            seen.append(backlog)
            return reactor.listenTCP(number, factory, backlog=backlog, interface=interface)

        class Observed:
            pass

        observed: Any = Observed()
        observed.listenTCP = listenTCP
        listeners = Listeners(listenBy(observed), ("127.0.0.1",))
        self.addCleanup(listeners.stop)
        number = self.freePort()
        self.successResultOf(listeners.bind([number]))
        self.assertEqual(seen, [BACKLOG])
        self.assertGreaterEqual(BACKLOG, 1024)
        with socket.create_connection(("127.0.0.1", number), timeout=60) as client:
            client.setblocking(False)
            self.assertEqual(reactor.getReaders().count(listeners._bound[0].port), 0)
            # Nobody has closed it: it waits to be accepted.
            self.assertRaises(BlockingIOError, client.recv, 1)

    def test_takenPort(self) -> None:
        """
        A real collision is known at once, names this process, and leaves no
        port behind.
        """
        free = self.freePort()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            listeners = Listeners(listenBy(reactor), ("127.0.0.1",))
            bound = listeners.bind([free, number])
            self.assertIn("this very process", str(listeners.refusal))
            return self.assertFailure(bound, ListenError).addCallback(
                lambda _: socket.create_server(("127.0.0.1", free)).close()
            )

    def test_everywhere(self) -> None:
        """
        On all addresses, one port takes IPv4, and IPv6 where there is any,
        without a collision of its own sockets.
        """
        number = self.freePort()
        listeners = Listeners(listenBy(reactor))
        self.addCleanup(listeners.stop)
        self.successResultOf(listeners.bind([number]))
        socket.create_connection(("127.0.0.1", number), timeout=60).close()
        if any(":" in address.host for address in listeners.addresses):
            socket.create_connection(("::1", number), timeout=60).close()

    def test_releasedPortsAreFree(self) -> Deferred[None]:
        """
        After the stop the port can be bound again.
        """
        number = self.freePort()
        listeners = Listeners(listenBy(reactor), ("127.0.0.1",))
        self.successResultOf(listeners.bind([number]))
        stopped = listeners.stop()
        stopped.addCallback(lambda _: socket.create_server(("127.0.0.1", number)).close())
        return stopped

    def handedOver(self, *sockets: socket.socket) -> Listeners:
        """
        Listeners of a process that was begun with sockets, and may bind no others.
        """

        def listen(*_: object) -> Deferred[Any]:
            raise AssertionError("Nothing is bound.")

        handed = [Handed(str(index), each) for index, each in enumerate(sockets)]
        return Listeners(listen, inherited=Inherited(handed), take=takeBy(reactor))

    def test_handedOver(self) -> Deferred[None]:
        """
        A socket that was handed over is used in place of one that would be bound, with
        our own queue and without waiting; what another process has of it is still
        listening when we are done, and it can be used again.
        """
        ours = socket.create_server(("127.0.0.1", 0), backlog=1)
        self.addCleanup(ours.close)
        number = ours.getsockname()[1]
        theirs = ours.dup()
        self.addCleanup(theirs.close)
        listeners = self.handedOver(ours)
        self.successResultOf(listeners.bind([number]))
        self.successResultOf(listeners.bind([number]))
        self.assertEqual(listeners.addresses, (Address("127.0.0.1", number),))
        self.assertFalse(ours.getblocking())
        self.assertEqual(reactor.getReaders().count(listeners._bound[0].port), 0)
        with ExitStack() as stack:
            for _ in range(20):
                # More than the queue of the socket held when it came.
                stack.enter_context(socket.create_connection(("127.0.0.1", number), timeout=60))

        def again(_: None) -> Deferred[None]:
            socket.create_connection(("127.0.0.1", number), timeout=60).close()
            self.successResultOf(listeners.bind([number]))
            self.assertEqual(len(listeners.addresses), 1)
            return listeners.stop()

        return listeners.stop().addCallback(again)

    def test_left(self) -> Deferred[None]:
        """
        What was bound here is left for the next process once it is served, and never shut
        down then; a port that is let go of is, for all who have it; what a service manager
        has handed over is not left.
        """
        told: list[tuple[bytes, int]] = []
        keptHere: list[int] = []

        def send(message: bytes, descriptors: Sequence[int]) -> bool:
            told.append((message, len(descriptors)))
            keptHere.extend(os.dup(each) for each in descriptors)
            return True

        deposit = Deposit(send, Clock(), 8)
        deposit.begin()
        managed = socket.create_server(("127.0.0.1", 0))
        inherited = Inherited([Handed("web", managed)])
        self.addCleanup(inherited.close)
        numbers = [self.freePort(), self.freePort()]
        listeners = Listeners(
            listenBy(reactor), ("127.0.0.1",), inherited=inherited, take=takeBy(reactor), deposit=deposit
        )
        self.successResultOf(listeners.bind([*numbers, managed.getsockname()[1]]))
        self.assertEqual(told, [])
        plane: Any = SimpleNamespace(adopt=lambda *_: succeed(None), release=lambda _: succeed(None))
        self.successResultOf(listeners.adopt(plane))
        names = [nameOf(Address("127.0.0.1", number)) for number in sorted(numbers)]
        self.assertEqual(told, [(stored(name, isPolled=True), 1) for name in names])
        kept = [socket.socket(fileno=each) for each in keptHere]
        self.addCleanup(lambda: [each.close() for each in kept])

        def listens() -> list[bool]:
            return [bool(each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) for each in kept]

        def released(_: object) -> Deferred[None]:
            self.assertEqual(told[2:], [(removed(names[0]), 0)])
            self.assertEqual(listens(), [False, True])
            return listeners.stop()

        def stopped(_: object) -> None:
            self.assertEqual(len(told), 3)
            self.assertEqual(listens(), [False, True])

        wanted = [max(numbers), managed.getsockname()[1]]
        return listeners.retain(wanted).addCallback(released).addCallback(stopped)

    def test_handedOverInPart(self) -> None:
        """
        What was not handed over is bound as ever.
        """
        ours = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(ours.close)
        handed, free = ours.getsockname()[1], self.freePort()
        listeners = Listeners(
            listenBy(reactor),
            ("127.0.0.1",),
            inherited=Inherited([Handed("web", ours)]),
            take=takeBy(reactor),
        )
        self.addCleanup(listeners.stop)
        self.successResultOf(listeners.bind([handed, free]))
        for number in (handed, free):
            socket.create_connection(("127.0.0.1", number), timeout=60).close()

    def test_refusesMeanwhile(self) -> None:
        """
        The factory of the moment takes no connection, should a reactor ever
        accept one.
        """
        taken = []

        def listen(host: str, number: int, factory: Any) -> Deferred[Any]:
            taken.append(factory.buildProtocol(None))

            class Port:
                def stopReading(self) -> None:
                    pass

            return succeed(Port())

        self.successResultOf(Listeners(listen, ("127.0.0.1",)).bind([80]))
        self.assertEqual(taken, [None])
