"""
The operator's programs, run by a whole C{twistd} with two workers and Pebble as
authority: what they are told holds at the moment they are told it, and nothing is left
out because the process was killed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import yaml
from twisted.internet import reactor as _reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from ..ports import freePorts
from .pebble import Pebble, missing
from .test_promise import _Running, fresh, story

reactor: Any = _reactor

#: Looks whether the certificate in the file is the one that is served, and writes down
#: what it was told.
_DEPLOY = """
import json, os, socket, ssl, sys

port, root, log = sys.argv[1:]
told = json.load(sys.stdin)
with open(os.environ["SMARTPROXY_FILE"]) as file:
    _, begin, rest = file.read().partition("-----BEGIN CERTIFICATE-----")
body, end, _ = rest.partition("-----END CERTIFICATE-----")
context = ssl.create_default_context(cafile=root)
with socket.create_connection(("127.0.0.1", int(port)), timeout=60) as plain:
    with context.wrap_socket(plain, server_hostname=told["names"][0]) as client:
        shown = client.getpeercert(binary_form=True)
told["isServed"] = ssl.PEM_cert_to_DER_cert(begin + body + end) == shown
told["mode"] = oct(os.stat(os.environ["SMARTPROXY_FILE"]).st_mode & 0o777)
told["variables"] = {name: value for name, value in os.environ.items() if name.startswith("SMARTPROXY_")}
with open(log, "a") as file:
    file.write(json.dumps(told) + "\\n")
"""

#: Does not end the first time.
_SLOW = """
import os, sys, time

if not os.path.exists(sys.argv[1]):
    open(sys.argv[1], "w").write(str(os.getpid()))
    time.sleep(60)
