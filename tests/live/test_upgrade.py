"""
Whole processes that hand over to the next one, three times over, under load, in one and
in two workers: nobody is refused, reset or cut, and WebSockets live on where they are.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor

from smartproxy_tw.commands.admin import ProxyAway, asking
from smartproxy_tw.testing.authority import Authority

from ..ports import freePorts
from ..test_tap import environment
from . import test_resume, test_systemd
from .onlookers import HERE, Onlookers, Origins
from .running import PATIENCE
from .test_process import TWISTD, ProcessCase
from .test_promise import story
from .test_reload import fetch

reactor: Any = _reactor

_UPGRADES = 3

_FILE = """
bind: {here}
state_dir: ./state
workers: {workers}
access_log: {{format: combined, file: ./access.log}}
timeouts: {{drain: 300}}
routes:
  - {{name: version, match: {{ports: {plain}, path: /version}}, action: {{type: respond, body: "{number}"}}}}
  - {{name: either, match: {{ports: {plain}, path: /either}},
     action: {{type: forward, targets: [{{host: {here}, port: {first}}}]}}}}
  - {{name: large, match: {{ports: {plain}, path: /large}},
     action: {{type: forward, targets: [{{host: {here}, port: {first}}}]}}}}
  - {{name: chat, match: {{ports: {plain}, path: /chat}},
     action: {{type: forward, targets: [{{host: {here}, port: {chat}}}]}}}}
  - {{name: changing, match: {{ports: {plain}, path: /changing}},
     action: {{type: forward, targets: [{{host: {here}, port: {chat}}}]}}}}
  - {{name: secure, match: {{ports: {secure}, domains: a.localhost}},
     action: {{type: respond, body: secure, tls: {{mode: terminate, certificate: internal}}}}}}
"""


class Users(Onlookers):
    """
    As those of a reload; but a kept connection is closed between two requests, and its
    user does what every client does then.
    """

    def _kept(self) -> None:
        connection = http.client.HTTPConnection(HERE, self._plain, timeout=PATIENCE)
        while not self._isOver.wait(0.002):
            try:
                self._asks("kept", connection)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                connection.close()
                self._asks("kept", connection)
        connection.close()


def isAlive(pid: int) -> bool:
    """
    Whether there is such a process, which has not ended.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class UpgradeCase(ProcessCase):
    """
    C{twistd -n smartproxy --config} that is replaced.
    """

    def setUp(self) -> None:
        super().setUp()
        self.origins = Origins()
        self.addCleanup(self.origins.close)
        self.plain, self.secure, self.other = freePorts(3)
        self.path = self.directory / "smartproxy.yaml"
        self.log = self.directory / "log"
        self.pidfile = self.directory / "here.pid"
        self.line = ["--pidfile", "here.pid", "--logfile", "log", "smartproxy", "--config", "smartproxy.yaml"]
        self.pids: set[int] = set()
        self.addCleanup(self.endAll)

    def endAll(self) -> None:
        """
        Nothing is left.
        """
        for pid in self.pids:
            if isAlive(pid):
                os.kill(pid, signal.SIGKILL)
        for pid in self.pids:
            self.comesTrue(lambda pid=pid: not isAlive(pid), f"{pid} ends")  # type: ignore[misc]

    def write(self, number: int, workers: int = 1, **changes: str) -> None:
        """
        The configuration of this number.
        """
        first, _, chat = self.origins.ports
        text = _FILE.format(
            here=HERE,
            workers=workers,
            number=number,
            plain=self.plain,
            secure=self.secure,
            first=first,
            chat=chat,
        )
        for old, new in changes.items():
            text = text.replace(old, new)
        self.path.write_text(text)

    def comesTrue(self, claim: Callable[[], bool], what: str) -> None:
        """
        Wait for it.
        """
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if claim():
                    return
            except (OSError, ProxyAway, ValueError, http.client.HTTPException):
                pass
            if time.monotonic() > end:
                self.fail(f"it never came about that {what}:\n{self.log.read_text()}")
            time.sleep(0.02)

    def main(self) -> int:
        """
        The process that is the main one.
        """
        pid = int(self.pidfile.read_text())
        self.pids.add(pid)
        return pid

    def upgraded(self, before: int) -> int:
        """
        Have one replaced.
        """
        os.kill(before, signal.SIGUSR2)
        self.comesTrue(lambda: self.main() != before, "another process is the main one")
        return self.main()

    def givesWay(self, before: int, after: int) -> None:
        """
        The one before says, for as long as it has something to finish, who serves; and the
        next one that it is ready.
        """
        aside = self.directory / "state" / f"admin-{before}.sock"
        told = asking(str(aside))("GET", "/v1/status", {}).members
        self.assertEqual((told["process"], told["ready"]), (before, False))
        self.assertEqual((told["reason"], told["listening"]), (f"process {after} serves in its place", []))
        self.assertGreater(told["connections"]["open"], 0)
        ask = asking(str(self.directory / "state" / "admin.sock"))
        self.comesTrue(lambda: bool(ask("GET", "/v1/status", {}).members["ready"]), f"{after} is ready")

    def refused(self, before: int, why: str) -> None:
        """
        An upgrade comes to nothing, and that is told.
        """
        told = self.log.read_text().count("this process goes on as before")
        os.kill(before, signal.SIGUSR2)
        self.comesTrue(
            lambda: self.log.read_text().count("this process goes on as before") > told, f"{why!r} is told"
        )
        self.assertIn(why, self.log.read_text())
        self.assertEqual(self.main(), before)
        self.assertTrue(isAlive(before))


