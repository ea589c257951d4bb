"""
Targets of HTTP/2 behind whole processes, in one and in two workers: killed under load, told to leave,
begun again, verified by TLS, and without HTTP/2 after all.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from ..plane.harness import authority, credentialFor
from ..ports import freePorts
from ..test_tap import environment
from .running import PATIENCE
from .test_clients import NEEDS_CURL
from .test_multiplexed import NGHTTPD
from .test_process import HERE, TWISTD, ProcessCase
from .visitors import Visitors

_PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin"
NGINX = shutil.which("nginx", path=_PATH)

#: How a target is known.
KNOWN = "{server_name: b.test, ca_file: ./ca.pem}"

_FILE = """
bind: {here}
state_dir: ./state
workers: {workers}
http2_prior_knowledge: true
access_log: {{format: json, file: ./access.log}}
timeouts: {{drain: 10, connect: 5}}
routes:
  - {{name: only, match: {{ports: {plain}}},
     action: {{type: forward, targets: [{targets}]}}}}
"""

_NGINX = """
daemon off;
pid nginx.pid;
error_log errors;
worker_processes 1;
worker_shutdown_timeout 20s;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{
    listen {here}:{port}{options};
    {certificate}
    keepalive_requests {requests};
    root .;
    location / {{ {limit} }}
  }}
}}
"""


class SharedTests(ProcessCase):
    """
    One route, and targets that are processes too.
    """

    skip = NEEDS_CURL or (None if NGHTTPD and NGINX else "needs the Debian packages nghttp2-server and nginx")

    def setUp(self) -> None:
        super().setUp()
        self.log = self.directory / "log"
        self.ends = ExitStack()
        self.addCleanup(self.ends.close)
        (self.directory / "small").write_bytes(b"small")
        (self.directory / "large").write_bytes(bytes(3_000_000))
        credential = credentialFor("b.test")
        for name, content in (
            ("key.pem", credential.key),
            ("chain.pem", credential.chain),
            ("ca.pem", authority().root),
        ):
            (self.directory / name).write_bytes(content)

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

    def listens(self, port: int) -> bool:
        """
        Whether somebody does there.
        """
        with socket.socket() as sock:
            return not sock.connect_ex((HERE, port))

    def begun(self, port: int, *command: str) -> subprocess.Popen[bytes]:
        """
        A target, once it listens.
        """
        with open(self.directory / "said", "ab") as said:
            process = subprocess.Popen(
                command,
                cwd=self.directory,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self.ends.callback(self.slain, process)
        self.comesTrue(lambda: self.listens(port), f"{command[0]} listens")
        return process

    def slain(self, process: subprocess.Popen[bytes]) -> None:
        """
        End a target with all whom it has begun: nginx's workers survive a master that is killed.
        """
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # All of them have ended.
        process.wait()

    def nghttpd(self, port: int, isTLS: bool = False) -> subprocess.Popen[bytes]:
        """
        One that knows nothing but HTTP/2.
        """
        assert NGHTTPD is not None
        how = ["key.pem", "chain.pem"] if isTLS else []
        more = [] if isTLS else ["--no-tls"]
        return self.begun(port, NGHTTPD, *more, "-d", str(self.directory), "-a", HERE, str(port), *how)

    def nginx(
        self, port: int, isTLS: bool = False, isNew: bool = True, requests: int = 1000, limit: str = ""
    ) -> subprocess.Popen[bytes]:
        """
        One that can be told to begin again.

        @param isNew: Whether it knows HTTP/2.
        @param requests: Of so many on a connection it ends that with GOAWAY.
        """
        assert NGINX is not None
        options = " ssl" * isTLS + " http2" * isNew
        certificate = "ssl_certificate chain.pem; ssl_certificate_key key.pem;" if isTLS else ""
        directory = self.directory / f"nginx{port}"
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)
        for name in ("small", "large", "key.pem", "chain.pem"):
            shutil.copy(self.directory / name, directory)
        text = _NGINX.format(
            here=HERE, port=port, options=options, certificate=certificate, requests=requests, limit=limit
        )
        if os.getuid() == 0:
            text = "user root;\n" + text
        (directory / "nginx.conf").write_text(text)
        return self.begun(
            port, NGINX, "-p", str(directory), "-c", "nginx.conf", "-e", str(directory / "errors")
        )

    def proxy(self, targets: str, workers: int) -> subprocess.Popen[str]:
        """
        Ours, once it listens.
        """
        (self.directory / "smartproxy.yaml").write_text(
            _FILE.format(here=HERE, workers=workers, plain=self.http, targets=targets)
        )
        command = [*TWISTD, "-n", "--logfile", str(self.log), "smartproxy", "--config", "smartproxy.yaml"]
        process = self.ends.enter_context(self.going(command))
        self.comesTrue(lambda: self.log.exists() and "Listening on" in self.log.read_text(), "it listens")
        self.comesTrue(lambda: self.curl("/small").startswith(b"small"), "it serves")
        return process

    def curl(self, path: str, *more: str) -> bytes:
        """
        What curl gets.
        """
        command = ["curl", "-sS", "--noproxy", "*", "--max-time", str(PATIENCE), "-w", "|%{http_code}", *more]
        done = subprocess.run(
            [*command, f"http://{HERE}:{self.http}{path}"], capture_output=True, check=False
        )
        return done.stdout

    def ended(self, process: subprocess.Popen[str]) -> None:
        """
        Ours ends in order.
        """
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE), -signal.SIGTERM)
        self.assertNotIn("Traceback", self.log.read_text())

    def known(self, port: int, protocol: str, tls: str = "false") -> str:
        """
        As a target.
        """
        return f"{{host: {HERE}, port: {port}, protocol: {protocol}, tls: {tls}}}"

    def isKilled(self, workers: int) -> None:
        """
        One of two targets is killed again and again.
        """
        ports = freePorts(2)
        stays, goes = (self.nghttpd(port) for port in ports)
        process = self.proxy(", ".join(self.known(port, "h2c") for port in ports), workers)
        visitors = Visitors(self.http, ("/small",))
        with visitors.visiting():
            for _ in range(3):
                done = visitors.done.total()
                self.comesTrue(lambda done=done: visitors.done.total() > done + 300, "all are served")  # type: ignore[misc]
                goes.kill()
                goes.wait()
                done = visitors.done.total()
                self.comesTrue(lambda done=done: visitors.done.total() > done + 300, "the other one serves")  # type: ignore[misc]
                goes = self.nghttpd(ports[1])
        self.assertEqual(visitors.wrong, [])
        self.assertIsNone(stays.poll())
        self.ended(process)

    def test_killed(self) -> None:
        """
        A target that is killed under load costs no GET anything where there is another one.
        """
        self.isKilled(1)

    def test_killedWorkers(self) -> None:
        """
        Likewise in two workers.
        """
        self.isKilled(2)

    def beginsAgain(self, workers: int) -> None:
        """
        The only target restarts in order, again and again, and says GOAWAY every few requests besides.
        """
        [port] = freePorts(1)
        target = self.nginx(port, requests=50)
        process = self.proxy(self.known(port, "h2c"), workers)
        visitors = Visitors(self.http, ("/small", "/large"))
        with visitors.visiting():
            for _ in range(5):
                done = visitors.done.total()
                self.comesTrue(lambda done=done: visitors.done.total() > done + 100, "all are served")  # type: ignore[misc]
                target.send_signal(signal.SIGHUP)
        self.assertEqual(visitors.wrong, [])
        self.ended(process)

    def test_leaves(self) -> None:
        """
        GOAWAY by the target, when it restarts and when a connection has had its requests, loses none.
        """
        self.beginsAgain(1)

    def test_leavesWorkers(self) -> None:
        """
        Likewise in two workers.
        """
        self.beginsAgain(2)

    def test_away(self) -> None:
        """
        While the only target is away it is 502, and when it is back it serves again at once.
        """
        [port] = freePorts(1)
        target = self.nghttpd(port)
        process = self.proxy(self.known(port, "h2c"), 2)
        for _ in range(2):
            target.kill()
            target.wait()
            for _ in range(4):
                self.assertTrue(self.curl("/small").endswith(b"|502"))
            target = self.nghttpd(port)
            for _ in range(4):
                self.assertEqual(self.curl("/small"), b"small|200")
        self.ended(process)

    def test_itself(self) -> None:
        """
        The target is this proxy, which is stopped and begun again under load; one that takes its place
        in time costs nobody anything.
        """
        inner = Path(self.mktemp()).resolve()
        inner.mkdir()
        ports = freePorts(2)
        text = (
            f"bind: {HERE}\nstate_dir: ./state%d\nhttp2_prior_knowledge: true\naccess_log: {{format: off}}\n"
            "routes: [{name: a, match: {ports: %d}, action: {type: respond, body: small}}]\n"
        )

        def begin(index: int) -> subprocess.Popen[bytes]:
            (inner / f"{index}.yaml").write_text(text % (index, ports[index]))
            words = ["-n", "--pidfile", str(inner / f"{index}.pid"), "--logfile", str(inner / f"{index}.log")]
            command = [*TWISTD, *words, "smartproxy", "--config", str(inner / f"{index}.yaml")]
            return self.begun(ports[index], *command)

        targets = [begin(0), begin(1)]
        process = self.proxy(", ".join(self.known(port, "h2c") for port in ports), 2)
        visitors = Visitors(self.http, ("/small",))
        with visitors.visiting():
            for index in (0, 1, 0):
                done = visitors.done.total()
                self.comesTrue(lambda done=done: visitors.done.total() > done + 200, "all are served")  # type: ignore[misc]
                targets[index].send_signal(signal.SIGTERM)
                targets[index].wait(PATIENCE)
                # It may be passed over still when the other one stops, and serves all the same.
                targets[index] = begin(index)
        self.assertEqual(visitors.wrong, [])
        self.ended(process)
        for index in (0, 1):
            self.assertNotIn("Traceback", (inner / f"{index}.log").read_text())

    def test_verified(self) -> None:
        """
        A certificate that is not for the name, or of an authority that is not known, is 502; for the right
        name there is HTTP/2.
        """
        [port] = freePorts(1)
        self.nginx(port, isTLS=True)
        process = self.proxy(self.known(port, "h2", KNOWN), 2)
        for way in ("--http1.1", "--http2-prior-knowledge"):
            self.assertEqual(self.curl("/small", way), b"small|200")
        for wrong, reason in (
            (KNOWN.replace("b.test", "c.test"), "c.test"),
            ("{server_name: b.test}", "certificate"),
        ):
            target = self.known(port, "h2", wrong)
            text = _FILE.format(here=HERE, workers=2, plain=self.http, targets=target)
            (self.directory / "smartproxy.yaml").write_text(text)
            count = self.log.read_text().count("Reloaded (")
            process.send_signal(signal.SIGHUP)
            self.comesTrue(lambda count=count: self.log.read_text().count("Reloaded (") > count, "it reloads")  # type: ignore[misc]
            for _ in range(4):
                self.assertTrue(self.curl("/small").endswith(b"|502"))
            # A worker tells it after it has answered.
            self.comesTrue(lambda reason=reason: reason in self.log.read_text(), "the reason is told")  # type: ignore[misc]
        self.ended(process)

    def test_auto(self) -> None:
        """
        What the target prefers is found for each of them, also when that changes with a restart; and
        C{h2} is not content with HTTP/1.1.
        """
        ports = freePorts(2)
        self.nginx(ports[0], isTLS=True)
        old = self.nginx(ports[1], isTLS=True, isNew=False)
        process = self.proxy(", ".join(self.known(port, "auto", KNOWN) for port in ports), 2)
        visitors = Visitors(self.http, ("/small",))
        with visitors.visiting():
            self.comesTrue(lambda: visitors.done.total() > 300, "all are served")
            # Its workers finish what they have, and take no more.
            old.send_signal(signal.SIGQUIT)
            old.wait(PATIENCE)
            self.nginx(ports[1], isTLS=True)
            done = visitors.done.total()
            self.comesTrue(lambda: visitors.done.total() > done + 300, "all are served")
        self.assertEqual(visitors.wrong, [])
        self.assertEqual(visitors.done.keys(), {b"small"})
        self.ended(process)

    def test_insists(self) -> None:
        """
        A target with C{protocol: h2} that knows HTTP/1.1 only is 502.
        """
        ports = freePorts(2)
        self.nginx(ports[0], isTLS=True, isNew=False)
        process = self.proxy(self.known(ports[0], "auto", KNOWN), 1)
        path = self.directory / "smartproxy.yaml"
        path.write_text(path.read_text().replace("protocol: auto", "protocol: h2"))
        process.send_signal(signal.SIGHUP)
        self.comesTrue(lambda: self.curl("/small").endswith(b"|502"), "it is refused")
        # This one says so itself.
        self.comesTrue(lambda: "no application protocol" in self.log.read_text(), "the reason is told")
        self.ended(process)
