"""
Tests for L{smartproxy_tw.service.inherited}.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from hypothesis import given
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import Address
from smartproxy_tw.service import inherited as module
from smartproxy_tw.service.inherited import FIRST, Handed, Inherited, inherit

from ..examples import awkwardText, examples


class InheritedCase(SynchronousTestCase):
    """
    A process that is begun with descriptors.
    """

    def take(self, *descriptors: int, **environ: str) -> tuple[Inherited, dict[str, str]]:
        """
        Be begun with descriptors, of which duplicates are at their places.
        """
        first = 200
        for index, descriptor in enumerate(descriptors):
            os.dup2(descriptor, first + index, inheritable=True)
        self.patch(module, "FIRST", first)
        told = {
            "LISTEN_PID": "12",
            "LISTEN_FDS": str(len(descriptors)),
            "LISTEN_PIDFDID": "7",
            "HOME": "/",
            **environ,
        }
        inherited = inherit(told, 12)
        self.addCleanup(inherited.close)
        return inherited, told

    def server(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """
        A bound socket.
        """
        sock = socket.socket(family, kind)
        self.addCleanup(sock.close)
        sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return sock


class InheritTests(InheritedCase):
    """
    What the environment says.
    """

    def test_taken(self) -> None:
        """
        Sockets are known by where they listen; no other program gets them, or hears
        of them.
        """
        self.assertEqual(FIRST, 3)
        sock = self.server()
        sock.listen()
        address = Address("127.0.0.1", sock.getsockname()[1])
        inherited, environ = self.take(sock.fileno(), LISTEN_FDNAMES="web")
        self.assertEqual(dict(inherited.addresses), {address: False})
        self.assertEqual(environ, {"HOME": "/"})
        used = inherited.use(address)
        assert used is not None
        self.assertFalse(os.get_inheritable(used.fileno()))
        self.assertFalse(used.getblocking())

    def test_forSomebodyElse(self) -> None:
        """
        What is for another process is left alone, and the environment cleared
        nevertheless: it cannot be for a child of ours.
        """
        sock = self.server()
        sock.listen()
        inherited, environ = self.take(sock.fileno(), LISTEN_PID="13")
        self.assertEqual(dict(inherited.addresses), {})
        self.assertEqual(environ, {"HOME": "/"})
        os.close(200)

    def test_fewerThanSaid(self) -> None:
        """
        There may be fewer than was said.
        """
        for number in ("5", "9" * 9, "9" * 5000, "-1", "²"):
            inherited, _ = self.take(LISTEN_FDS=number)
            self.assertEqual(dict(inherited.addresses), {})

    @given(awkwardText(9), awkwardText(9), awkwardText(20))
    @examples(100)
    def test_nonsense(self, pid: str, number: str, names: str) -> None:
        """
        Nonsense is nothing.
        """
        environ = {"LISTEN_PID": pid, "LISTEN_FDS": f"x{number}", "LISTEN_FDNAMES": names}
        self.assertEqual(dict(inherit(environ, 12).addresses), {})
        self.assertEqual(environ, {})


class DismissTests(InheritedCase):
    """
    What is of no use.
    """

    def setUp(self) -> None:
        self.told: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: dict[str, Any]) -> None:
        """
        The log.
        """
        if event.get("event") == "socket-unused":
            self.told.append(f"{event['what']}: {event['why']}")

    def test_unused(self) -> None:
        """
        What nobody has used is closed and told once, by name and address; what
        was used stays.
        """
        used, unused = self.server(), self.server()
        used.listen()
        unused.listen()
        places = [Address("127.0.0.1", each.getsockname()[1]) for each in (used, unused)]
        inherited, _ = self.take(used.fileno(), unused.fileno(), LISTEN_FDNAMES="web:old")
        inherited.use(places[0])
        inherited.dismiss()
        inherited.dismiss()
        self.assertEqual(list(inherited.addresses), [places[0]])
        self.assertEqual(self.told, [f"'old' on {places[1]}: nothing is to be served there"])
        self.assertRaises(OSError, os.fstat, 201)
        self.assertEqual(inherited.unusedOn(places[1].port), places[1])
        self.assertIsNone(inherited.unusedOn(places[0].port))
        self.assertIsNone(inherited.use(places[1]))

    def test_useless(self) -> None:
        """
        What cannot be used says why: no socket, not for TCP, not listening, twice.
        """
        listening, silent, datagrams = self.server(), self.server(), self.server(kind=socket.SOCK_DGRAM)
        listening.listen()
        path = os.path.relpath(self.mktemp())
        unix = socket.socket(socket.AF_UNIX)
        self.addCleanup(unix.close)
        unix.bind(path)
        unix.listen()
        pipe = os.pipe()
        self.addCleanup(lambda: [os.close(each) for each in pipe])
        every = (listening.fileno(), listening.fileno(), silent.fileno(), datagrams.fileno(), unix.fileno())
        inherited, _ = self.take(*every, pipe[0], LISTEN_FDNAMES="a:b:c")
        inherited.use(next(iter(inherited.addresses)))
        inherited.dismiss()
        names = [Address(*each.getsockname()) for each in (listening, silent, datagrams)]
        self.assertEqual(
            self.told,
            [
                f"'b' on {names[0]}: another one was handed over for the same address",
                f"'c' on {names[1]}: it does not listen (is it Accept=yes?)",
                f"'number 4' on {names[2]}: it is not for TCP",
                f"'number 5' on {path}: it is not for TCP",
                "'number 6': it is no socket",
            ],
        )
        for descriptor in range(201, 206):
            self.assertRaises(OSError, os.fstat, descriptor)


class DualTests(SynchronousTestCase):
    """
    Sockets on all addresses.
    """

    def test_dual(self) -> None:
        """
        What a socket takes is asked of itself, not of the kernel's switch.
        """
        for only in (0, 1):
            sock = socket.socket(socket.AF_INET6)
            self.addCleanup(sock.close)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
            sock.bind(("::", 0))
            sock.listen()
            inherited = Inherited([Handed("web", sock)])
            self.assertEqual(dict(inherited.addresses), {Address("::", sock.getsockname()[1]): not only})


class LeftTests(InheritedCase):
    """
    What the process before had left with the service manager.
    """

    def test_known(self) -> None:
        """
        They are told from those of socket units by their names: they do not say where a
        port is served, and a duplicate is let go of once it is used.
        """
        unit, own = self.server(), self.server()
        unit.listen()
        own.listen()
        name = f"smartproxy_tw/tcp/127.0.0.1/{own.getsockname()[1]}"
        inherited, _ = self.take(unit.fileno(), own.fileno(), LISTEN_FDNAMES=f"smartproxy.socket:{name}")
        ours = Address("127.0.0.1", own.getsockname()[1])
        theirs = Address("127.0.0.1", unit.getsockname()[1])
        self.assertEqual(set(inherited.addresses), {ours, theirs})
        self.assertEqual(inherited.said, (theirs,))
        self.assertEqual(inherited.left, (name,))
        self.assertFalse(inherited.isManaged(ours))
        self.assertIsNotNone(inherited.use(ours))
        inherited.use(theirs)
        self.assertEqual(inherited.dismiss(), ())
        inherited.release()
        self.assertEqual(set(inherited.addresses), {theirs})

    def test_unwanted(self) -> None:
        """
        What nothing wants any more is shut down for all who have it, so that it is in
        nobody's way, and told by its name; what does not listen is told too.
        """
        own, silent = self.server(), self.server()
        own.listen()
        names = ["smartproxy_tw/tcp/x/1", "smartproxy_tw/tcp/x/2"]
        inherited, _ = self.take(own.fileno(), silent.fileno(), LISTEN_FDNAMES=":".join(names))
        logged: list[Any] = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        self.assertEqual(sorted(inherited.dismiss()), names)
        self.assertEqual([each for each in logged if each.get("event") == "socket-unused"], [])
        self.assertFalse(own.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        self.assertIsNone(inherited.unusedOn(own.getsockname()[1]))

    def test_ofOneThatServes(self) -> None:
        """
        What a process hands over that still serves is closed here alone, and told by the
        name that it has with the service manager, if it has any there.
        """
        sock = self.server()
        sock.listen()
        inherited = Inherited([Handed("the process before", sock.dup(), False)])
        self.assertEqual(inherited.dismiss(), (f"smartproxy_tw/tcp/127.0.0.1/{sock.getsockname()[1]}",))
        self.assertTrue(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


class SharedTests(InheritedCase):
    """
    Sockets of the process before, which no service manager has.
    """

    def inherited(self, isManaged: bool) -> tuple[Inherited, Address]:
        """
        One socket.
        """
        sock = self.server()
        sock.listen()
        inherited = Inherited([Handed("it", sock.dup(), isManaged)])
        self.addCleanup(inherited.close)
        return inherited, Address("127.0.0.1", sock.getsockname()[1])

    def test_released(self) -> None:
        """
        Once somebody has a duplicate it is let go of, so that a port that is let go
        is closed; a service manager's is kept.
        """
        for isManaged in (True, False):
            inherited, address = self.inherited(isManaged)
            used = inherited.use(address)
            assert used is not None
            self.assertIs(inherited.isManaged(address), isManaged)
            inherited.release()
            self.assertIs(used.fileno() >= 0, isManaged)
            self.assertIs(address in inherited.addresses, isManaged)

    def test_dismissed(self) -> None:
        """
        One that nobody wants any more is no mistake of anybody's.
        """
        logged: list[Any] = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        for isManaged in (True, False):
            self.inherited(isManaged)[0].dismiss()
        self.assertEqual(len([each for each in logged if each.get("event") == "socket-unused"]), 1)
