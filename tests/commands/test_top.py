"""
Tests for L{smartproxy_tw.commands.top}: what is seen, on a console that is none.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import smartproxy_tw
from smartproxy_tw.commands.admin import Answer, ProxyAway
from smartproxy_tw.commands.top import Terminal, Top, frame, rate

from ..examples import examples
from .standings import FAILING, Asked, standing


def counted(requests: int, **members: Any) -> dict[str, Any]:
    """
    A proxy that has had so many requests.
    """
    counts = {"requests": requests, "connections": 9, "refusals": requests // 10}
    return standing(connections={"open": 3, "limit": 20000, "counts": counts}, **members)


class FrameTests(SynchronousTestCase):
    """
    Two looks in, lines out.
    """

    def test_whole(self) -> None:
        """
        Everything that there is to see.
        """
        workers = [
            {"number": 1, "process": 8, "state": "serving"},
            {"number": 2, "process": None, "state": "vacant"},
        ]
        now = counted(150, workers=workers, certificates=FAILING)
        lines = frame(counted(50), now, 2.0, [0.0, 25.0, 50.0], (80, 40))
        self.assertEqual(
            lines,
            [
                "smartproxy 1.2  process 7  up 1 d 2 h  ready",
                "",
                "requests          50.0 /s   150 since the start",
                "connections          3 open of 20000, 0.0 new /s",
                "trouble      5.0 /s refused",
                "up to 50      ▄█",
                "",
                "worker  process  state",
                "     1        8  serving",
                "     2        -  vacant",
                "",
                "certificates  3 wanted, 1 valid, 1 failing",
                "  bad.test, www.bad.test: failed: no\\x1b[31m such name",
                "q quits",
            ],
        )

    def test_routes(self) -> None:
        """
        The routes that have most to do just now come first; of one that was not there
        before nothing is said yet.
        """

        def route(name: str, requests: int, **more: int) -> dict[str, Any]:
            return {"route": name, "requests": requests, "failed": 0, "streams": 0, "sent": 0, **more}

        def told(*routes: dict[str, Any]) -> dict[str, Any]:
            return standing(connections={"open": 0, "limit": 1, "counts": {}, "routes": list(routes)})

        before = told(route("idle", 900), route("busy", 100, failed=1), route("t", 0, streams=1))
        now = told(
            route("idle", 900),
            route("busy", 300, failed=5, sent=3_000_000),
            route("t", 0, streams=3),
            route("", 9),
        )
        lines = frame(before, now, 2.0, [], (80, 40))
        self.assertEqual(
            lines[-6:],
            [
                "requests/s  failed/s  tunnels/s   sent/s  route",
                "     100.0       2.0        0.0   1.5 MB  busy",
                "       0.0       0.0        1.0      0 B  t",
                "       0.0       0.0        0.0      0 B  idle",
                "       0.0       0.0        0.0      0 B  (none)",
                "q quits",
            ],
        )
        self.assertIn("       0.0       0.0        0.0      0 B  busy", frame(None, now, 1.0, [], (80, 40)))

    def test_ascii(self) -> None:
        """
        Where there is nothing but ASCII nothing else is written.
        """
        lines = frame(None, standing(), 1.0, [1.0, 8.0], (80, 40), " .:-=+*#@")
        self.assertTrue("\n".join(lines).isascii())
        self.assertIn("up to 8      .@", lines)

    @examples()
    @given(st.integers(1, 250), st.integers(1, 60), st.lists(st.floats(0, 1e9), max_size=200))
    def test_anySize(self, width: int, height: int, history: list[float]) -> None:
        """
        It fits into any terminal.
        """
        lines = frame(None, standing(certificates=FAILING), 1.0, history, (width, height))
        self.assertLessEqual(len(lines), height)
        self.assertTrue(all(len(line) <= width for line in lines))
        self.assertTrue(all(line.isprintable() for line in lines))

    def test_rate(self) -> None:
        """
        Of another process nothing is compared, and no rate is negative.
        """
        self.assertEqual(rate(counted(50), counted(150), "requests", 2.0), 50.0)
        self.assertEqual(rate(counted(150), counted(50), "requests", 2.0), 0.0)
        self.assertEqual(rate(counted(50), counted(150, process=8), "requests", 2.0), 0.0)
        self.assertEqual(rate(None, counted(150), "requests", 2.0), 0.0)
        self.assertEqual(rate(counted(50), counted(150), "requests", 0.0), 0.0)
        self.assertEqual(rate(counted(50), counted(150), "nothing", 1.0), 0.0)


class Console:
    """
    Shows nobody anything, and has its keys prepared.
    """

    def __init__(self, *keys: str | None) -> None:
        self.keys = list(keys)
        self.shown: list[list[str]] = []
        self.now = 0.0

    def size(self) -> tuple[int, int]:
        """
        The usual one, one line less each time.
        """
        return 80, 24 - len(self.shown)

    def write(self, lines: Sequence[str]) -> None:
        """
        Remember.
        """
        self.shown.append(list(lines))

    def key(self, seconds: float) -> str | None:
        """
        The next one.
        """
        key = self.keys.pop(0)
        self.now += seconds if key is None else 0.25
        return key


class RunTests(SynchronousTestCase):
    """
    Second after second.
    """

    def run_(self, ask: Asked, *keys: str | None) -> Console:
        """
        To its end.
        """
        console = Console(*keys)
        top = Top(ask, console, lambda: console.now)
        top.look()
        top.run()
        self.assertEqual(console.keys, [])
        return console

    def test_everySecond(self) -> None:
        """
        It asks every second, whatever is typed and whatever size it has, and quits.
        """
        ask = Asked(counted(0), counted(10), counted(30))
        console = self.run_(ask, None, "\x1b", "", None, "q")
        self.assertEqual(len(ask.questions), 3)
        told = [lines[2] for lines in console.shown]
        self.assertEqual([line.split()[1] for line in told], ["0.0", "10.0", "10.0", "10.0", "20.0"])

    def test_away(self) -> None:
        """
        One that does not answer for a while is told of; what was seen last stays.
        """
        ask = Asked(counted(0), ProxyAway("It is gone.\x1b"), counted(10, process=8))
        console = self.run_(ask, None, None, "\x03")
        self.assertEqual(console.shown[1][0], "NO ANSWER: It is gone.\\x1b")
        self.assertIn("process 7", console.shown[1][2])
        self.assertIn("process 8", console.shown[2][0])
        self.assertIn("requests           0.0 /s", console.shown[2][2])

    def test_neverThere(self) -> None:
        """
        Without a first answer there is nothing to show.
        """
        for answer in (ProxyAway("Gone."), Answer(404, {"error": {"message": "What?"}})):
            with self.assertRaises(ProxyAway):
                Top(Asked(answer), Console()).look()


PROGRAM = """
import sys
from smartproxy_tw.commands.top import Terminal, Top
from tests.commands.standings import Asked, standing
terminal = Terminal()
top = Top(Asked(standing()), terminal)
top.look()
try:
    with terminal.taken():
        top.run()