class UpgradeTests(UpgradeCase):
    """
    With users of HTTP/1.1 and of WebSockets.
    """

    def upgrades(self, workers: int) -> None:
        """
        The whole story.
        """
        self.write(0, workers)
        with self.going([*TWISTD, "-n", *self.line]) as process:
            self.comesTrue(lambda: fetch(self.plain, "/version") == "0", "it serves")
            first = self.main()
            self.assertEqual(first, process.pid)
            users = Users(self.plain, self.secure, self.directory / "state" / "authority" / "root.pem")
            current = first
            with users.watching():
                self.comesTrue(lambda: len(users.done) >= 5, "everybody is served")
                for number in range(1, _UPGRADES + 1):
                    self.write(number, workers)
                    before = current
                    # Somebody whom the one before has to finish, however quick everybody else is.
                    with socket.create_connection((HERE, self.plain), PATIENCE) as reader:
                        reader.sendall(b"GET /large HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
                        self.assertTrue(reader.recv(12))
                        current = self.upgraded(before)
                        self.givesWay(before, current)
                    for _ in range(20):
                        self.assertEqual(fetch(self.plain, "/version"), str(number))
                    time.sleep(0.5)
                self.comesTrue(lambda: users.done.get("loading", 0) > 0, "a download has ended")
                # The WebSockets are where they were.
                self.assertIsNone(process.poll())
            self.assertEqual(users.wrong, [])
            self.assertEqual(
                set(users.done), {"fresh", "kept", "secured", "chatting", "tunnelled", "loading"}
            )
            self.assertEqual(process.wait(PATIENCE), 0)
            gone = self.pids - {current}
            self.comesTrue(lambda: not any(map(isAlive, gone)), "those before have ended")
            self.assertEqual(
                [each.name for each in (self.directory / "state").glob("admin*")], ["admin.sock"]
            )
            self.assertTrue(isAlive(current))
            self.assertEqual(self.main(), current)
            os.kill(current, signal.SIGTERM)
            self.comesTrue(lambda: not isAlive(current), "the last one ends")
        self.assertFalse(self.pidfile.exists())
        text = self.log.read_text()
        self.assertEqual(text.count("has taken over"), _UPGRADES, text)
        self.assertNotIn("Traceback", text)

    def test_oneProcess(self) -> None:
        """
        In one process.
        """
        self.upgrades(1)

    def test_twoWorkers(self) -> None:
        """
        Likewise in two workers.
        """
        self.upgrades(2)

    def test_broken(self) -> None:
        """
        What the next process cannot start with leaves everything as it was, and is told;
        what is mended is used.
        """
        self.write(0)
        with self.going([*TWISTD, "-n", *self.line]):
            self.comesTrue(lambda: fetch(self.plain, "/version") == "0", "it serves")
            before = self.main()
            self.write(1, **{"path: /version": "paht: /version"})
            self.refused(before, "paht")
            with socket.create_server((HERE, self.other)):
                self.write(1, **{f"ports: {self.secure}": f"ports: [{self.secure}, {self.other}]"})
                self.refused(before, f"Cannot listen on {HERE}:{self.other}: Address already in use")
            self.write(1, **{"state_dir: ./state": "state_dir: ./other"})
            (self.directory / "other").mkdir()
            (self.directory / "other").chmod(0o777)
            # It had the lock by then, and the orders were ended: they go on.
            self.refused(before, "can be written by others")
            self.assertEqual(fetch(self.plain, "/version"), "0")
            self.comesTrue(lambda: self.log.read_text().count("Admin socket at") == 2, "it goes on")
            self.assertEqual((self.directory / "state" / "lock").read_text(), f"{before}\n")
            self.write(2)
            after = self.upgraded(before)
            self.comesTrue(lambda: fetch(self.plain, "/version") == "2", "the next one serves")
            self.assertEqual((self.directory / "state" / "lock").read_text(), f"{after}\n")

    def test_killed(self) -> None:
        """
        If the process before is killed while it hands over, the next one goes on.
        """
        self.write(0)
        with self.going([*TWISTD, "-n", *self.line]) as process:
            self.comesTrue(lambda: fetch(self.plain, "/version") == "0", "it serves")
            before = self.main()
            self.write(1)
            os.kill(before, signal.SIGUSR2)
            self.comesTrue(lambda: "The next process is begun" in self.log.read_text(), "it has begun")
            children = Path(f"/proc/{before}/task/{before}/children")
            self.comesTrue(lambda: bool(children.read_text()), "there is one")
            process.kill()
            process.wait()
            self.comesTrue(lambda: self.main() != before, "another process is the main one")
            self.assertEqual(fetch(self.plain, "/version"), "1")
            self.assertIn("this one goes on alone", self.log.read_text())

    def test_daemon(self) -> None:
        """
        A daemon is replaced by a daemon, wherever it was begun.
        """
        self.write(0)
        ran = self.end([*TWISTD, *self.line])
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.comesTrue(lambda: fetch(self.plain, "/version") == "0", "it serves")
        before = self.main()
        self.write(1, **{"path: /version": "paht: /version"})
        self.refused(before, "paht")
        self.write(1)
        after = self.upgraded(before)
        self.assertEqual(fetch(self.plain, "/version"), "1")
        self.comesTrue(lambda: not isAlive(before), "the one before ends")
        os.kill(after, signal.SIGTERM)
        self.comesTrue(lambda: not self.pidfile.exists(), "the pidfile is removed at the end")

    def test_portLetGo(self) -> None:
        """
        A port that was handed over and is let go of by a reload is closed, and one that
        the next process does not want any more too.
        """
        self.write(0, **{f"ports: {self.secure}": f"ports: [{self.secure}, {self.other}]"})
        with self.going([*TWISTD, "-n", *self.line]):
            self.comesTrue(lambda: fetch(self.plain, "/version") == "0", "it serves")
            current = self.upgraded(self.main())
            socket.create_connection((HERE, self.other)).close()
            self.write(1)
            os.kill(current, signal.SIGHUP)
            self.comesTrue(lambda: "port released" in self.log.read_text(), "the port is released")
            self.assertRaises(ConnectionRefusedError, socket.create_connection, (HERE, self.other))
            self.write(2, **{f"ports: {self.secure}": f"ports: [{self.secure}, {self.other}]"})
            current = self.upgraded(current)
            socket.create_connection((HERE, self.other)).close()
            self.write(3)
            self.upgraded(current)
            self.comesTrue(lambda: not isAlive(current), "the one before ends")
            self.assertRaises(ConnectionRefusedError, socket.create_connection, (HERE, self.other))
            self.assertNotIn("socket-unused", self.log.read_text())

    def test_nameServer(self) -> None:
        """
        The name server of its own goes over too, and comes back when that fails.
        """
        number = freePorts(1)[0]
        settings = f"{{type: zone, zones: [p.test], name: ns.test, listen: '{HERE}:{number}'}}"
        zone = f"acme: {{dns: {settings}}}\nroutes:"
        query = bytes.fromhex("123400000001000000000000") + b"\x01p\x04test\0\0\x06\0\x01"

        def answers(seconds: float = 2) -> bool:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(seconds)
                client.sendto(query, (HERE, number))
                return client.recv(4096)[:2] == query[:2]

        self.write(0, **{"routes:": zone})
        with self.going([*TWISTD, "-n", *self.line]):
            self.comesTrue(answers, "it answers")
            before = self.main()
            (self.directory / "other").mkdir()
            (self.directory / "other").chmod(0o777)
            self.write(1, **{"routes:": zone, "state_dir: ./state": "state_dir: ./other"})
            self.refused(before, "can be written by others")
            self.comesTrue(answers, "it answers again")
            self.write(2, **{"routes:": zone})
            after = self.upgraded(before)
            self.comesTrue(lambda: not isAlive(before), "the one before ends")
            self.assertNotEqual(before, after)
            self.assertTrue(answers(PATIENCE))

    def drained(self) -> tuple[str, str | None]:
        """
        How the first target stands, and since when.
        """
        ask = asking(str(self.directory / "state" / "admin.sock"))
        name = f"{HERE}:{self.origins.ports[0]}"
        [told, *_] = ask("GET", f"/v1/upstreams?target={name}", {}).members["upstreams"]
        [target] = told["targets"]
        return target["state"], target["since"]

    def test_drained(self) -> None:
        """
        A target that is drained stays so, since when it was, whatever is exchanged: the
        configuration, a worker, the process; and can be restored by whoever serves.  What
        the next process is refused for leaves it as it was.  Where nobody could restore it
        it is restored.
        """
        self.write(0, 2)
        with self.going([*TWISTD, "-n", *self.line]):
            self.comesTrue(lambda: fetch(self.plain, "/either") == "first", "it serves")
            before = self.main()
            socketPath = self.directory / "state" / "admin.sock"
            self.comesTrue(socketPath.exists, "the socket is there")
            target = {"target": f"{HERE}:{self.origins.ports[0]}"}
            asking(str(socketPath))("POST", "/v1/upstreams/drain", target)
            state, since = self.drained()
            self.assertEqual(state, "draining")
            self.assertIn("503", fetch(self.plain, "/either"))
            # The configuration.
            self.write(1, 2)
            os.kill(before, signal.SIGHUP)
            self.comesTrue(lambda: fetch(self.plain, "/version") == "1", "another configuration is used")
            # A worker.
            children = Path(f"/proc/{before}/task/{before}/children")
            workers = set(children.read_text().split())
            self.assertEqual(len(workers), 2)
            for worker in workers:
                os.kill(int(worker), signal.SIGKILL)
            self.comesTrue(
                lambda: len(fresh := set(children.read_text().split())) == 2 and not fresh & workers,
                "there are other workers",
            )
            self.comesTrue(lambda: fetch(self.plain, "/version") == "1", "they serve")
            self.assertIn("503", fetch(self.plain, "/either"))
            self.assertEqual(self.drained(), ("draining", since))
            # A process that is refused after it was told.
            self.write(2, 2, **{"state_dir: ./state": "state_dir: ./other"})
            (self.directory / "other").mkdir()
            (self.directory / "other").chmod(0o777)
            self.refused(before, "can be written by others")
            self.comesTrue(lambda: self.drained() == ("draining", since), "it goes on")
            # The process.
            self.write(3, 2)
            after = self.upgraded(before)
            self.comesTrue(lambda: fetch(self.plain, "/version") == "3", "the next one serves")
            self.comesTrue(lambda: self.drained() == ("draining", since), "it knows")
            for _ in range(10):
                self.assertIn("503", fetch(self.plain, "/either"))
            asking(str(socketPath))("POST", "/v1/upstreams/restore", target)
            self.comesTrue(lambda: fetch(self.plain, "/either") == "first", "it is restored")
            # Nobody can be asked to restore it.
            asking(str(socketPath))("POST", "/v1/upstreams/drain", target)
            self.assertIn("503", fetch(self.plain, "/either"))
            self.write(4, 2, **{"routes:": "admin: off\nroutes:"})
            after = self.upgraded(after)
            self.comesTrue(lambda: fetch(self.plain, "/version") == "4", "the next one serves")
            self.comesTrue(lambda: fetch(self.plain, "/either") == "first", "it has its turns again")
            self.assertIn("drained in the process before have their turns again", self.log.read_text())
            os.kill(after, signal.SIGTERM)
            self.comesTrue(lambda: not isAlive(after), "the last one ends")

    def test_command(self) -> None:
        """
        C{smartproxy upgrade} has it done, and tells which process serves, or why not.
        """
        self.write(0)
        command = [sys.executable, "-m", "smartproxy_tw.cli", "upgrade", "-c", str(self.path)]
        with self.going([*TWISTD, "-n", *self.line]):
            self.comesTrue(lambda: fetch(self.plain, "/version") == "0", "it serves")
            before = self.main()
            self.comesTrue((self.directory / "state" / "admin.sock").exists, "the socket is there")
            with socket.create_server((HERE, self.other)):
                self.write(1, **{f"ports: {self.secure}": f"ports: [{self.secure}, {self.other}]"})
                found = subprocess.run(
                    command, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
                )
            self.assertEqual((found.returncode, found.stdout), (1, ""))
            self.assertIn(f"Cannot listen on {HERE}:{self.other}", found.stderr)
            self.write(1)
            found = subprocess.run(
                command, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
            )
            self.assertEqual(found.returncode, 0, found.stderr)
            self.comesTrue(lambda: self.main() != before, "another process is the main one")
            self.assertEqual(found.stdout, f"process {self.main()} has taken over from {before}\n")

    def test_commandElsewhere(self) -> None:
        """
        It tells so at once when the next process is spoken to elsewhere, or not at all, and the pidfile names
        that one then.
        """
        self.write(0)
        with self.going([*TWISTD, "-n", *self.line]):
            self.comesTrue(lambda: fetch(self.plain, "/version") == "0", "it serves")
            for old, settings, more in (
                ("state", "state_dir: ./other", ""),
                (
                    "other",
                    "state_dir: ./other\nadmin: off",
                    ", and cannot be spoken to: its configuration says admin: off",
                ),
            ):
                before = self.main()
                place = self.directory / old / "admin.sock"
                self.comesTrue(place.exists, "the socket is there")
                self.write(1, **{"state_dir: ./state": settings})
                command = [sys.executable, "-m", "smartproxy_tw.cli", "upgrade", "--socket", str(place)]
                begun = time.monotonic()
                found = subprocess.run(
                    command, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
                )
                # Where it waits for what does not come it does so for 30 seconds.
                self.assertLess(time.monotonic() - begun, 25)
                self.assertEqual(found.returncode, 0, found.stderr)
                self.assertNotEqual(self.main(), before)
                self.assertEqual(found.stdout, f"process {self.main()} has taken over from {before}{more}\n")


class OrderTests(test_resume.ResumeCase):
    """
    An order that is under way when the process is replaced.
    """

    async def handsOver(self, spoil: Callable[[], object], told: str) -> None:
        """
        An order begins, and somebody asks for another process.

        @param spoil: Has a hand in that.
        @param told: What the log has then.
        """
        self.ports = freePorts(2)
        authority: Any = Authority(
            reactor, httpPort=self.ports[0], tlsPort=self.ports[1], validationDelay=4.0
        )
        await authority.start()
        self.addCleanup(authority.stop)
        authority.caFile = os.path.abspath(self.mktemp())
        Path(authority.caFile).write_bytes(authority.root)
        self.prepare(authority, "one.example")
        process = self.begin()
        pidfile = self.directory / "twistd.pid"

        def end() -> None:
            if pidfile.exists() and isAlive(pid := int(pidfile.read_text())):
                os.kill(pid, signal.SIGKILL)

        self.addCleanup(end)
        await process.until(lambda: self.notes().get("answers"))
        spoil()
        before = int(pidfile.read_text())
        os.kill(before, signal.SIGUSR2)
        await process.until(lambda: told in process.said)
        await process.until(lambda: "Serving a certificate for one.example" in process.said)
        (await test_resume.Client(authority.root).connect(self.ports[1], "one.example")).close()
        await process.until(lambda: not self.notes())
        self.assertEqual((authority.accounts, authority.orders, authority.issued), (1, 1, 1))
        self.assertNotIn("Traceback", process.said)
        os.kill(int(pidfile.read_text()), signal.SIGTERM)
        await process.ended

    @story
    async def test_order(self) -> None:
        """
        The next process finishes it: there is no second one.
        """
        await self.handsOver(lambda: None, "has taken over")

    @story
    async def test_backAgain(self) -> None:
        """
        When the next process fails after it was given everything, the one before finishes it.
        """

        def spoil() -> None:
            other = self.directory / "other"
            other.mkdir()
            other.chmod(0o777)
            path = self.directory / "smartproxy.json"
            path.write_text(path.read_text().replace('"state_dir": "state"', '"state_dir": "other"'))

        await self.handsOver(spoil, "can be written by others")


class ManagedTests(test_systemd.ManagedCase):
    """
    Under a service manager.
    """

    def test_managed(self) -> None:
        """
        It is told which process is the main one, by the one that was, before that one
        speaks, and hears nothing of the end of the one before.
        """
        manager = self.manager(test_systemd.dualStack())
        port = manager.ports[0]
        with manager.service(self.configure(manager.ports), self.log) as process:
            manager.until("READY=1")
            manager.until("STATUS=Serving")
            process.send_signal(signal.SIGUSR2)
            *_, told = manager.until("MAINPID=")
            pid = int(told.removeprefix("MAINPID="))
            try:
                heard = manager.until("READY=1")
                self.assertEqual(heard[-1], "READY=1")
                self.assertEqual(process.wait(PATIENCE), 0)
                self.assertTrue(self.ask(port).endswith(b"ok"))
                self.assertNotIn("STOPPING", "".join((*heard, *manager.rest())))
            finally:
                os.kill(pid, signal.SIGTERM)
            manager.until("STOPPING=1")
            end = time.monotonic() + PATIENCE
            while isAlive(pid) and time.monotonic() < end:
                time.sleep(0.02)
            self.assertFalse(isAlive(pid))
        # It is the manager's, and was shut down by nobody.
        socket.create_connection((HERE, port), timeout=PATIENCE).close()
