"""
Tests for L{smartproxy_tw.plane.sink}.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.sink import Sink

#: Writes lines of all lengths to a place, as a worker does.
WRITER = """
import sys
from smartproxy_tw.plane.sink import Sink
who, where = sys.argv[1:]
sink = Sink(where)
left = []
for batch in range(60):
    for n in range(50):
        left.append(f"{who} {batch} {n} " + who * (20000 if (n + batch) % 97 == 0 else n * 7 % 900) + "\\n")
    while left:
        left = sink.write(left)
"""


class SinkTests(SynchronousTestCase):
    """
    L{Sink}.
    """

    def setUp(self) -> None:
        self.reading, self.writing = os.pipe()
        saved = os.dup(1)
        os.dup2(self.writing, 1)

        def restore() -> None:
            os.dup2(saved, 1)
            os.close(saved)

        self.addCleanup(os.close, self.reading)
        self.addCleanup(os.close, self.writing)
        self.addCleanup(restore)
        self.sink = Sink("stdout")

    def test_all(self) -> None:
        """
        What there is room for is written, in its order.
        """
        lines = [f"line {number}\\n" for number in range(3000)]
        self.assertEqual(self.sink.write(lines), [])
        self.assertEqual(os.read(self.reading, 1 << 20), "".join(lines).encode())

    def test_nobodyReads(self) -> None:
        """
        Nobody waits for a reader: what has no room is given back, in whole lines.
        """
        lines = [f"{number} " + "x" * 500 + "\\n" for number in range(1000)]
        left = self.sink.write(lines)
        self.assertTrue(0 < len(left) < 1000)
        self.assertEqual(self.sink.write(left), left)
        data = b""
        while left:
            data += os.read(self.reading, 1 << 20)
            left = self.sink.write(left)
        self.assertEqual(data + os.read(self.reading, 1 << 20), "".join(lines).encode())

    def test_nobodyReadsALongLine(self) -> None:
        """
        A line that is longer than all the room costs a moment, and the next one.
        """
        self.assertEqual(self.sink.write(["x" * 200_000 + "\\n", "next\\n"]), ["next\\n"])

    def test_readerGone(self) -> None:
        """
        A reader that has gone is an error, which somebody has to mend.
        """
        reading, writing = os.pipe()
        os.close(reading)
        os.dup2(writing, 1)
        os.close(writing)
        self.assertRaises(OSError, self.sink.write, ["line\\n"])

    def test_socket(self) -> None:
        """
        A socket, which is what systemd gives, takes lines as a pipe does.
        """
        ours, theirs = socket.socketpair()
        with ours, theirs:
            os.dup2(theirs.fileno(), 1)
            self.assertEqual(self.sink.write(["one\\n", "two\\n"]), [])
            self.assertEqual(ours.recv(100), b"one\\ntwo\\n")

    def writers(self, where: str, output: int | None) -> list[subprocess.Popen[bytes]]:
        """
        Three processes that write at the same time.
        """
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
        return [
            subprocess.Popen([sys.executable, "-c", WRITER, who, where], stdout=output, env=environment)
            for who in "abc"
        ]

    def assertWhole(self, data: bytes) -> None:
        """
        Every line of each of them is there once, and whole.
        """
        lines = data.decode("ascii").splitlines()
        found: Counter[str] = Counter()
        for line in lines:
            who, batch, number, rest = line.split(" ")
            size = 20000 if (int(number) + int(batch)) % 97 == 0 else int(number) * 7 % 900
            self.assertEqual(rest, who * size)
            found[who] += 1
        self.assertEqual(found, {"a": 3000, "b": 3000, "c": 3000})
        self.assertEqual(len(set(lines)), 9000)

    def test_severalWorkersOnePipe(self) -> None:
        """
        Lines of several processes are never mixed within a line, long ones neither.
        """
        reading, writing = os.pipe()
        running = self.writers("stdout", writing)
        os.close(writing)
        with open(reading, "rb") as pipe:
            data = pipe.read()
        self.assertEqual([each.wait(60) for each in running], [0, 0, 0])
        self.assertWhole(data)

    def test_severalWorkersOneFile(self) -> None:
        """
        The same for a file that each has opened for itself.
        """
        path = Path(self.mktemp()).absolute()
        self.assertEqual([each.wait(60) for each in self.writers(str(path), None)], [0, 0, 0])
        self.assertWhole(path.read_bytes())