except KeyboardInterrupt:
    print("interrupted")
print("over")
"""


class WritingTests(SynchronousTestCase):
    """
    What is written to a terminal.
    """

    def test_signal(self) -> None:
        """
        A signal in the midst of writing may have something written too.
        """
        source, sink = os.pipe()
        heard: list[bytes] = []
        came = threading.Event()

        def read() -> None:
            came.wait(60)
            with open(source, "rb") as pipe:
                heard.append(pipe.read())

        terminal = Terminal.__new__(Terminal)

        def told(*_: object) -> None:
            came.set()
            terminal._put("two")

        before = signal.signal(signal.SIGALRM, told)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        reading = threading.Thread(target=read)
        with open(sink, "w") as terminal._out:
            reading.start()
            # More than the pipe holds, so that the signal comes while it is waited for.
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            terminal._put("1" * 200_000)
        reading.join(60)
        self.assertEqual((heard[0].count(b"1"), heard[0].count(b"two")), (200_000, 1))


class TerminalTests(SynchronousTestCase):
    """
    A real terminal, with a process of its own.
    """

    def setUp(self) -> None:
        self.master, slave = pty.openpty()
        self.addCleanup(os.close, self.master)
        self.resize(80, 24)
        self.before = termios.tcgetattr(slave)
        place = os.path.dirname(os.path.dirname(smartproxy_tw.__file__))
        here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((place, here)), "PYTHONUTF8": "1"},
        )
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.slave = slave
        self.addCleanup(os.close, slave)

    def resize(self, columns: int, lines: int) -> None:
        """
        Somebody makes the window larger or smaller.
        """
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def until(self, text: bytes) -> bytes:
        """
        Read what is written to the terminal up to something.
        """
        heard, end = b"", time.monotonic() + 60
        while text not in heard:
            self.assertLess(time.monotonic(), end, heard)
            if select.select([self.master], [], [], 1.0)[0]:
                try:
                    heard += os.read(self.master, 65536)
                except OSError as why:
                    self.assertEqual(why.errno, errno.EIO)
                    break
        return heard

    def test_quit(self) -> None:
        """
        It takes the other screen, follows the size at once, and leaves everything as it
        was.
        """
        self.assertIn(b"\x1b[?1049h", self.until(b"q quits"))
        self.assertNotEqual(termios.tcgetattr(self.slave), self.before)
        self.resize(20, 5)
        self.process.send_signal(signal.SIGWINCH)
        self.assertIn(b"\x1b[Hsmartproxy 1.2  proc\x1b[K", self.until(b"..."))
        os.write(self.master, b"q")
        self.assertIn(b"\x1b[?25h\x1b[?1049l", self.until(b"over"))
        self.assertEqual(self.process.wait(60), 0)
        self.assertEqual(termios.tcgetattr(self.slave), self.before)

    def test_suspended(self) -> None:
        """
        Whoever puts it aside has his terminal meanwhile, and sees all of it again after
        that.
        """
        self.until(b"q quits")
        self.process.send_signal(signal.SIGTSTP)
        self.until(b"\x1b[?1049l")
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status))
        self.assertEqual(termios.tcgetattr(self.slave), self.before)
        self.process.send_signal(signal.SIGCONT)
        self.assertIn(b"\x1b[?1049h", self.until(b"q quits"))
        os.write(self.master, b"q")
        self.until(b"over")

    def test_killed(self) -> None:
        """
        A signal to end leaves everything as it was, too.
        """
        self.until(b"q quits")
        self.process.send_signal(signal.SIGTERM)
        self.assertIn(b"\x1b[?1049l", self.until(b"over"))
        self.assertEqual(termios.tcgetattr(self.slave), self.before)
