"""
Tests for L{smartproxy_tw.service.upgrading}: what this process does while another one,
which a test plays, is to take its place.  Real ones are in L{tests.live.test_upgrade}.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.errors import UpgradeRefused
from smartproxy_tw.service.handover import VARIABLE, Estate
from smartproxy_tw.service.upgrading import PATIENCE, Program, Successor, Upgrading


class Child:
    """
    A process that is begun: a transport, as Twisted has it.
    """

    def __init__(self, protocol: Any, end: socket.socket) -> None:
        self.protocol = protocol
        self.end = end
        self.pid: int | None = 4242
        self.signals: list[str] = []

    def signalProcess(self, name: str) -> None:
        self.signals.append(name)
        self.ends(9)

    def ends(self, signal: int | None = None, status: int = 0) -> None:
        """
        It ends.
        """
        self.end.close()
        reason = ProcessTerminated(status, signal) if signal or status else ProcessDone(None)
        self.protocol.processEnded(Failure(reason))

    def says(self, word: str) -> None:
        """
        On the line.
        """
        self.end.send(word.encode())


class World(Clock):
    """
    A reactor that begins processes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []
        self.begun: list[tuple[Any, ...]] = []
        self.child: Child | None = None
        self.refusal: OSError | None = None

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)

    def addWriter(self, writer: Any) -> None:
        raise AssertionError("the line has room")

    def removeWriter(self, writer: Any) -> None:
        pass

    def read(self) -> None:
        """
        Whoever has something to read.
        """
        for each in list(self.readers):
            each.doRead()

    def spawnProcess(self, protocol: Any, *how: Any, childFDs: dict[int, int]) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.begun.append(how)
        self.child = Child(protocol, socket.socket(fileno=socket.dup(childFDs[3])))
        protocol.makeConnection(self.child)


