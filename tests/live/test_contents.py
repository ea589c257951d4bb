"""
Files, applications and protocols behind a whole process, in one and in two workers: asked by curl and
wget, and through a reload.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from ..ports import freePorts
from .running import PATIENCE
from .test_process import HERE, TWISTD, ProcessCase

_MISSING = [name for name in ("curl", "wget") if shutil.which(name) is None]

_FILE = """
bind: 127.0.0.1
state_dir: ./state
workers: {workers}
access_log: {{format: "off"}}
timeouts: {{drain: 2}}
routes:
  - {{name: secure, match: {{ports: {secure}, domains: a.localhost}},
     action: {{type: files, root: www, tls: {{mode: terminate, certificate: internal}}}}}}
  - {{name: files, match: {{ports: {plain}, path: /*}}, action: {{type: files, root: www}}}}
  - {{name: wsgi, match: {{ports: {plain}, path: /wsgi}},
     action: {{type: socket, factory: application_of_this_test.wsgi, python_path: app}}}}
  - {{name: asgi, match: {{ports: {plain}, path: /asgi}},
     action: {{type: socket, factory: application_of_this_test.asgi, python_path: app}}}}
  - {{name: loud, match: {{ports: {stream}}},
     action: {{type: socket, kind: protocol, factory: application_of_this_test.Loud, python_path: app}}}}
{more}
"""

_CODE = """
import os
from twisted.internet.protocol import Protocol

asked = 0

def wsgi(environ, start):
    global asked
    asked += 1
    start("200 OK", [])
    return [f"{os.getpid()} {asked} {len(environ['wsgi.input'].read())}".encode()]

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        with open("ended", "a") as file:
            file.write("ended\\n")
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200})
    for _ in range(100):
        await send({"type": "http.response.body", "body": bytes(10000), "more_body": True})
    await send({"type": "http.response.body"})

class Loud(Protocol):
    def dataReceived(self, data):
        self.transport.write(data.upper())
"""


class ContentsTests(ProcessCase):
    """
    One process that serves all of it.
    """

    if _MISSING:
        skip = f"needs the Debian packages {', '.join(_MISSING)}"

    def setUp(self) -> None:
        super().setUp()
        self.plain, self.secure, self.stream, self.further = freePorts(4)
        www = self.directory / "www"
        (www / "sub").mkdir(parents=True)
        self.large = os.urandom(1 << 20)
        (www / "large").write_bytes(self.large)
        (www / "index.html").write_text("<p>hello")
        (www / "sub" / "a.txt").write_text("text")
        (www / "out").symlink_to("/etc/passwd")
        (self.directory / "app").mkdir()
        (self.directory / "app" / "application_of_this_test.py").write_text(_CODE)

    def write(self, workers: int, more: str = "") -> None:
        """
        Write the configuration.
        """
        text = _FILE.format(
            workers=workers, plain=self.plain, secure=self.secure, stream=self.stream, more=more
        )
        (self.directory / "c.yaml").write_text(text)

    def curl(self, path: str, *options: str) -> str:
        """
        What curl says.
        """
        url = path if "://" in path else f"http://{HERE}:{self.plain}{path}"
        ran = subprocess.run(
            ["curl", "-sS", "--path-as-is", "--max-time", str(PATIENCE), *options, url],
            cwd=self.directory,
            capture_output=True,
            check=True,
        )
        return ran.stdout.decode("latin-1")

    def files(self) -> None:
        """
        Ask for files.
        """
        status = ("-o", "/dev/null", "-w", "%{http_code}")
        self.assertEqual(self.curl("/"), "<p>hello")
        self.assertEqual(self.curl("/sub", "-L", *status), "404")
        for path in ("/%2e%2e/c.yaml", "/..%2fc.yaml", "/../c.yaml", "/out", "/sub/%00"):
            self.assertIn(self.curl(path, *status), ("400", "404"), path)
        self.assertEqual(self.curl("/large", "-r", "5-9").encode("latin-1"), self.large[5:10])
        head = self.curl("/large", "-r", "0-0,9-9", "-D", "-", "-o", "/dev/null")
        self.assertIn("multipart/byteranges", head)
        tag = self.directory / "tag"
        tag.unlink(missing_ok=True)
        self.assertEqual(self.curl("/large", "--etag-save", "tag", *status), "200")
        self.assertEqual(self.curl("/large", "--etag-compare", "tag", *status), "304")
        whole = self.directory / "large"
        whole.write_bytes(self.large[:300_000])
        resume = ["wget", "-q", "-c", f"http://{HERE}:{self.plain}/large"]
        subprocess.run(resume, cwd=self.directory, check=True, timeout=PATIENCE)
        self.assertEqual(whole.read_bytes(), self.large)
        found = self.curl(
            f"https://a.localhost:{self.secure}/large",
            *("--cacert", "state/authority/root.pem", "--resolve", f"a.localhost:{self.secure}:{HERE}"),
        )
        self.assertEqual(found.encode("latin-1"), self.large)

    def loud(self) -> bytes:
        """
        Ask the protocol.
        """
        with socket.create_connection((HERE, self.stream), timeout=PATIENCE) as connection:
            connection.sendall(b"hello")
            return connection.recv(100)

    def serves(self, workers: int) -> None:
        """
        Everything, before and after a reload.
        """
        self.write(workers)
        with self.going([*TWISTD, "-n", "smartproxy", "--config", "c.yaml"]) as process:
            self.until(process, "Admin socket at")
            self.files()
            asked = [self.curl("/wsgi", "--data-binary", "@www/sub/a.txt").split() for _ in range(4)]
            self.assertEqual({each[2] for each in asked}, {"4"})
            self.assertLessEqual(len({each[0] for each in asked}), workers)
            self.assertEqual(len(self.curl("/asgi")), 1_000_000)
            self.assertEqual(self.loud(), b"HELLO")
            before = max(int(each[1]) for each in asked)
            more = f"  - {{name: more, match: {{ports: {self.further}}}, action: {{type: block, body: no}}}}"
            self.write(workers, more)
            process.send_signal(signal.SIGHUP)
            self.until(process, "route added: more")
            with socket.create_connection((HERE, self.further), timeout=PATIENCE) as connection:
                self.assertEqual(connection.recv(100), b"no")
            again = [self.curl("/wsgi").split() for _ in range(4)]
            # What is named as before has not begun anew.
            self.assertGreater(max(int(each[1]) for each in again), before)
            self.assertLessEqual(len({each[0] for each in (*asked, *again)}), workers)
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
        self.assertEqual(Path(self.directory, "ended").read_text(), "ended\n" * workers)

    def test_alone(self) -> None:
        """
        See L{serves}, in the one process that there is.
        """
        self.serves(1)

    def test_workers(self) -> None:
        """
        See L{serves}, where each of two workers has code of its own.
        """
        self.serves(2)
