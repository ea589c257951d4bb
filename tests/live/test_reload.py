"""
Ten reloads of a whole process under load, in one and in two workers: nobody whose route
stays notices any of them, and each of them has taken effect.
"""

from __future__ import annotations

import http.client
import os
import pty
import signal
import socket
import subprocess
import time
from collections.abc import Callable

from ..ports import freePorts
from ..test_tap import environment
from .onlookers import HERE, Onlookers, Origins
from .running import PATIENCE
from .test_process import TWISTD, ProcessCase

_RELOADS = 10

_FILE = """
bind: {here}
state_dir: ./state
workers: {workers}
access_log: {{format: combined, file: ./access.log}}
timeouts: {{drain: 5}}
routes:
  # {number}
  - {{name: version, match: {{ports: {plain}, path: /version}}, action: {{type: respond, body: "{number}"}}}}
  - {{name: either, match: {{ports: {plain}, path: /either}},
     action: {{type: forward, targets: [{{host: {here}, port: {either}}}]}}}}
  - {{name: large, match: {{ports: {plain}, path: /large}},
     action: {{type: forward, targets: [{{host: {here}, port: {first}}}]}}}}
  - {{name: chat, match: {{ports: {plain}, path: /chat}},
     action: {{type: forward, targets: [{{host: {here}, port: {chat}}}]}}}}
  - {{name: changing{number}, match: {{ports: {plain}, path: /changing}},
     action: {{type: forward, targets: [{{host: {here}, port: {chat}}}]}}}}
  - {{name: secure, match: {{ports: {secure}, domains: a.localhost}},
     action: {{type: respond, body: secure, tls: {{mode: terminate, certificate: internal}}}}}}
  - {{name: port{number}, match: {{ports: {changing}, domains: n{number}.localhost}},
     action: {{type: respond, body: "{number}", tls: {{mode: terminate, certificate: internal}}}}}}
  - {{name: plain{number}, match: {{ports: {other}}}, action: {{type: respond, body: "{number}"}}}}
"""