open(sys.argv[1] + ".done", "a").write(os.environ["SMARTPROXY_EVENT"] + "\\n")
"""


def isFree(port: int) -> bool:
    """
    Whether nobody listens there.
    """
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


class HooksTests(TestCase):
    """
    From the configuration to the program.
    """

    skip = missing
    timeout = 900

    def setUp(self) -> None:
        self.directory = Path(fresh(self))
        self.directory.mkdir()
        self.log = self.directory / "log"
        self.ports = freePorts(2)

    async def authority(self, **settings: Any) -> Pebble:
        """
        Pebble, until the test is over.
        """
        made = Pebble(reactor, self.mktemp(), httpPort=self.ports[0], tlsPort=self.ports[1], **settings)
        self.addCleanup(made.stop)
        await made.start()
        (self.directory / "root.pem").write_bytes(made.root)
        return made

    def configure(self, authority: Pebble, *hooks: dict[str, Any]) -> None:
        """
        Write the configuration.
        """
        whole = {
            "bind": "127.0.0.1",
            "workers": 2,
            "state_dir": "state",
            "access_log": {"format": "off"},
            "timeouts": {"drain": 1},
            "acme": {
                "directory": authority.directoryURL,
                "ca_file": authority.caFile,
                "http_port": self.ports[0],
                "tls_port": self.ports[1],
                "hooks": list(hooks),
            },
            "sites": {"a.example": "127.0.0.1:9"},
        }
        (self.directory / "smartproxy.yaml").write_text(yaml.safe_dump(whole))

    def program(self, name: str, text: str, *arguments: str) -> list[str]:
        """
        Write a program, and the command for it.
        """
        (self.directory / name).write_text(text)
        return [sys.executable, str(self.directory / name), *arguments]

    def deploy(self) -> list[str]:
        """
        The command that looks at what is served.
        """
        root = str(self.directory / "root.pem")
        return self.program("deploy.py", _DEPLOY, str(self.ports[1]), root, str(self.log))

    def twistd(self) -> _Running:
        """
        Begin, as an operator does.
        """
        running = _Running()
        words = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
        words += ["-n", "--pidfile=", "smartproxy", "--config", "smartproxy.yaml"]
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
        environment["SMARTPROXY_PROBLEM"] = "of somebody else"
        reactor.spawnProcess(running, sys.executable, words, env=environment, path=str(self.directory))
        self.addCleanup(self.end, running, "KILL")
        return running

    def end(self, running: _Running, how: str) -> Any:
        """
        End it.
        """
        if running.ended.called:
            return None
        running.transport.signalProcess(how)
        return running.ended

    async def until(self, running: _Running, file: Path, lines: int) -> list[str]:
        """
        Wait for so many lines in a file.
        """
        while not file.exists() or len(found := file.read_text().splitlines()) < lines:
            self.assertFalse(running.ended.called, running.output.decode())
            await deferLater(reactor, 0.05)
        return found

    @story
    async def test_renewed(self) -> None:
        """
        When it is run the file is there, with the certificate that all workers serve:
        for the first one, and for each that follows.
        """
        authority = await self.authority(validity=15)
        self.configure(authority, {"command": self.deploy()})
        running = self.twistd()
        told = [json.loads(line) for line in await self.until(running, self.log, 3)]
        await self.end(running, "TERM")
        self.assertNotIn(b"Traceback", running.output)
        self.assertEqual([each["event"] for each in told[:3]], ["issued", "renewed", "renewed"])
        self.assertEqual(len({each["serial"] for each in told}), len(told))
        for each in told:
            self.assertTrue(each["isServed"])
            self.assertEqual((each["mode"], each["names"]), ("0o600", ["a.example"]))
            self.assertTrue(each["file"].startswith(str(self.directory / "state" / "certificates")))
            self.assertEqual(
                sorted(each["variables"]),
                [
                    f"SMARTPROXY_{word}"
                    for word in ("EVENT", "EXPIRES", "FILE", "NAMES", "NEXT_ATTEMPT", "SERIAL")
                ],
            )

    @story
    async def test_killed(self) -> None:
        """
        A process that is killed while one runs: the next process runs that again, and
        what ended well before it not.
        """
        authority = await self.authority()
        mark = self.directory / "mark"
        slow = self.program("slow.py", _SLOW, str(mark))
        self.configure(authority, {"command": self.deploy()}, {"command": slow, "events": "issued"})
        first = self.twistd()
        (pid,) = await self.until(first, mark, 1)
        # It is written what was run, a second after it was.
        note = self.directory / "state" / "hooks.json"
        while not note.exists() or not json.loads(note.read_text()):
            await deferLater(reactor, 0.05)
        await self.end(first, "KILL")
        os.kill(int(pid), signal.SIGKILL)
        # The workers let go of the ports.
        while not all(map(isFree, self.ports)):
            await deferLater(reactor, 0.05)
        second = self.twistd()
        await self.until(second, self.directory / "mark.done", 1)
        while b"hook" not in second.output:
            await deferLater(reactor, 0.05)
        await self.end(second, "TERM")
        self.assertEqual((self.directory / "mark.done").read_text(), "issued\n")
        self.assertEqual(len(self.log.read_text().splitlines()), 1)
        self.assertEqual(authority.tally().orders, 1)

    @story
    async def test_stopped(self) -> None:
        """
        A stop does not wait for one that would run for a minute, and leaves nothing of
        it behind.
        """
        authority = await self.authority()
        mark = self.directory / "mark"
        self.configure(authority, {"command": self.program("slow.py", _SLOW, str(mark))})
        running = self.twistd()
        (pid,) = await self.until(running, mark, 1)
        began = reactor.seconds()
        status = await self.end(running, "TERM")
        self.assertEqual(status, -signal.SIGTERM, running.output.decode())
        self.assertLess(reactor.seconds() - began, 10)
        self.assertRaises(ProcessLookupError, os.kill, int(pid), 0)
        self.assertIn(b"It was cut short, since the proxy stops", running.output)

    @story
    async def test_failed(self) -> None:
        """
        One that cannot prove a name has a program told why, once.
        """
        authority = await self.authority()
        command = ["/bin/sh", "-c", 'echo "$SMARTPROXY_EVENT $SMARTPROXY_PROBLEM" >>"$0"', str(self.log)]
        self.configure(authority, {"command": command, "events": ["failed"]})
        text = (self.directory / "smartproxy.yaml").read_text()
        # Where the authority does not come to.
        (other,) = freePorts(1)
        text = text.replace(f"http_port: {self.ports[0]}", f"http_port: {other}")
        text = text.replace("acme:\n", "acme:\n  challenges: [http-01]\n")
        (self.directory / "smartproxy.yaml").write_text(text)
        running = self.twistd()
        (line,) = await self.until(running, self.log, 1)
        self.assertRegex(line, r"\Afailed .*a\.example.*(?i:connection)")
        await self.end(running, "TERM")
