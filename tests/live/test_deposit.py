"""
Sockets that a real C{twistd} leaves with a service manager that is played here, and that
the next process is handed: after a crash, a restart, an upgrade, and with another
configuration.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import ExitStack

from smartproxy_tw.service.deposit import PREFIX
from tests.live.running import PATIENCE
from tests.live.test_process import freePort
from tests.live.test_systemd import HERE, Crowd, ManagedCase
from tests.live.test_upgrade import isAlive


class DepositCase(ManagedCase):
    """
    A manager with room, and ports that the proxy binds itself.
    """

    def setUp(self) -> None:
        super().setUp()
        self.plain, self.other = freePort(), freePort()
        self.store = self.manager(room=16)

    def names(self, *ports: int, host: str = "__") -> set[str]:
        """
        What the sockets of these ports are called.
        """
        return {f"{PREFIX}tcp/{host}/{port}" for port in ports}

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """
        As the kernel does for want of memory.
        """
        process.kill()
        process.wait(PATIENCE)


class CrashTests(DepositCase):
    """
    A process that is gone without a word.
    """

    def crash(self, *lines: str) -> None:
        """
        Who connects while there is none waits for the next one.
        """
        words = self.configure((self.plain,), *lines)
        with self.store.service(words, self.log) as process:
            heard = self.store.until("READY=1")
            self.assertEqual(set(self.store.store), self.names(self.plain))
            # Before it is ready: so it is there whenever something is served.
            self.assertTrue(any(each.startswith("FDSTORE=1\nFDNAME=") for each in heard[:-1]), heard)
            self.assertTrue(self.ask(self.plain).endswith(b"ok"))
            self.kill(process)
        for host in (HERE, "::1"):
            with socket.create_connection((host, self.plain), timeout=PATIENCE) as early:
                early.sendall(b"GET / HTTP/1.0\r\n\r\n")
                with self.store.service(words, self.log) as process:
                    answer = early.recv(65536)
                    self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"), self.log.read_text())
                    self.store.until("READY=1")
                    self.assertEqual(set(self.store.store), self.names(self.plain))
                    self.kill(process)
        self.assertNotIn("socket-unused", self.log.read_text())

    def test_inOneProcess(self) -> None:
        """
        In one process.
        """
        self.crash()

    def test_inWorkers(self) -> None:
        """
        In two workers.
        """
        self.crash("workers: 2")

    def underLoad(self, *lines: str) -> None:
        """
        Nobody is refused in five restarts, and in three crashes nobody who connects while
        there is no process.
        """
        words = self.configure((self.plain,), *lines)
        with ExitStack() as stack:
            process = stack.enter_context(self.store.service(words, self.log))
            self.store.until("READY=1")
            crowd = Crowd(self.plain)
            stack.callback(crowd.end)
            for number in range(8):
                answered = crowd.answered
                deadline = time.monotonic() + PATIENCE
                while crowd.answered < answered + 100 and time.monotonic() < deadline:
                    time.sleep(0.01)
                process.send_signal(signal.SIGTERM if number < 5 else signal.SIGKILL)
                process.wait(PATIENCE)
                process = stack.enter_context(self.store.service(words, self.log))
                self.store.until("READY=1")
                if number == 4:
                    self.assertEqual(crowd.lost, [])
            crowd.end()
            # Who was being served by a process that is killed is lost with it, and nobody else.
            self.assertEqual([each for each in crowd.lost if "Refused" in each or "Timeout" in each], [])
            self.assertGreater(crowd.answered, 500)

    def test_loadInOneProcess(self) -> None:
        """
        In one process.
        """
        self.underLoad()

    def test_loadInWorkers(self) -> None:
        """
        In two workers.
        """
        self.underLoad("workers: 2")


class ChangeTests(DepositCase):
    """
    Another configuration.
    """

    def until(self, names: set[str]) -> None:
        """
        Hear what is said until the manager has what it should.
        """
        while set(self.store.store) != names:
            self.store.hear()

    def test_reload(self) -> None:
        """
        A port that a reload brings is left with the manager, one that it drops is taken
        out and refuses at once, although the manager is slow; and it can come back.
        """
        words = self.configure((self.plain, self.other))
        with self.store.service(words, self.log) as process:
            self.store.until("READY=1")
            self.until(self.names(self.plain, self.other))
            # Not socket.dup(), which has the proxy's own wait too.
            self.addCleanup(os.close, os.dup(self.store.store[f"{PREFIX}tcp/__/{self.other}"].fileno()))
            self.configure((self.plain,))
            process.send_signal(signal.SIGHUP)
            self.until(self.names(self.plain))
            self.assertRaises(ConnectionRefusedError, socket.create_connection, (HERE, self.other))
            self.configure((self.plain, self.other))
            process.send_signal(signal.SIGHUP)
            self.until(self.names(self.plain, self.other))
            self.assertTrue(self.ask(self.other).endswith(b"ok"))

    def test_nextStart(self) -> None:
        """
        What the next process does not want any more is taken out, without a complaint:
        another port, and another address for the same one, in both directions.
        """
        with self.store.service(self.configure((self.plain, self.other)), self.log) as process:
            self.store.until("READY=1")
            self.kill(process)
        for lines, host in ((("bind: [127.0.0.1]",), HERE), ((), "__")):
            with self.store.service(self.configure((self.plain,), *lines), self.log) as process:
                self.until(self.names(self.plain, host=host))
                self.assertTrue(self.ask(self.plain).endswith(b"ok"))
                self.assertRaises(ConnectionRefusedError, socket.create_connection, (HERE, self.other))
                self.kill(process)
        self.assertNotIn("was handed over and is closed here", self.log.read_text())

    def test_noRoom(self) -> None:
        """
        Where the manager keeps fewer than there are, it has these and the log says so;
        where it keeps none nothing is said to it.
        """
        for room, count in ((1, 1), (0, 0), (None, 0)):
            self.store.room = room
            with self.store.service(self.configure((self.plain, self.other)), self.log) as process:
                self.store.until("READY=1")
                self.assertEqual(len(self.store.store), count)
                self.kill(process)
            self.store.rest()
            for each in self.store.store.values():
                each.close()
            self.store.store.clear()
        self.assertEqual(self.log.read_text().count("keeps 1 sockets of 2"), 1)


class BesideTests(DepositCase):
    """
    The ports beside those of routes.
    """

    def test_beside(self) -> None:
        """
        Those of the metrics, of the admin's questions and of the name server are left too,
        and nobody who comes to them is refused or forgotten: not in an upgrade, and not after
        a crash.
        """
        metrics, admin, names = freePort(), freePort(), freePort()
        zone = f"{{type: zone, zones: [p.test], name: ns.test, listen: '{HERE}:{names}'}}"
        words = self.configure(
            (self.plain,),
            f"metrics: {{listen: '{HERE}:{metrics}'}}",
            f"admin: {{listen: '{HERE}:{admin}', token: {'t' * 40}}}",
            f"acme: {{dns: {zone}}}",
        )
        expected = self.names(self.plain) | self.names(metrics, admin, names, host=HERE)
        expected.add(f"{PREFIX}udp/{HERE}/{names}")
        query = bytes.fromhex("123400000001000000000000") + b"\x01p\x04test\0\0\x06\0\x01"
        with self.store.service(words, self.log) as process, socket.socket(type=socket.SOCK_DGRAM) as asker:
            self.store.until("READY=1")
            while set(self.store.store) != expected:
                self.store.hear()
            crowd = Crowd(metrics, 4, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            self.addCleanup(crowd.end)
            process.send_signal(signal.SIGUSR2)
            pid = int(self.store.until("MAINPID=")[-1].partition("MAINPID=")[2])
            try:
                self.assertEqual(process.wait(PATIENCE), 0)
                answered, deadline = crowd.answered, time.monotonic() + PATIENCE
                while crowd.answered < answered + 10 and time.monotonic() < deadline:
                    time.sleep(0.01)
                crowd.end()
                # Conversations are ended with the old process, as at a stop.
                others = [each for each in crowd.lost if "ConnectionReset" not in each and "b''" not in each]
                self.assertEqual(others, [])
                self.assertGreaterEqual(crowd.answered, answered + 10)
            finally:
                os.kill(pid, signal.SIGKILL)
            while isAlive(pid):
                time.sleep(0.01)
            self.assertEqual(set(self.store.store), expected)
            asker.settimeout(PATIENCE)
            asker.connect((HERE, names))
            asker.send(query)
            with socket.create_connection((HERE, metrics), timeout=PATIENCE) as early:
                early.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
                with self.store.service(words, self.log):
                    self.assertTrue(early.recv(65536).startswith(b"HTTP/1.1 200"), self.log.read_text())
                    self.assertEqual(asker.recv(4096)[:2], query[:2])
        self.assertNotIn("and it goes on without", self.log.read_text())


class UpgradeTests(DepositCase):
    """
    Another process in place of one.
    """

    def upgrade(self, *lines: str) -> None:
        """
        The next process goes on with the store, and what it does not want is taken out;
        when it is killed, its successor is handed what it had.
        """
        words = self.configure((self.plain, self.other), *lines)
        with self.store.service(words, self.log) as process:
            self.store.until("READY=1")
            self.configure((self.plain,), *lines)
            process.send_signal(signal.SIGUSR2)
            pid = int(self.store.until("MAINPID=")[-1].partition("MAINPID=")[2])
            self.assertNotEqual(pid, process.pid)
            try:
                self.assertEqual(process.wait(PATIENCE), 0)
                while set(self.store.store) != self.names(self.plain):
                    self.store.hear()
                self.assertTrue(self.ask(self.plain).endswith(b"ok"))
                self.assertRaises(ConnectionRefusedError, socket.create_connection, (HERE, self.other))
            finally:
                os.kill(pid, signal.SIGKILL)
            while isAlive(pid):
                time.sleep(0.01)
        with socket.create_connection((HERE, self.plain), timeout=PATIENCE) as early:
            early.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with self.store.service(words, self.log):
                self.assertTrue(early.recv(65536).startswith(b"HTTP/1.1 200 OK"), self.log.read_text())

    def test_inOneProcess(self) -> None:
        """
        In one process.
        """
        self.upgrade()

    def test_inWorkers(self) -> None:
        """
        In two workers.
        """
        self.upgrade("workers: 2")