def fetch(port: int, path: str = "/") -> str:
    """
    One request.
    """
    connection = http.client.HTTPConnection(HERE, port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


class ReloadTests(ProcessCase):
    """
    C{twistd -n smartproxy --config} that is told to reload.
    """

    def setUp(self) -> None:
        super().setUp()
        self.origins = Origins()
        self.addCleanup(self.origins.close)
        self.plain, self.secure, *self.changing = freePorts(6)
        self.path = self.directory / "smartproxy.yaml"

    def write(self, number: int, workers: int) -> None:
        """
        The configuration of this number, as editors do: in one moment.
        """
        first, second, chat = self.origins.ports
        text = _FILE.format(
            here=HERE,
            workers=workers,
            number=number,
            plain=self.plain,
            secure=self.secure,
            either=(first, second)[number % 2],
            first=first,
            chat=chat,
            changing=self.changing[number % 2],
            other=self.changing[2 + number % 2],
        )
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, self.path)

    def comesTrue(self, claim: Callable[[], bool], what: str) -> None:
        """
        Wait for it.
        """
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if claim():
                    return
            except (OSError, http.client.HTTPException):
                pass
            if time.monotonic() > end:
                self.fail(f"it never came about that {what}:\n{self.log.read_text()}")
            time.sleep(0.02)

    def refuses(self, port: int) -> bool:
        """
        Whether nobody listens there.
        """
        try:
            fetch(port)
        except ConnectionRefusedError:
            return True
        return False

    def hasTakenEffect(self, number: int, process: subprocess.Popen[str]) -> None:
        """
        Whatever was changed is changed.
        """
        self.comesTrue(lambda: fetch(self.plain, "/version") == str(number), f"version {number} is served")
        either = "second" if number % 2 else "first"
        self.comesTrue(lambda: fetch(self.plain, "/either") == either, f"{either} is the target")
        here, gone = (self.changing[2 + (number + each) % 2] for each in (0, 1))
        self.comesTrue(lambda: fetch(here) == str(number), "the new port is served")
        self.comesTrue(lambda: self.refuses(gone), "the old port is closed")
        context = self.directory / "state" / "authority" / "root.pem"
        name = f"n{number}.localhost"
        shown = subprocess.run(
            [
                *("curl", "-sS", "--cacert", str(context), "--max-time", str(PATIENCE)),
                *("--resolve", f"{name}:{self.changing[number % 2]}:{HERE}"),
                f"https://{name}:{self.changing[number % 2]}/",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((shown.stdout, shown.stderr), (str(number), ""))
        self.assertIsNone(process.poll())

    def reloads(self, workers: int) -> None:
        """
        The whole story.
        """
        self.log = self.directory / "log"
        self.write(0, workers)
        command = [*TWISTD, "-n", "--logfile", str(self.log), "smartproxy", "--config", str(self.path)]
        with self.going(command) as process:
            self.comesTrue(lambda: fetch(self.plain, "/version") == "0", "it serves")
            root = self.directory / "state" / "authority" / "root.pem"
            onlookers = Onlookers(self.plain, self.secure, root)
            with onlookers.watching():
                self.comesTrue(lambda: len(onlookers.done) >= 5, "everybody is served")
                for number in range(1, _RELOADS + 1):
                    self.write(number, workers)
                    process.send_signal(signal.SIGHUP)
                    self.hasTakenEffect(number, process)
                # Whoever downloads has begun before the first and ends after the last, or nearly so.
                self.comesTrue(lambda: onlookers.done.get("loading", 0) > 0, "a download has ended")
            self.assertEqual(onlookers.wrong, [])
            self.assertEqual(
                set(onlookers.done), {"fresh", "kept", "secured", "chatting", "tunnelled", "loading"}
            )
            self.refused(process)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(PATIENCE), -signal.SIGTERM)
        text = self.log.read_text()
        self.assertEqual(text.count("Reloaded (SIGHUP): "), _RELOADS, text)
        self.assertNotIn("Traceback", text)

    def refused(self, process: subprocess.Popen[str]) -> None:
        """
        A file that is wrong changes nothing and is told with its place.
        """
        good = self.path.read_text()
        self.path.write_text(good.replace("path: /version", "paht: /version"))
        process.send_signal(signal.SIGHUP)
        where = f"{self.path}:9:"
        self.comesTrue(lambda: where in self.log.read_text(), "the mistake is told")
        self.assertEqual(fetch(self.plain, "/version"), str(_RELOADS))
        taken = self.changing[2 + (_RELOADS + 1) % 2]
        with socket.create_server((HERE, taken)):
            self.write(_RELOADS + 1, 1 if "workers: 1" in good else 2)
            process.send_signal(signal.SIGHUP)
            message = f"Cannot listen on {HERE}:{taken}: Address already in use"
            self.comesTrue(lambda: message in self.log.read_text(), "the port is told")
        self.assertEqual(fetch(self.plain, "/version"), str(_RELOADS))
        self.assertEqual(fetch(self.changing[2 + _RELOADS % 2]), str(_RELOADS))

    def test_oneProcess(self) -> None:
        """
        In one process: nobody is refused, reset, cut or closed.
        """
        self.reloads(1)

    def test_twoWorkers(self) -> None:
        """
        Likewise in two workers.
        """
        self.reloads(2)


class HangupTests(ProcessCase):
    """
    SIGHUP, when it is and when it is not about a file.
    """

    def setUp(self) -> None:
        super().setUp()
        self.log = self.directory / "log"
        self.path = self.directory / "smartproxy.yaml"
        self.path.write_text(
            f"bind: {HERE}\nstate_dir: ./state\naccess_log: {{format: off}}\n"
            f"routes:\n  - {{name: a, match: {{ports: {self.http}}}, action: {{type: respond, body: ok}}}}\n"
        )

    def reaches(self, text: str) -> None:
        """
        Wait for something in the log.
        """
        end = time.monotonic() + PATIENCE
        while not self.log.exists() or text not in self.log.read_text():
            if time.monotonic() > end:
                self.fail(f"{text!r} did not come")
            time.sleep(0.02)

    def test_terminal(self) -> None:
        """
        A process on a terminal reloads as long as that is there, and ends in order when
        it is closed.
        """
        command = [*TWISTD, "-n", "--logfile", str(self.log), "smartproxy", "--config", str(self.path)]
        pid, terminal = pty.fork()
        if not pid:
            try:
                os.chdir(self.directory)
                os.execve(command[0], command, environment())
            finally:
                os._exit(1)
        try:
            self.reaches("Listening on ")
            os.kill(pid, signal.SIGHUP)
            self.reaches("Reloaded (SIGHUP): nothing has changed")
            os.close(terminal)
            self.reaches("The terminal is gone")
            status = os.waitpid(pid, 0)[1]
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        self.assertEqual(status, 0)
        self.assertFalse((self.directory / "twistd.pid").exists())

    def test_daemon(self) -> None:
        """
        A daemon reloads what it was started with, wherever that was.
        """
        ran = self.end([*TWISTD, "smartproxy", "--config", "smartproxy.yaml"])
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.log = self.directory / "twistd.log"
        self.reaches("Listening on ")
        pidfile = self.directory / "twistd.pid"
        number = int(pidfile.read_text())
        try:
            self.path.write_text(self.path.read_text().replace("name: a", "name: b"))
            os.kill(number, signal.SIGHUP)
            self.reaches("Reloaded (SIGHUP): route added: b; route removed: a")
        finally:
            os.kill(number, signal.SIGTERM)
        self.reaches("Server Shut Down")

    def test_noFile(self) -> None:
        """
        Without a file it says so, and goes on.
        """
        command = [*TWISTD, "-n", "--logfile", str(self.log), *self.words]
        with self.going(command) as process:
            self.reaches("Listening on ")
            process.send_signal(signal.SIGHUP)
            self.reaches("There is no file to be read again")
            self.shakeHands()
