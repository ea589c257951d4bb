"""
Calls by gRPC through whole processes of two workers, while these have other configurations.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from ..ports import freePorts
from .running import PATIENCE
from .test_process import HERE, TWISTD, ProcessCase

REMOTE = Path(__file__).with_name("remote.py")
_RELOADS = 4

_FILE = """
bind: {here}
state_dir: ./state
workers: {workers}
http2_prior_knowledge: true
access_log: {{format: json, file: ./access.log}}
timeouts: {{drain: 10}}
routes:
  - {{name: calls, match: {{ports: {plain}, path: /t.T/*}},
     action: {{type: forward, targets: [{{host: {here}, port: {target}, protocol: h2c}}]}}}}
  - {{name: number{number}, match: {{ports: {plain}, path: /number}},
     action: {{type: respond, body: "{number}"}}}}
"""


class ReloadedTests(ProcessCase):
    """
    Four conversations, and calls beside them, each on a connection of its own.
    """

    skip = None if find_spec("grpc") else "needs grpcio"

    def setUp(self) -> None:
        super().setUp()
        self.log = self.directory / "log"
        [self.target] = freePorts(1)

    def write(self, number: int, workers: int) -> None:
        """
        The configuration of this number.
        """
        (self.directory / "smartproxy.yaml").write_text(
            _FILE.format(here=HERE, workers=workers, plain=self.http, target=self.target, number=number)
        )

    def comesTrue(self, claim: Callable[[], bool], what: str) -> None:
        """
        Wait for it.
        """
        end = time.monotonic() + PATIENCE
        while not claim():
            if time.monotonic() > end:
                said = self.log.read_text() if self.log.exists() else ""
                self.fail(f"it never came about that {what}:\n{said}")
            time.sleep(0.02)

    def remote(self, what: str, port: int) -> subprocess.Popen[str]:
        """
        One end of the calls.
        """
        process = subprocess.Popen(
            [sys.executable, str(REMOTE), what, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def listens(self, port: int) -> bool:
        """
        Whether somebody does there.
        """
        with socket.socket() as sock:
            return not sock.connect_ex((HERE, port))

    def stays(self, workers: int) -> None:
        """
        They go on through reloads of another route, and to their end through a stop.
        """
        self.remote("serve", self.target)
        self.comesTrue(lambda: self.listens(self.target), "the service listens")
        self.write(0, workers)
        command = [*TWISTD, "-n", "--logfile", str(self.log), "smartproxy", "--config", "smartproxy.yaml"]
        with self.going(command) as process:
            self.comesTrue(lambda: self.listens(self.http), "the proxy listens")
            caller = self.remote("stay", self.http)
            assert caller.stdout is not None and caller.stdin is not None
            self.assertEqual(caller.stdout.readline(), "begun\n")
            for number in range(1, _RELOADS + 1):
                self.write(number, workers)
                process.send_signal(signal.SIGHUP)
                self.comesTrue(
                    lambda number=number: self.log.read_text().count("Reloaded (") == number,  # type: ignore[misc]
                    "it is reloaded",
                )
                time.sleep(0.3)
            said, _ = caller.communicate("\n", timeout=PATIENCE)
            told = json.loads(said)
            self.assertEqual(told["wrong"], [])
            # Not a message was lost.
            self.assertEqual((told["said"], told["called"]), (told["heard"], told["heard"]))
            self.assertGreater(told["heard"], 40)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(PATIENCE), -signal.SIGTERM)
        lines = [json.loads(line) for line in (self.directory / "access.log").read_text().splitlines()]
        long = [each for each in lines if each["target"] == "/t.T/Both"]
        # Each conversation was one request from the first moment to the last.
        self.assertEqual([each["status"] for each in long], [200] * 4)
        self.assertEqual({each["status"] for each in lines}, {200})
        self.assertNotIn("Traceback", self.log.read_text())

    def test_oneProcess(self) -> None:
        """
        In one process.
        """
        self.stays(1)

    def test_twoWorkers(self) -> None:
        """
        In two workers.
        """
        self.stays(2)
