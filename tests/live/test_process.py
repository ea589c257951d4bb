"""
Whole processes under C{twistd} and C{twist}: what they print, what they leave
behind and how they end.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import smartproxy_tw
from tests.ports import freePorts
from tests.test_tap import environment

from .running import PATIENCE

PACKAGE = Path(smartproxy_tw.__file__).parent
HERE = "127.0.0.1"

TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
TWIST = [sys.executable, "-c", "from twisted.application.twist import _twist; _twist.Twist.main()"]

#: A plugin whose proxy learns that a port is taken after the reactor has begun.
LATE = """
from twisted.application.service import ServiceMaker

late = ServiceMaker("late", "lateproxy", "A port that is refused late.", "lateproxy")
"""
LATE_MODULE = """
import sys
from smartproxy_tw.config.model import Config, Respond, Route
from smartproxy_tw.service.listeners import listenBy
from smartproxy_tw.service.process import ExitStatus, Process, Terminal
from smartproxy_tw.service.tree import SmartProxy
from smartproxy_tw.tap import Options as Base
from twisted.internet.task import deferLater


class Options(Base):
    def postOptions(self):
        pass

    def opt_port(self, port):
        self["port"] = int(port)

    opt_port.__doc__ = "The port."


def makeService(options):
    from twisted.internet import reactor

    route = Route("only", (options["port"],), Respond(), "http")
    bind = listenBy(reactor)
    proxy = SmartProxy(
        Config((route,), options["state-dir"], bind=("127.0.0.1",)),
        reactor,
        listen=lambda *port: deferLater(reactor, 0.05, bind, *port),
    )
    return Process(proxy, reactor.stop, Terminal(), ExitStatus())
