"""
What users write in Python, in whole processes, in one and in two workers: functions that give
targets, plug-ins that pip has installed, and a proxy beside another service.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from twisted.trial.unittest import SkipTest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from ..ports import freePorts
from ..test_documentation import CHECKOUT
from ..test_tap import environment
from .onlookers import HERE, Origins
from .running import PATIENCE
from .test_process import TWISTD, ProcessCase

_MODULE = """
from pathlib import Path
from twisted.internet import reactor
from twisted.internet.task import deferLater

WHERE = Path(__file__).with_name("where.txt")


def pick(facts):
    if facts.path == "/boom":
        raise LookupError("nobody knows")
    if facts.path == "/nonsense":
        return 7
    return WHERE.read_text()


async def later(facts):
    await deferLater(reactor, 30 if facts.path == "/later/late" else 0.01)
    return WHERE.read_text()


def host(facts):
    return ["{here}"]


def port(facts):
    return int(WHERE.read_text().rpartition(":")[2])
"""

_FILE = """
bind: {here}
state_dir: ./state
workers: {workers}
access_log: {{format: json, file: ./access.log}}
timeouts: {{drain: 5}}
routes:
  - {{name: later, match: {{ports: {http}, path: /later/*}},
     action: {{type: forward, targets: "python:shop.later", decision_timeout: 4}}}}
  - {{name: apart, match: {{ports: {http}, path: /apart}},
     action: {{type: forward, targets: {{host: "python:shop.host", port: "python:shop.port"}}}}}}
  - {{name: branches, match: {{ports: {http}, path: /branches/*}},
     action: {{type: forward, targets: [
       {{host: {here}, port: {first}}},
       {{host: {here}, port: {second}, match: {{headers: {{X-Beta: "*"}}}}}}]}}}}
  - {{name: picked, match: {{ports: {http}, protocol: http}},
     action: {{type: forward, targets: "python:shop.pick"}}}}
  - {{name: stream, match: {{ports: {stream}, protocol: tcp}},
     action: {{type: forward, targets: {{host: "python:shop.host", port: {first}}}}}}}
"""


def fetch(port: int, path: str = "/", **fields: str) -> tuple[int, str]:
    """
    One request, on a connection of its own.
    """
    connection = http.client.HTTPConnection(HERE, port, timeout=PATIENCE)
    try:
        connection.request(
            "GET", path, headers={name.replace("_", "-"): value for name, value in fields.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class ExtensionCase(ProcessCase):
    """
    A process, and origins.
    """

    def setUp(self) -> None:
        super().setUp()
        self.origins = Origins()
        self.addCleanup(self.origins.close)
        self.stream, self.app = freePorts(2)

    @contextmanager
    def proxy(self, command: list[str], *places: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        """
        It, with its log in a file.
        """
        with open(self.directory / "log", "wb") as log:
            process = subprocess.Popen(
                command, cwd=self.directory, env={**environment(*places), **more}, stdout=log, stderr=log
            )
        try:
            yield process
            process.terminate()
            # As twistd ends when it is told to.
            self.assertEqual(process.wait(PATIENCE), -signal.SIGTERM, self.log)
        finally:
            process.kill()
            process.wait()

    @property
    def log(self) -> str:
        """
        What it has said.
        """
        return (self.directory / "log").read_text()

    def comesTrue(self, claim: Callable[[], bool], what: str) -> None:
        """
        Wait for it.
        """
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                if claim():
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        self.fail(f"it never came about that {what}:\n{self.log}")


class DynamicTests(ExtensionCase):
    """
    Functions beside the configuration.
    """

    def _try(self, workers: int) -> None:
        first, second, _ = self.origins.ports
        (self.directory / "shop.py").write_text(_MODULE.replace("{here}", HERE))
        where = self.directory / "where.txt"
        where.write_text(f"{HERE}:{first}")
        names = {"here": HERE, "workers": workers, "http": self.http, "stream": self.stream}
        text = _FILE.format(**names, first=first, second=second)
        (self.directory / "smartproxy.yaml").write_text(text)
        with self.proxy([*TWISTD, "-n", "smartproxy", "--config", "smartproxy.yaml"]):
            self.comesTrue(lambda: fetch(self.http) == (200, "first"), "it serves")
            for path in ("/", "/later/", "/apart"):
                self.assertEqual(fetch(self.http, path), (200, "first"), path)
            where.write_text(f"{HERE}:{second}")
            for path in ("/", "/later/", "/apart"):
                self.assertEqual(fetch(self.http, path), (200, "second"), path)
            self.assertEqual(fetch(self.http, "/branches/"), (200, "first"))
            self.assertEqual(fetch(self.http, "/branches/", X_Beta="1"), (200, "second"))
            self.assertEqual(fetch(self.http, "/nonsense")[0], 502)
            began = time.monotonic()
            self.assertEqual(fetch(self.http, "/later/late")[0], 504)
            # It takes half a minute to answer.
            self.assertLess(time.monotonic() - began, 25)
            for _ in range(20):
                self.assertEqual(fetch(self.http, "/boom")[0], 502)
            self.assertEqual(fetch(self.stream), (200, "first"))
            # Whoever leaves while it is decided about leaves nothing behind.
            with socket.create_connection((HERE, self.http)) as leaving:
                leaving.sendall(b"GET /later/late HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(fetch(self.http), (200, "second"))
        log = self.log
        self.assertIn("Route picked: python:shop.pick raised LookupError", log)
        self.assertIn("returned 7, which is no target", log)
        self.assertIn("gave no answer within 4 s", log)
        # A traceback from each process at most, and a line now and then.
        self.assertLessEqual(log.count("LookupError: nobody knows"), workers)
        self.assertNotIn("A defect", log)

    def test_one(self) -> None:
        """
        In one process.
        """
        self._try(1)

    def test_two(self) -> None:
        """
        In two workers, each of which has the functions.
        """
        self._try(2)

    def test_missing(self) -> None:
        """
        A name that leads nowhere ends the start with one message, and is told by check.
        """
        (self.directory / "shop.py").write_text("def picker(facts): pass\n")
        text = (
            f"bind: {HERE}\nstate_dir: ./state\n"
            f"routes: [{{name: a, match: {{ports: {self.http}}}, "
            'action: {type: forward, targets: "python:shop.pick"}}]\n'
        )
        for workers in (1, 2):
            (self.directory / "smartproxy.yaml").write_text(f"workers: {workers}\n{text}")
            ran = self.end([*TWISTD, "-n", "smartproxy", "--config", "smartproxy.yaml"])
            self.assertEqual(ran.returncode, 1)
            self.assertIn("shop.pick is not there: shop has no pick; did you mean picker?", ran.stderr)
            self.assertNotIn("Traceback", ran.stderr)
        ran = self.end([sys.executable, "-m", "smartproxy_tw.cli", "check", "smartproxy.yaml"])
        self.assertEqual(ran.returncode, 3)
        self.assertIn("there is no pick in ", ran.stdout + ran.stderr)
        self.assertIn("did you mean picker?", ran.stdout + ran.stderr)


_PLUGGED = """
bind: {here}
state_dir: ./state
workers: {workers}
access_log: {{format: json, file: ./access.log}}
routes:
  - name: canary
    priority: 1
    match: {{ports: {http}, canary: {{percent: 100, header: X-User}}}}
    action: {{type: forward, targets: "{here}:{second}"}}
  - name: closed
    match: {{ports: {http}, path: /shop/*}}
    action: {{type: holiday, text: Away}}
  - name: parrot
    match: {{ports: {http}, path: /parrot}}
    action: {{type: parrot, most: 70000}}
  - name: app
    match: {{ports: {http}, protocol: http}}
    action: {{type: forward, targets: {{source: listed, settings: {{file: {file}, every: 0.1}}}}}}
"""


class ExamplePluginTests(ExtensionCase):
    """
    The example package, installed by pip.
    """

    def setUp(self) -> None:
        super().setUp()
        source = CHECKOUT / "examples" / "plugins"
        if not source.exists():
            raise SkipTest(f"no checkout at {CHECKOUT}")
        # Whatever is left in the directory of a build is not left among the examples.
        copy = shutil.copytree(source, self.directory / "source")
        self.place = self.directory / "installed"
        quietly = [
            "--quiet",
            "--no-index",
            "--no-deps",
            "--no-build-isolation",
            "--disable-pip-version-check",
        ]
        command = [sys.executable, "-m", "pip", "install", *quietly, "--target", str(self.place), str(copy)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def _try(self, workers: int) -> None:
        first, second, _ = self.origins.ports
        file = self.directory / "targets.txt"
        file.write_text(f"{HERE}:{first}\n")
        names = {"here": HERE, "workers": workers, "http": self.http, "file": file}
        (self.directory / "smartproxy.yaml").write_text(_PLUGGED.format(**names, second=second))
        command = [*TWISTD, "-n", "smartproxy", "--config", "smartproxy.yaml"]
        with self.proxy(command, str(self.place)):
            self.comesTrue(lambda: fetch(self.http) == (200, "first"), "it serves")
            self.assertEqual(fetch(self.http, "/shop/a"), (503, "Away\n"))
            self.assertEqual(fetch(self.http, "/shop/a", X_User="me"), (200, "second"))
            self.assertEqual(fetch(self.http, "/parrot")[0], 400)
            for _ in range(2 * workers):
                self._talk()
            file.write_text(f"{HERE}:{second}\n")
            self.comesTrue(lambda: all(fetch(self.http) == (200, "second") for _ in range(10)), "it follows")
        self.assertNotIn("Traceback", self.log)

    def _talk(self) -> None:
        """
        Say things to the parrot.
        """
        url = f"ws://{HERE}:{self.http}/parrot"
        with connect(url, proxy=None, compression=None, open_timeout=PATIENCE) as chat:
            for message in ("hello", b"\0\xff", "", "x" * 70_000):
                chat.send(message)
                self.assertEqual(chat.recv(timeout=PATIENCE), message)
            chat.send(bytes(70_001))
            self.assertRaises(ConnectionClosedError, chat.recv, timeout=PATIENCE)
            self.assertEqual(chat.close_code, 1009)

    def test_one(self) -> None:
        """
        In one process.
        """
        self._try(1)

    def test_two(self) -> None:
        """
        In two workers, each of which finds the plug-ins.
        """
        self._try(2)

    def test_mistakes(self) -> None:
        """
        Settings that are wrong are told with their places, and a type that nobody has with
        those that there are.
        """
        text = """
            routes:
              - match: {ports: 8080, canary: {percent: 101, header: X}}
                action: {type: holiday, txt: Away}
              - match: {ports: 8081}
                action: {type: holyday}
        """
        (self.directory / "smartproxy.yaml").write_text(text)
        ran = self.end(
            [sys.executable, "-m", "smartproxy_tw.cli", "check", "smartproxy.yaml"], str(self.place)
        )
        told = ran.stdout + ran.stderr
        self.assertEqual(ran.returncode, 3)
        for words in (
            "smartproxy.yaml:3:56: routes[0].match.canary.percent: has to be a whole number from 0 to 100",
            "routes[0].action.text: Field required",
            "routes[0].action.txt: Extra inputs are not permitted",
            "not 'holyday'; plug-ins give holiday, parrot",
        ):
            self.assertIn(words, told)

    def test_own(self) -> None:
        """
        Its own tests pass.
        """
        ran = subprocess.run(
            [sys.executable, "-m", "twisted.trial", "tests"],
            cwd=self.directory / "source",
            env={**environment(str(self.place)), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)


class BesideTests(ExtensionCase):
    """
    C{examples/beside.tac}.
    """

    def test_beside(self) -> None:
        """
        The site is served by HTTPS beside its own port, with a function for what is asked.
        """
        tac = CHECKOUT / "examples" / "beside.tac"
        if not tac.exists():
            raise SkipTest(f"no checkout at {CHECKOUT}")
        ports = {"HTTP": str(self.http), "HTTPS": str(self.https), "APP": str(self.app)}
        with self.proxy([*TWISTD, "-ny", str(tac)], **ports):
            root = self.directory / "state" / "authority" / "root.pem"
            self.comesTrue(lambda: fetch(self.http, "/a", Host="shop.localhost")[0] == 308, "it redirects")
            self.comesTrue(root.exists, "it has its authority")
            self.assertEqual(self._secure(root, "/"), (200, "asked 1 times\n"))
            self.assertEqual(fetch(self.app), (200, "asked 2 times\n"))
            self.assertEqual(self._secure(root, "/teapot")[0], 502)
        self.assertNotIn("Traceback", self.log)

    def _secure(self, root: Path, path: str) -> tuple[int, str]:
        context = ssl.create_default_context(cafile=os.fspath(root))
        with socket.create_connection((HERE, self.https), timeout=PATIENCE) as plain:
            with context.wrap_socket(plain, server_hostname="shop.localhost") as secure:
                secure.sendall(
                    f"GET {path} HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n".encode()
                )
                answer = http.client.HTTPResponse(secure)
                answer.begin()
                return answer.status, answer.read().decode()
