"""
The access log: when its lines are written, and what becomes of them when they
cannot be.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from select import PIPE_BUF, select
from time import monotonic, sleep
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import AccessLog, Forward, Respond, Route
from smartproxy_tw.plane import record
from smartproxy_tw.plane.census import Census
from smartproxy_tw.plane.record import AccessRecords

from .harness import TERMINATE, PlaneTests


def _isOpen(file: Path) -> bool:
    """
    Whether this process has it open.
    """
    return str(file) in {os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()}


def _wait(test: Callable[[], bool]) -> None:
    """
    Wait for a thread.
    """
    end = monotonic() + 60
    while not test():
        assert monotonic() < end
        # The thread is to have the processor.
        sleep(0.0005)


GET = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


class RecordsTests(SynchronousTestCase):
    """
    L{AccessRecords} with a clock.
    """

    def setUp(self) -> None:
        """A file that is not there yet."""
        self.clock: Any = Clock()
        self.file = Path(self.mktemp()).absolute()
        self.records = AccessRecords(
            self.clock, "combined", str(self.file), lambda: 1_000_000_000.0 + self.clock.seconds()
        )

    def passes(self, seconds: float) -> None:
        """
        Time passes, and what is to be written is.
        """
        self.clock.advance(seconds)
        self.assertTrue(self.records.settle(10))

    def refuses(self, line: bytes = b"x") -> None:
        """
        Something to write.
        """
        self.records.refusal("127.0.0.1", line + b"\r\nmore", 400, 3)

    def test_batches(self) -> None:
        """
        Lines are written half a second after the first, in their order, to a
        file that others cannot read.
        """
        self.refuses(b"one")
        self.clock.advance(0.3)
        self.refuses(b"two")
        self.assertFalse(self.file.exists())
        self.passes(0.3)
        self.assertEqual(
            self.file.read_text(),
            "".join(
                f'127.0.0.1 - - [09/Sep/2001:01:46:40 +0000] "{word}" 400 3 "-" "-"\n'
                for word in ("one", "two")
            ),
        )
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode) & 0o027, 0)
        self.records.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_logfmt(self) -> None:
        """
        The format is the one that was asked for.
        """
        self.records = AccessRecords(self.clock, "logfmt", str(self.file))
        self.refuses(b"GET")
        self.records.close()
        self.assertRegex(
            self.file.read_text(), r"^time=[\d.]+ client=127\.0\.0\.1 request=GET status=400 bytes=3\n$"
        )

    def test_off(self) -> None:
        """
        Without a format nothing is written, not even a file; everything is counted.
        """
        counts: dict[str, int] = {}
        self.records = AccessRecords(self.clock, "off", str(self.file), census=Census(counts))
        self.refuses()
        self.passes(1)
        self.records.close()
        self.assertEqual((counts["requests"], self.file.exists()), (1, False))

    def test_reopen(self) -> None:
        """
        Told to, it lets go of the file at once, written to or not, and the next line
        begins it anew.
        """
        self.records.reopen()
        self.refuses(b"one")
        self.passes(1)
        moved = self.file.with_suffix(".1")
        self.file.rename(moved)
        self.assertTrue(_isOpen(moved))
        self.records.reopen()
        _wait(lambda: not _isOpen(moved))
        self.refuses(b"two")
        self.passes(1)
        self.assertEqual([b'"one"' in moved.read_bytes(), b'"two"' in self.file.read_bytes()], [True, True])
        self.records.close()

    def test_many(self) -> None:
        """
        A thousand are written at once.
        """
        for _ in range(1000):
            self.refuses()
        self.assertTrue(self.records.settle(10))
        self.assertEqual(self.file.read_text().count("\n"), 1000)
        self.records.close()

    def test_close(self) -> None:
        """
        Closing writes what there is and leaves no delayed call; what comes
        later opens the file again.
        """
        self.refuses(b"one")
        self.records.close()
        self.assertEqual(self.file.read_text().count("\n"), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.refuses(b"two")
        self.records.close()
        self.assertEqual(self.file.read_text().count("\n"), 2)

    def test_appends(self) -> None:
        """
        A file that exists is appended to.
        """
        self.file.write_text("before\n")
        self.refuses()
        self.records.close()
        self.assertTrue(self.file.read_text().startswith("before\n"))

    def test_rotated(self) -> None:
        """
        When the file was moved away or removed, as logrotate does it, the
        next lines are in a new one, without any signal.
        """
        self.refuses(b"one")
        self.passes(0.6)
        old = self.file.rename(self.file.with_suffix(".1"))
        self.refuses(b"two")
        self.passes(0.6)
        self.assertIn('"one"', old.read_text())
        self.assertNotIn('"two"', old.read_text())
        self.assertIn('"two"', self.file.read_text())
        self.file.unlink()
        self.refuses(b"three")
        self.records.close()
        self.assertEqual(self.file.read_text().count("\n"), 1)

    def test_unwritable(self) -> None:
        """
        While the file cannot be written the lines wait, one complaint is
        logged, and they are written when it can be.
        """
        self.file.mkdir()
        with capturedLogs() as events:
            for index in range(5):
                self.refuses(b"%d" % index)
                self.passes(0.6)
        self.assertEqual(len(events), 1)
        self.assertEqual(events[0]["file"], str(self.file))
        self.file.rmdir()
        self.passes(0.6)
        self.assertEqual(self.file.read_text().count("\n"), 5)
        self.records.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_fullDisk(self) -> None:
        """
        A disk that is full for a while costs no line.
        """
        self.file.symlink_to("/dev/full")
        with capturedLogs() as events:
            self.refuses(b"one")
            self.passes(0.6)
            self.passes(0.6)
        self.assertEqual([event["reason"] for event in events], ["No space left on device"])
        self.file.unlink()
        self.passes(0.6)
        self.assertEqual(self.file.read_text().count('"one"'), 1)
        self.records.close()

    def test_lost(self) -> None:
        """
        Lines that nobody takes cost neither time nor memory; when it flows
        again those that were lost are counted, and the others are whole.
        """
        os.mkfifo(self.file)
        reading = os.open(self.file, os.O_RDONLY | os.O_NONBLOCK)
        # It is full from the beginning: nothing flows, however the scribe's thread comes to its turns.
        stuffing = self.stuff()
        with capturedLogs() as events:
            for index in range(30_000):
                self.refuses(b"%d" % index)
            for _ in range(300):
                self.clock.advance(0.6)
            self.assertEqual(events, [])
            scribe = self.records._scribe
            self.assertLessEqual(scribe._lines, 20_000)
            got = b""
            while scribe.isBehind:
                # The last bytes may be taken before it knows.
                if select([reading], [], [], 0.001)[0]:
                    got += os.read(reading, 1 << 20)
            self.clock.advance(0.6)
            self.records.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        while more := os.read(reading, 1 << 20):
            got += more
        os.close(reading)
        lines = got[stuffing:].splitlines()
        for line in lines:
            self.assertRegex(line, rb'\A127\.0\.0\.1 - - \[[^]]*\] "\d+" 400 3 "-" "-"\Z')
        self.assertIn(b'"29999"', lines[-1])
        (event,) = events
        self.assertEqual(event["event"], "access-log-lost")
        self.assertEqual(event["count"] + len(lines), 30_000)

    def stuff(self) -> int:
        """
        Fill the pipe that the file is.

        @return: With so many bytes.
        """
        filling = os.open(self.file, os.O_WRONLY | os.O_NONBLOCK)
        size = 0
        try:
            while True:
                size += os.write(filling, bytes(PIPE_BUF))
        except BlockingIOError:
            return size
        finally:
            os.close(filling)

    def test_endsWithAFullPipe(self) -> None:
        """
        The end does not wait for a pipe that nobody reads for longer than a
        moment, and says what is lost.
        """
        os.mkfifo(self.file)
        reading = os.open(self.file, os.O_RDONLY | os.O_NONBLOCK)
        for index in range(2_000):
            self.refuses(b"%d" % index)
        self.patch(record, "_CLOSING", 0.1)
        begin = monotonic()
        with capturedLogs() as events:
            self.records.close()
        self.assertLess(monotonic() - begin, 5)
        self.assertEqual([event["event"] for event in events], ["access-log-lost"])
        self.assertGreaterEqual(events[0]["count"], 1000)
        os.close(reading)

    def test_neverMoreThan(self) -> None:
        """
        No more than twenty thousand lines wait, the last ones.
        """
        self.file.mkdir()
        with capturedLogs():
            for index in range(25_000):
                self.refuses(b"%d" % index)
            self.records.flush()
            self.assertTrue(self.records.settle(10))
        self.file.rmdir()
        self.records.close()
        lines = self.file.read_text().splitlines()
        self.assertEqual(len(lines), 20_000)
        self.assertIn('"24999"', lines[-1])
        self.assertIn('"5000"', lines[0])

    def test_closedUnwritable(self) -> None:
        """
        Closing while the file cannot be written leaves no delayed call either.
        """
        self.file.mkdir()
        self.refuses()
        with capturedLogs():
            self.records.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AccessLogTests(PlaneTests):
    """
    What a plane writes.
    """

    async def lines(self, format: Any) -> list[str]:
        """
        The lines for one conversation of each kind.
        """
        file = self.fresh()
        port, raw, secret = await self.port(), await self.port(), await self.port()
        origin = self.origin()
        origin.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await self.certify("a.test")
        target = Forward((origin.target,))
        await self.use(
            Route("a", (port,), target, "http", ("a.test",)),
            Route("t", (raw,), Forward((self.echo().target,)), "tcp", ("a.test",), tls=TERMINATE),
            Route("s", (secret,), Respond(body="s"), "http", tls=TERMINATE),
            accessLog=AccessLog(format, str(file)),
        )
        client = await self.client(port)
        for request in (
            b'GET /x?y HTTP/1.1\r\nHost: a.test\r\nReferer: http://r/"\xff\\\r\nUser-Agent: me \x80\r\n\r\n',
            b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n",
            b'GET\tx "\x01 HTTP/1.1\r\n\r\n',
        ):
            client.sends(request)
            await client.message()
        client = await self.tls(secret)
        client.sends(GET)
        await client.message()
        client = await self.tls(raw)
        client.sends(b"ping")
        await client.expects(b"ping")
        client.finishes()
        await client.ends()
        client.breaks()
        await self.settles(lambda: self.plane.engine.open < 3, "it has ended")
        await self.plane.drain(0)
        return file.read_text().splitlines()

    def echo(self):  # type: ignore[no-untyped-def]
        """
        An origin that says what was said.
        """
        origin = self.origin()

        async def script(peer):  # type: ignore[no-untyped-def]
            while True:
                peer.sends(await peer.takes(1))

        origin.serves(script)
        return origin

    async def test_combined(self) -> None:
        """
        The combined format, with everything from outside escaped.
        """
        lines = await self.lines("combined")
        self.assertEqual(
            [line.partition("] ")[2] for line in lines],
            [
                '"GET /x?y HTTP/1.1" 200 5 "http://r/\\x22\\xff\\x5c" "me \\x80"',
                '"GET / HTTP/1.1" 404 14 "-" "-"',
                '"GET\\x09x \\x22\\x01 HTTP/1.1" 400 16 "-" "-"',
                '"GET / HTTP/1.1" 200 1 "-" "-"',
                f'"STREAM a.test:{list(self._ports)[1]} t" 000 4 "-" "-"',
            ],
        )
        for line in lines:
            self.assertRegex(line, r"\A127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] ")

    async def test_json(self) -> None:
        """
        JSON has the same and more.
        """
        entries = [json.loads(line) for line in await self.lines("json")]
        first = entries[0]
        self.assertGreaterEqual(first.pop("seconds"), 0)
        self.assertGreater(first.pop("time"), 1_700_000_000)
        self.assertEqual(
            first,
            {
                "client": "127.0.0.1",
                "method": "GET",
                "host": "a.test",
                "target": "/x?y",
                "version": "HTTP/1.1",
                "status": 200,
                "bytes": 5,
                "bytes_received": 0,
                "route": "a",
                "referer": 'http://r/"\xff\\',
                "agent": "me \x80",
            },
        )
        self.assertIsNone(entries[1]["route"])
        self.assertEqual((entries[2]["request"], entries[2]["status"]), ('GET\tx "\x01 HTTP/1.1', 400))
        self.assertEqual(
            [entries[4][key] for key in ("server_name", "route", "bytes_sent", "bytes_received")],
            ["a.test", "t", 4, 4],
        )

    async def test_stdout(self) -> None:
        """
        C{stdout} is the process's own, and stays open.
        """
        port = await self.port()
        reading, writing = os.pipe()
        saved = os.dup(1)
        os.dup2(writing, 1)
        try:
            await self.use(
                Route("a", (port,), Respond(body="a"), "http"), accessLog=AccessLog("combined", "stdout")
            )
            client = await self.client(port)
            client.sends(GET)
            await client.message()
            await self.plane.drain(0)
            os.write(1, b"end\n")
        finally:
            os.dup2(saved, 1)
            os.close(saved)
            os.close(writing)
        written = os.read(reading, 10000)
        os.close(reading)
        self.assertRegex(written, rb'\A127\.0\.0\.1 - - \[.*\] "GET / HTTP/1\.1" 200 1 "-" "-"\nend\n\Z')