class UpgradingTests(SynchronousTestCase):
    """
    A subject that notes what it is asked for.
    """

    def setUp(self) -> None:
        self.world = World()
        self.addCleanup(self.close)
        self.story: list[str] = []
        self.estateRefusal: UpgradeRefused | None = None
        self.diverted: dict[str, float] = {}
        self.upgrading = Upgrading(
            self.world,
            self,
            Program("/python", ["python", "twistd"], "/there", {"HOME": "/"}),
            lambda: self.story.append("left"),
            forget=lambda: self.story.append("forgot the pidfile"),
            announce=lambda pid: self.story.append(f"announced {pid}"),
        )
        self.logged: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    def close(self) -> None:
        """
        Nothing is left open.
        """
        if self.world.child is not None:
            self.world.child.end.close()
        for each in list(self.world.readers):
            each.close()

    def whenReady(self) -> Deferred[None]:
        return succeed(None)

    def estate(self) -> Estate:
        if self.estateRefusal is not None:
            raise self.estateRefusal
        return Estate((), None)

    def rest(self) -> Deferred[None]:
        self.story.append("rests")
        return succeed(None)

    def resume(self) -> Deferred[None]:
        self.story.append("goes on")
        return succeed(None)

    def giveWay(self, process: int) -> None:
        self.story.append(f"{process} serves")

    def depart(self) -> Deferred[None]:
        self.story.append("departs")
        return succeed(None)

    def begins(self) -> tuple[Deferred[Successor], Child]:
        """
        An upgrade.
        """
        upgraded = self.upgrading.upgrade("SIGUSR2")
        assert self.world.child is not None
        return upgraded, self.world.child

    def hears(self, child: Child, *words: str) -> None:
        """
        The next process says something.
        """
        for word in words:
            child.says(word)
            self.world.read()

    def refused(self, upgraded: Deferred[Successor], why: str) -> None:
        """
        It came to nothing, which is told, and another one may be begun.
        """
        self.assertIn(why, str(self.failureResultOf(upgraded, UpgradeRefused).value))
        (told,) = [each["why"] for each in self.logged if each.get("event") == "upgrade-refused"]
        self.assertIn(why, told)
        self.assertEqual(self.world.getDelayedCalls(), [])
        self.assertEqual(self.world.readers, [])
        again = self.upgrading.upgrade("SIGUSR2")
        self.assertEqual(len(self.world.begun), 2)
        again.addErrback(lambda _: None)
        self.world.child.signalProcess("KILL")  # type: ignore[union-attr]
        self.world.read()
        self.world.advance(1)

    def test_story(self) -> None:
        """
        Orders end before the state directory is the next one's, ports before it is
        told that it is alone, and who has asked is answered before.
        """
        upgraded, child = self.begins()
        how = ("/python", ["python", "twistd"], {"HOME": "/", VARIABLE: ""}, "/there")
        self.assertEqual(self.world.begun, [how])
        self.hears(child, "begun 4242")
        self.assertEqual(self.story, [])
        self.hears(child, "bound")
        self.assertEqual(self.story, ["rests"])
        self.assertEqual(child.end.recv(100), b"yours ")
        self.hears(child, "serving 4242")
        self.assertEqual(self.successResultOf(upgraded), Successor(4242))
        # Not ready, and still there for everybody.
        self.assertEqual(self.story, ["rests", "4242 serves"])
        self.world.advance(0.1)
        self.assertEqual(
            self.story, ["rests", "4242 serves", "announced 4242", "forgot the pidfile", "departs", "left"]
        )
        self.assertEqual(child.end.recv(100), b"alone ")
        self.assertEqual(child.end.recv(100), b"")
        self.assertEqual(child.signals, [])
        self.assertEqual(self.world.getDelayedCalls(), [])

    def test_drained(self) -> None:
        """
        The next process is told which targets are drained, as that is when nothing changes it
        any more, before everything is its own.
        """
        upgraded, child = self.begins()
        self.diverted["10.0.0.7:3000"] = 1.5e9
        self.hears(child, "begun 4242", "bound")
        self.assertEqual(child.end.recv(100), b'drained {"10.0.0.7:3000": 1500000000.0}')
        self.assertEqual(child.end.recv(100), b"yours ")
        self.hears(child, "serving 4242")
        self.assertEqual(self.successResultOf(upgraded), Successor(4242))
        self.world.advance(0.1)

    def test_spoken(self) -> None:
        """
        The next process tells where it is going to be spoken to, or that it is not.
        """
        for word, admin in (("spoken /s t/admin.sock", "/s t/admin.sock"), ("spoken ", "")):
            self.setUp()
            upgraded, child = self.begins()
            self.hears(child, "begun 4242", "bound", word, "serving 4242")
            self.assertEqual(self.successResultOf(upgraded), Successor(4242, admin))
            self.world.advance(0.1)
            self.close()

    def test_onlyOne(self) -> None:
        """
        A second one meanwhile is refused, also when the first is decided.
        """
        upgraded, child = self.begins()
        for word in ("bound", "serving 4242"):
            why = self.failureResultOf(self.upgrading.upgrade("SIGUSR2"), UpgradeRefused)
            self.assertIn("under way", str(why.value))
            self.hears(child, word)
        self.assertIn("under way", str(self.failureResultOf(self.upgrading.upgrade("x")).value))
        self.successResultOf(upgraded)

    def test_failed(self) -> None:
        """
        It tells why it cannot, and nothing has happened here.
        """
        upgraded, child = self.begins()
        self.hears(child, "begun 4242", "failed The port is taken.")
        self.refused(upgraded, "The port is taken.")
        self.assertEqual((self.story, child.signals), ([], ["KILL"]))

    def test_failedLater(self) -> None:
        """
        When it had been given everything, everything is taken back.
        """
        upgraded, child = self.begins()
        self.hears(child, "bound", "failed The directory is not safe.")
        self.refused(upgraded, "The directory is not safe.")
        self.assertEqual(self.story, ["rests", "goes on"])

    def test_dies(self) -> None:
        """
        How it ended is told.
        """
        upgraded, child = self.begins()
        child.ends(status=3)
        self.world.read()
        self.world.advance(0.5)
        self.refused(upgraded, "status 3")

    def test_hangs(self) -> None:
        """
        It has some time for each step, and is ended then.
        """
        upgraded, child = self.begins()
        self.world.advance(PATIENCE - 1)
        self.hears(child, "bound")
        self.world.advance(PATIENCE - 1)
        self.assertNoResult(upgraded)
        self.world.advance(1)
        self.refused(upgraded, "not ready after 120 s")
        self.assertEqual((self.story, child.signals), (["rests", "goes on"], ["KILL"]))

    def test_lostAtLast(self) -> None:
        """
        It dies when it serves, and before this process has let go of anything.
        """
        upgraded, child = self.begins()
        self.hears(child, "bound", "serving 4242")
        self.successResultOf(upgraded)
        child.ends(9)
        self.world.read()
        self.world.pump([0.1, 0.5, 0.5])
        self.assertEqual(self.story, ["rests", "4242 serves", "goes on"])
        self.assertEqual([each.get("event") for each in self.logged][-1], "upgrade-refused")

    def test_stopped(self) -> None:
        """
        When this process is stopped meanwhile, the next one is ended.
        """
        upgraded, child = self.begins()
        self.successResultOf(self.upgrading.stop())
        self.refused(upgraded, "stopped")
        self.assertEqual(set(child.signals), {"KILL"})

    def test_stoppedWhileResting(self) -> None:
        """
        Also while this one ends its orders.
        """
        self.resting: Deferred[None] = Deferred()
        upgraded, child = self.begins()
        self.patch(self, "rest", lambda: self.resting)
        self.hears(child, "bound")
        self.successResultOf(self.upgrading.stop())
        self.assertEqual(child.signals, ["KILL"])
        self.resting.callback(None)
        self.refused(upgraded, "stopped")

    def test_stoppedWhenDecided(self) -> None:
        """
        When the next one serves already it is told at once that it is alone.
        """
        _, child = self.begins()
        self.hears(child, "bound", "serving 4242")
        self.upgrading.stop()
        self.assertEqual(self.story[-2:], ["departs", "left"])
        self.assertEqual(child.end.recv(100), b"yours ")
        self.assertEqual(child.end.recv(100), b"alone ")
        self.assertEqual((child.signals, self.world.getDelayedCalls()), ([], []))

    def test_cannotBegin(self) -> None:
        """
        A program that cannot be run is told.
        """
        self.world.refusal = OSError(12, "Cannot allocate memory")
        upgraded = self.upgrading.upgrade("SIGUSR2")
        self.assertIn("Cannot allocate", str(self.failureResultOf(upgraded, UpgradeRefused).value))
        self.assertEqual(self.world.readers, [])

    def test_cannotBeHandedOver(self) -> None:
        """
        What cannot be handed over is told before anything is begun.
        """
        self.estateRefusal = UpgradeRefused("The name server.")
        upgraded = self.upgrading.upgrade("SIGUSR2")
        self.assertIn("The name server.", str(self.failureResultOf(upgraded, UpgradeRefused).value))
        self.assertEqual(self.world.begun, [])