"""


def freePort() -> int:
    """
    A port that nobody listens on just now, or gets by chance.
    """
    return freePorts(1)[0]


class ProcessCase(SynchronousTestCase):
    """
    Whole processes, in a directory of their own.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir(parents=True)
        self.http, self.https = freePort(), freePort()

    @property
    def words(self) -> list[str]:
        """
        A proxy that needs no authority.
        """
        return [
            *("smartproxy", "--site", f"a.localhost={HERE}:9", "--internal", "--bind", HERE),
            *("--http-port", str(self.http), "--https-port", str(self.https), "--state-dir", "state"),
        ]

    def end(self, command: list[str], *further: str) -> subprocess.CompletedProcess[str]:
        """
        Run something that ends by itself.
        """
        return subprocess.run(
            command,
            cwd=self.directory,
            env=environment(*further),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    @contextmanager
    def going(self, command: list[str]) -> Iterator[subprocess.Popen[str]]:
        """
        Something that goes on until it is told to end.
        """
        process = subprocess.Popen(
            command,
            cwd=self.directory,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def until(self, process: subprocess.Popen[str], pattern: str) -> list[str]:
        """
        Read what it writes up to a line.
        """
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if re.search(pattern, line):
                return lines
        return self.fail(f"{pattern!r} did not come, but:\n{''.join(lines)}")  # type: ignore[no-any-return]

    def shakeHands(self) -> None:
        """
        See that HTTPS is served with a certificate of the local authority.
        """
        context = ssl.create_default_context(cafile=str(self.directory / "state" / "authority" / "root.pem"))
        with socket.create_connection((HERE, self.https), timeout=PATIENCE) as plain:
            context.wrap_socket(plain, server_hostname="a.localhost").close()

    def assertPlain(self, text: str, port: int) -> None:
        """
        One message for an operator, and nothing for a developer.
        """
        about = [line for line in text.splitlines() if line.startswith("smartproxy: ")]
        self.assertEqual(len(about), 1, text)
        self.assertIn(f"{HERE}:{port}", about[0])
        self.assertIn("Address already in use", about[0])
        self.assertIn("choose another port", about[0])
        self.assertNotIn("Traceback", text)


class TakenPortTests(ProcessCase):
    """
    A port that somebody else has.
    """

    def test_foreground(self) -> None:
        """
        C{twistd -n} ends with status 1 and one plain message, leaves no
        pidfile, and makes no state directory.
        """
        with socket.create_server((HERE, self.https)):
            ran = self.end([*TWISTD, "-n", *self.words])
        self.assertEqual(ran.returncode, 1)
        self.assertPlain(ran.stderr, self.https)
        self.assertNotIn("Address already in use", ran.stdout)
        self.assertEqual(os.listdir(self.directory), [])

    def test_daemon(self) -> None:
        """
        C{twistd} says so on the terminal before it leaves it, ends with status
        1, and leaves no pidfile and no process.
        """
        with socket.create_server((HERE, self.https)):
            ran = self.end([*TWISTD, *self.words])
        self.assertEqual(ran.returncode, 1)
        self.assertPlain(ran.stderr, self.https)
        # The daemon tells the terminal first, and takes its pidfile away after that.
        until = time.monotonic() + PATIENCE
        while (self.directory / "twistd.pid").exists() and time.monotonic() < until:
            time.sleep(0.01)
        self.assertEqual(os.listdir(self.directory), ["twistd.log"])
        log = (self.directory / "twistd.log").read_text()
        self.assertIn(f"{HERE}:{self.https}", log)
        self.assertNotIn("Traceback", log)

    def test_twist(self) -> None:
        """
        C{twist} likewise.
        """
        with socket.create_server((HERE, self.https)):
            ran = self.end([*TWIST, *self.words])
        self.assertEqual(ran.returncode, 1)
        self.assertPlain(ran.stderr, self.https)
        self.assertEqual(os.listdir(self.directory), [])


class LateFailureTests(ProcessCase):
    """
    A port that turns out to be taken when the reactor runs already.
    """

    def setUp(self) -> None:
        super().setUp()
        self.plugins = Path(self.mktemp()).resolve()
        (self.plugins / "twisted" / "plugins").mkdir(parents=True)
        (self.plugins / "twisted" / "plugins" / "late_plugin.py").write_text(LATE)
        (self.plugins / "lateproxy.py").write_text(LATE_MODULE)

    def late(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """
        Run the proxy of the plugin while the port is taken.
        """
        state = str(self.directory / "state")
        words = ["lateproxy", "--port", str(self.https), "--state-dir", state]
        with socket.create_server((HERE, self.https)):
            return self.end([*command, *words], str(self.plugins))

    def test_foreground(self) -> None:
        """
        C{twistd -n} stops in good order and ends with status 1 all the same,
        without a traceback and without a pidfile.
        """
        ran = self.late([*TWISTD, "-n", "--logfile", "-"])
        self.assertEqual(ran.returncode, 1, ran.stdout + ran.stderr)
        self.assertPlain(ran.stderr, self.https)
        self.assertNotIn("Traceback", ran.stdout)
        self.assertIn("Server Shut Down.", ran.stdout)
        self.assertEqual(os.listdir(self.directory), ["state"])

    def test_daemon(self) -> None:
        """
        A daemon that had left its terminal in good order stops, ends with
        status 1, as whoever supervises it sees, says why in its log, and leaves
        no pidfile.
        """
        # A process that adopts the daemon and whoever forked it, which on a slow
        # machine have both ended before it asks, and tells how they ended.
        code = (
            "import ctypes, os, subprocess, sys\n"
            "ctypes.CDLL(None).prctl(36, 1)\n"  # PR_SET_CHILD_SUBREAPER
            "first = subprocess.run(sys.argv[1:]).returncode\n"
            "statuses = []\n"
            "try:\n"
            "    while True:\n"
            "        statuses.append(os.waitstatus_to_exitcode(os.wait()[1]))\n"
            "except ChildProcessError:\n"
            "    print(first, sorted(statuses))\n"
        )
        ran = self.late([sys.executable, "-c", code, *TWISTD])
        self.assertEqual(ran.stdout, "0 [0, 1]\n", ran.stderr)
        self.assertEqual(sorted(os.listdir(self.directory)), ["state", "twistd.log"])
        log = (self.directory / "twistd.log").read_text()
        self.assertIn(f"Not started: Cannot listen on {HERE}:{self.https}", log)
        self.assertNotIn("Traceback", log)

    def test_twist(self) -> None:
        """
        C{twist} ends with status 1.
        """
        ran = self.late([*TWIST])
        self.assertEqual(ran.returncode, 1, ran.stdout + ran.stderr)
        self.assertPlain(ran.stderr, self.https)
        self.assertNotIn("Traceback", ran.stdout)


class RunningTests(ProcessCase):
    """
    From the start to SIGTERM.
    """

    def test_foreground(self) -> None:
        """
        C{twistd -n} serves, has a pidfile while it does, and ends on SIGTERM
        without a trace of it.
        """
        with self.going([*TWISTD, "-n", *self.words]) as process:
            lines = self.until(process, "Listening on")
            self.assertEqual((self.directory / "twistd.pid").read_text(), str(process.pid))
            self.shakeHands()
            process.terminate()
            text = "".join([*lines, *self.until(process, "Server Shut Down")])
            self.assertEqual(process.wait(PATIENCE), -signal.SIGTERM)
        for unwelcome in ("Traceback", "#debug]", "#warn]", "#error]"):
            self.assertNotIn(unwelcome, text)
        self.assertEqual(os.listdir(self.directory), ["state"])
        socket.create_server((HERE, self.https)).close()

    def test_twist(self) -> None:
        """
        C{twist}, which knows only one of the phases, likewise; its log is text
        even without a terminal when that is asked for.
        """
        with self.going([*TWIST, *self.words, "--log-format", "text"]) as process:
            (*_, line) = self.until(process, "Listening on")
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT")
            self.shakeHands()
            process.terminate()
            rest = "".join(self.until(process, "Main loop terminated"))
            self.assertEqual(process.wait(PATIENCE), -signal.SIGTERM)
        self.assertNotIn("Traceback", rest)

    def test_daemon(self) -> None:
        """
        C{twistd} answers with status 0 once the ports are bound, serves, and
        on SIGTERM goes with its pidfile.
        """
        # This waits for the end of the output too: it comes only when the
        # daemon has let go of the terminal it was started from.
        ran = self.end([*TWISTD, *self.words])
        self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "", ""))
        pidfile, log = self.directory / "twistd.pid", self.directory / "twistd.log"
        number = int(pidfile.read_text())
        try:
            self.shakeHands()
            self.assertEqual((self.directory / "state").stat().st_mode & 0o777, 0o700)
        finally:
            os.kill(number, signal.SIGTERM)
        for _ in range(1800):
            if not pidfile.exists() and "Server Shut Down" in log.read_text():
                break
            time.sleep(0.05)
        self.assertFalse(pidfile.exists())
        self.assertNotIn("Traceback", log.read_text())

    def test_secondProcess(self) -> None:
        """
        A second process for the same state directory is refused, by the name
        of the first, and the first goes on.
        """
        with self.going([*TWISTD, "-n", *self.words]) as process:
            self.until(process, "Listening on")
            self.http, self.https, first = freePort(), freePort(), self.https
            ran = self.end([*TWISTD, "-n", "--pidfile", "second.pid", *self.words])
            self.assertEqual(ran.returncode, 1)
            self.assertIn(f"is in use by process {process.pid} (", ran.stderr)
            self.assertNotIn("Traceback", ran.stderr + ran.stdout)
            self.assertFalse((self.directory / "second.pid").exists())
            self.https = first
            self.shakeHands()

    def test_json(self) -> None:
        """
        C{twist} writes JSON where there is no terminal, each line one object
        of ours.
        """
        with self.going([*TWIST, *self.words]) as process:
            lines = self.until(process, '"event": "listening"')
            self.shakeHands()
            process.terminate()
            lines += self.until(process, "Main loop terminated")
        found = [json.loads(line) for line in lines]
        self.assertIn("listening", [each.get("event") for each in found])
        self.assertTrue(all(each["message"] and each["time"] for each in found))

    def test_jsonOfADaemon(self) -> None:
        """
        A daemon's log file is JSON too, and no line is text.
        """
        with socket.create_server((HERE, self.https)):
            self.end([*TWISTD, "--logfile", "x.log", *self.words, "--log-format", "json"])
        found = [json.loads(line) for line in (self.directory / "x.log").read_text().splitlines()]
        self.assertEqual([each["level"] for each in found if each.get("event") == "not-started"], ["error"])


class ConfigurationTests(ProcessCase):
    """
    Files, and what is wrong with them.
    """

    def test_file(self) -> None:
        """
        A file in YAML is served.
        """
        (self.directory / "proxy.yaml").write_text(
            f"bind: ['{HERE}']\n"
            "state_dir: ./state\n"
            "access_log: {format: 'off'}\n"
            "log: {format: json}\n"
            "routes:\n"
            "  - name: hello\n"
            f"    match: {{ports: {self.https}, domains: [a.localhost]}}\n"
            "    action: {type: respond, body: hello, tls: {mode: terminate, certificate: internal}}\n"
        )
        with self.going([*TWISTD, "-n", "smartproxy", "--config", "proxy.yaml"]) as process:
            lines = self.until(process, "listening")
            self.shakeHands()
        json.loads(lines[-1])

    def test_everythingThatIsWrong(self) -> None:
        """
        A file with mistakes is answered with all of them, each with its place,
        status 1, no traceback and no pages of help.
        """
        (self.directory / "proxy.yaml").write_text("bind: [nonsense]\nroute: 3\n")
        for command in (TWISTD, TWIST):
            ran = self.end([*command, "smartproxy", "--config", "proxy.yaml"])
            self.assertEqual(ran.returncode, 1)
            self.assertIn("proxy.yaml:1:", ran.stderr)
            self.assertIn("proxy.yaml:2:", ran.stderr)
            self.assertNotIn("Traceback", ran.stderr + ran.stdout)
            self.assertNotIn("--nodaemon", ran.stdout)
            self.assertEqual(os.listdir(self.directory), ["proxy.yaml"])
