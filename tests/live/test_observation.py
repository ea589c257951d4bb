"""
A proxy with two workers as those see it who watch it: Prometheus, and who rotates logs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from smartproxy_tw.commands.admin import _Connection

from ..service.test_exposition import Numbers, numbers
from .running import PATIENCE, opened
from .test_process import HERE, TWISTD, ProcessCase, freePort
from .test_workers import ask, isThere, workersOf

NEEDS_PROMTOOL = None if shutil.which("promtool") else "needs the Debian package prometheus"


class ObservationTests(ProcessCase):
    """
    Whole processes.
    """

    def setUp(self) -> None:
        super().setUp()
        self.figures, self.nobody = freePort(), freePort()
        (self.directory / "proxy.yaml").write_text(
            f"bind: ['{HERE}']\n"
            "state_dir: ./state\n"
            "workers: 2\n"
            "access_log: {format: logfmt, file: ./access.log}\n"
            "timeouts: {drain: 1}\n"
            f"metrics: {{listen: {self.figures}}}\n"
            "routes:\n"
            "  - name: say 'hello'\n"
            f"    match: {{ports: {self.http}}}\n"
            "    action: {type: respond, body: hello}\n"
            "  - name: secure\n"
            f"    match: {{ports: {self.https}, domains: [a.localhost]}}\n"
            f"    action: {{type: forward, targets: '{HERE}:{self.nobody}',"
            " tls: {mode: terminate, certificate: internal}}\n"
        )

    @contextmanager
    def serving(self) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
        """
        A process and its workers.
        """
        with self.going([*TWISTD, "-n", "smartproxy", "--config", "proxy.yaml"]) as process:
            self.until(process, "Metrics at http")
            yield process, workersOf(process.pid)
            process.terminate()
            self.until(process, "Server Shut Down")
            process.wait(PATIENCE)

    def told(self) -> Numbers:
        """
        What Prometheus is told.
        """
        connection = HTTPConnection(HERE, self.figures, timeout=PATIENCE)
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200)
        text = answer.read().decode()
        connection.close()
        return numbers(text)

    def waits(self, test: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """
        Wait for something.
        """
        end = time.monotonic() + seconds
        while not test():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def test_merged(self) -> None:
        """
        The workers together are one proxy, whose counts do not go back when one of them
        dies.
        """
        key = "smartproxy_requests_total", (("code", "200"), ("route", "say 'hello'"))
        with self.serving() as (process, workers):
            for _ in range(40):
                self.assertIn(b"hello", ask(self.http))
            told = self.told()
            self.assertEqual(told[key], 40)
            self.assertEqual(told["smartproxy_connections_total", ()], 40)
            self.assertEqual(told["smartproxy_workers", ()], 2)
            self.assertEqual(
                told["smartproxy_request_duration_seconds_count", (("route", "say 'hello'"),)], 40
            )
            self.assertGreater(told["smartproxy_worker_cpu_seconds_total", (("worker", "1"),)], 0)
            os.kill(workers[0], signal.SIGKILL)
            self.waits(lambda: not isThere(workers[0]) and len(workersOf(process.pid)) == 2)
            self.waits(lambda: self.told()["smartproxy_worker_restarts_total", ()] == 1)
            self.assertEqual(self.told()[key], 40)
            self.waits(lambda: b"hello" in ask(self.http))
            self.waits(lambda: self.told()[key] == 41)

    def test_promtool(self) -> None:
        """
        The tool of Prometheus finds nothing to complain of, at the port and at the admin
        socket.
        """
        with self.serving():
            ask(self.http)
            ask(self.http, "/none")
            for connection in (
                HTTPConnection(HERE, self.figures, timeout=PATIENCE),
                _Connection(str(self.directory / "state" / "admin.sock"), PATIENCE),
            ):
                connection.request("GET", "/metrics")
                text = connection.getresponse().read()
                connection.close()
                found = subprocess.run(
                    ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
                )
                self.assertEqual((found.returncode, found.stdout + found.stderr), (0, b""))

    test_promtool.skip = NEEDS_PROMTOOL  # type: ignore[attr-defined]

    def test_rotated(self) -> None:
        """
        On SIGUSR1 every worker lets go of the file that was moved away, though it has
        nothing to write, and the next lines begin a new one.
        """
        file, moved = self.directory / "access.log", self.directory / "access.log.1"
        with self.serving() as (process, workers):
            self.waits(lambda: all(map(self.hasAsked, workers)))
            file.rename(moved)
            process.send_signal(signal.SIGUSR1)
            self.waits(lambda: not any(self.isOpen(each, moved) for each in workers))
            before = moved.read_bytes()
            ask(self.http, "/after")
            self.waits(lambda: file.exists() and b"target=/after" in file.read_bytes())
            self.assertEqual(moved.read_bytes(), before)
            self.assertIsNone(process.poll())

    def test_rotatedTogether(self) -> None:
        """
        With a log file of its own C{twistd} begins a new one as well.
        """
        events, file = self.directory / "events.log", self.directory / "access.log"
        words = ["-n", "--logfile=events.log", "smartproxy", "--config", "proxy.yaml"]
        with self.going([*TWISTD, *words]) as process:
            self.waits(lambda: events.exists() and "Metrics at http" in events.read_text())
            workers = workersOf(process.pid)
            self.waits(lambda: self.hasAsked(workers[0]))
            moved = file.with_suffix(".1")
            file.rename(moved)
            process.send_signal(signal.SIGUSR1)
            self.waits((self.directory / "events.log.1").exists)
            self.waits(lambda: not self.isOpen(workers[0], moved))
            process.terminate()
            process.wait(PATIENCE)
            self.assertIn("Server Shut Down", events.read_text())

    def hasAsked(self, worker: int) -> bool:
        """
        Ask until a worker has written its line.
        """
        ask(self.http)
        return self.isOpen(worker, self.directory / "access.log")

    def isOpen(self, process: int, file: Path) -> bool:
        """
        Whether a process has a file open.
        """
        return str(file) in opened(process)

    def test_trace(self) -> None:
        """
        A trace is in the log of the request that belongs to it.
        """
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        with self.serving():
            connection = HTTPConnection(HERE, self.http, timeout=PATIENCE)
            connection.request("GET", "/", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
            connection.getresponse().read()
            connection.close()
        line = (self.directory / "access.log").read_text()
        self.assertRegex(line, f" status=200 .* trace_id={trace} request_id=")
        self.assertEqual(json.loads(re.findall('route=("[^"]*")', line)[0]), "say 'hello'")
