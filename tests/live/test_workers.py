"""
Workers as processes: killed, stopped, asked to end, and left alone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from smartproxy_tw.config.model import AccessLog, Config, Respond, Route, Timeouts
from smartproxy_tw.control.hand import Patience
from smartproxy_tw.control.supervisor import Supervisor
from smartproxy_tw.facts import HTTP01
from smartproxy_tw.service.errors import StartError
from smartproxy_tw.service.tree import SmartProxy

from .running import PATIENCE, opened
from .test_process import HERE, TWIST, TWISTD, ProcessCase, freePort

reactor: Any = _reactor


def ask(port: int, path: str = "/", *, timeout: float = PATIENCE) -> bytes:
    """
    One request on a connection of its own.
    """
    with socket.create_connection((HERE, port), timeout=timeout) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def workersOf(pid: int) -> list[int]:
    """
    The children of a process that are there, zombies too.
    """
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = Path(f"/proc/{name}/stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(name))
    return sorted(found)


def isThere(pid: int) -> bool:
    """
    Whether a process is there and no zombie.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def talk(connection: socket.socket) -> bool:
    """
    One request on a connection that stays.

    @return: Whether there was an answer.
    """
    try:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        return b"hello" in connection.recv(65536)
    except OSError:
        return False


class EmbeddedWorkerTests(TestCase):
    """
    A proxy with two workers, in a program of somebody's own.
    """

    timeout = 900

    def setUp(self) -> None:
        self.port = freePort()
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: dict[str, Any]) -> None:
        """
        The log.
        """
        self.events.append(event)

    def logged(self, name: str) -> list[dict[str, Any]]:
        """
        The events of a name.
        """
        return [event for event in self.events if event.get("event") == name]

    def config(self, **others: Any) -> Config:
        """
        One route.
        """
        others.setdefault("accessLog", AccessLog("off"))
        others.setdefault("timeouts", Timeouts(drain=1.0))
        route = Route("only", (self.port,), Respond(body="hello"), "http", ("a.test",))
        state = os.path.abspath(self.mktemp())
        return Config((route,), state, bind=(HERE,), workers=2, **others)

    async def begin(self, patience: Patience | None = None, **others: Any) -> None:
        """
        It serves.
        """

        def plane() -> Supervisor:
            self.plane = Supervisor(reactor, 2, patience=patience)
            return self.plane

        self.proxy = SmartProxy(self.config(**others), reactor, plane=plane)
        self.addCleanup(self.proxy.stopService)
        self.proxy.startService()
        await self.proxy.whenReady()

    async def until(self, claim: Callable[[], object]) -> float:
        """
        Wait for something that will be so.

        @return: How long it took.
        """
        began = time.monotonic()
        while not claim():
            await deferLater(reactor, 0.01)
        return time.monotonic() - began

    def isWhole(self) -> bool:
        """
        Whether both workers serve.
        """
        hands = self.plane._crew.hands.values()
        return len(hands) == 2 and all(hand.isSettled for hand in hands)

    async def _killed(self) -> None:
        began = time.monotonic()
        await self.begin()
        start = time.monotonic() - began
        before = dict(self.plane.pids)
        victim = before[1]
        assert victim is not None
        had = self.descriptors()
        kept = await self.keep(20)
        # Which of them takes a connection is the kernel's choice; on a starved machine one may take many.
        while min(held := [now - then for now, then in zip(self.descriptors(), had, strict=True)]) < 5:
            kept += await self.keep(1)
            self.assertLess(len(kept), 1000, "each of them accepts")
        os.kill(victim, signal.SIGKILL)
        # Nobody who comes meanwhile is refused.
        for _ in range(5):
            self.assertIn(b"hello", await deferToThread(ask, self.port))
        took = await self.until(lambda: self.plane.pids.get(1) != victim and self.isWhole())
        self.assertLess(took, 5.0 + start, "nothing but its start is waited for, however slow that is here")
        alive = [await deferToThread(talk, each) for each in kept]
        self.assertEqual(sum(alive), held[1], "the other one keeps its connections, each of them")
        self.assertEqual(self.plane.pids[2], before[2])
        (died,) = self.logged("worker-died")
        self.assertEqual((died["worker"], died["pid"], died["how"]), (1, victim, "ended by signal 9"))
        await self.proxy.stopService()
        self.assertEqual([pid for pid in workersOf(os.getpid()) if pid in before.values()], [])

    def test_killed(self) -> Deferred[None]:
        """
        A worker that is killed is back, nobody who connects meanwhile is refused,
        and the connections of the other one go on.
        """
        return Deferred.fromCoroutine(self._killed())

    def descriptors(self) -> list[int]:
        """
        How many descriptors each worker has open, in the order of their numbers.
        """
        pids = [pid for _, pid in sorted(self.plane.pids.items()) if pid is not None]
        return [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]

    async def keep(self, number: int) -> list[socket.socket]:
        """
        So many connections, one after the other, each of which has had an answer.
        """
        kept: list[socket.socket] = []
        self.addCleanup(lambda: [each.close() for each in kept])
        for _ in range(number):
            kept.append(await deferToThread(socket.create_connection, (HERE, self.port)))
            self.assertTrue(await deferToThread(talk, kept[-1]))
        return kept

    async def _shared(self) -> None:
        await self.begin()
        before = self.descriptors()
        await self.keep(100)
        took = [now - then for now, then in zip(self.descriptors(), before, strict=True)]
        self.assertEqual(sum(took), 100)
        self.assertGreaterEqual(min(took), 20)

    def test_shared(self) -> Deferred[None]:
        """
        Connections that come one by one and stay do not all end up with the same
        worker.
        """
        return Deferred.fromCoroutine(self._shared())

    async def _slowToPresent(self) -> None:
        await self.begin()
        slow = self.plane.pids[2]
        assert slow is not None
        os.kill(slow, signal.SIGSTOP)
        challenge = HTTP01("a.test", "t" * 22, "t" * 22 + ".x")
        done = self.plane.present(challenge)
        told: list[object] = []
        done.addBoth(told.append)
        await deferLater(reactor, 0.3)
        self.assertEqual(told, [], "the last one has not heard of it")
        os.kill(slow, signal.SIGCONT)
        await done
        self.assertEqual(self.logged("worker-died"), [])

    def test_slowToPresent(self) -> Deferred[None]:
        """
        A challenge is not presented before the slowest worker has it.
        """
        return Deferred.fromCoroutine(self._slowToPresent())

    async def _hangs(self) -> None:
        await self.begin(Patience(answer=4, start=60))
        stopped = self.plane.pids[2]
        assert stopped is not None
        os.kill(stopped, signal.SIGSTOP)
        await self.plane.present(HTTP01("a.test", "t" * 22, "t" * 22 + ".x"))
        self.assertFalse(isThere(stopped))
        self.assertIn("it did not answer for 4 s", self.logged("worker-died")[0]["how"])
        await self.until(self.isWhole)

    def test_hangs(self) -> Deferred[None]:
        """
        A worker that hangs is killed and replaced after a bounded time, and only
        that long a challenge waits for it.
        """
        return Deferred.fromCoroutine(self._hangs())

    async def _asked(self) -> None:
        await self.begin()
        asked = self.plane.pids[1]
        assert asked is not None
        connection = socket.create_connection((HERE, self.port))
        self.addCleanup(connection.close)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
            os.kill(asked, number)
        await deferLater(reactor, 0.2)
        self.assertEqual(self.plane.pids[1], asked)
        os.kill(asked, signal.SIGTERM)
        await self.until(lambda: self.plane.pids[1] != asked and self.isWhole())
        await self.until(lambda: not isThere(asked))
        self.assertEqual((len(self.logged("worker-leaves")), self.logged("worker-died")), (1, []))

    def test_asked(self) -> Deferred[None]:
        """
        A worker ignores what is for the supervisor; on SIGTERM it drains, and is
        replaced.
        """
        return Deferred.fromCoroutine(self._asked())

    async def _told(self) -> None:
        await self.begin()
        for _ in range(3):
            await deferToThread(ask, self.port, "/")
        with socket.create_connection((HERE, self.port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            connection.recv(1000)
        await self.until(lambda: self.logged("request-refused"))
        (event,) = self.logged("request-refused")
        self.assertIn(event["worker"], (1, 2))
        self.assertIn("smartproxy_tw.plane", event["log_namespace"])

    def test_told(self) -> Deferred[None]:
        """
        What a worker has to tell is in the log once, with its number.
        """
        return Deferred.fromCoroutine(self._told())

    async def _secrets(self) -> None:
        os.environ["SMARTPROXY_TEST_SECRET"] = "hunter2"
        self.addCleanup(os.environ.pop, "SMARTPROXY_TEST_SECRET")
        inherited = os.open("/dev/null", os.O_RDONLY)
        os.set_inheritable(inherited, True)
        self.addCleanup(os.close, inherited)
        await self.begin()
        for pid in self.plane.pids.values():
            assert pid is not None
            for name in ("environ", "cmdline"):
                self.assertNotIn(b"hunter2", Path(f"/proc/{pid}/{name}").read_bytes())
            names = opened(pid)
            self.assertFalse([name for name in names if name.startswith(self.proxy.config.stateDir)])
            self.assertLess(len(names), 16)

    def test_secrets(self) -> Deferred[None]:
        """
        A worker knows nothing of the environment, and has no descriptor that is
        none of its business.
        """
        return Deferred.fromCoroutine(self._secrets())

    async def _noneCanStart(self) -> None:
        self.patch(__import__("sys"), "executable", "/bin/false")
        proxy = SmartProxy(self.config(), reactor)
        self.addCleanup(proxy.stopService)
        proxy.startService()
        why = await self.assertFailure(proxy.whenReady(), StartError)
        self.assertIn("No worker can be started: worker", str(why))
        self.assertIn("ended with status 1", str(why))
        socket.create_server((HERE, self.port)).close()

    def test_noneCanStart(self) -> Deferred[None]:
        """
        When no worker can start, the start fails with one message, and the ports
        are free again.
        """
        return Deferred.fromCoroutine(self._noneCanStart())

    async def _stoppedMeanwhile(self) -> None:
        for delay in (0.0, 0.05, 0.2):
            proxy = SmartProxy(self.config(), reactor)
            before = set(workersOf(os.getpid()))
            proxy.startService()
            proxy.whenReady().addErrback(lambda _: None)
            await deferLater(reactor, delay)
            await proxy.stopService()
            self.assertEqual(set(workersOf(os.getpid())) - before, set())

    def test_stoppedMeanwhile(self) -> Deferred[None]:
        """
        Stopped while its workers start, it leaves none.
        """
        return Deferred.fromCoroutine(self._stoppedMeanwhile())


class ProcessWorkerTests(ProcessCase):
    """
    Whole processes.
    """

    def setUp(self) -> None:
        super().setUp()
        (self.directory / "proxy.yaml").write_text(
            f"bind: ['{HERE}']\n"
            "state_dir: ./state\n"
            "workers: 2\n"
            "access_log: {format: json, file: ./access.log}\n"
            "timeouts: {drain: 1}\n"
            "routes:\n"
            "  - name: hello\n"
            f"    match: {{ports: {self.http}}}\n"
            "    action: {type: respond, body: hello}\n"
            "  - name: secure\n"
            f"    match: {{ports: {self.https}, domains: [a.localhost]}}\n"
            "    action: {type: respond, body: hello, tls: {mode: terminate, certificate: internal}}\n"
        )

    words = ["smartproxy", "--config", "proxy.yaml"]  # type: ignore[assignment]

    @contextmanager
    def serving(self, command: list[str]) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
        """
        A process and its workers.
        """
        with self.going([*command, *self.words]) as process:
            self.until(process, "Listening on|listening")
            workers = workersOf(process.pid)
            self.assertEqual(len(workers), 2)
            try:
                yield process, workers
            finally:
                process.kill()
                self.gone(workers)

    def gone(self, workers: list[int]) -> None:
        """
        See that processes end by themselves.
        """
        end = time.monotonic() + PATIENCE
        while any(map(isThere, workers)):
            if time.monotonic() > end:
                for each in workers:
                    if isThere(each):
                        os.kill(each, signal.SIGKILL)
                self.fail(f"{workers} did not end")
            time.sleep(0.02)

    def test_twistd(self) -> None:
        """
        C{twistd -n} serves with workers, each line of the access log is whole, and
        on SIGTERM all of them end.
        """
        with self.serving([*TWISTD, "-n"]) as (process, workers):
            self.shakeHands()
            for _ in range(20):
                self.assertIn(b"hello", ask(self.http))
            process.terminate()
            self.until(process, "Server Shut Down")
            self.assertEqual(process.wait(PATIENCE), -signal.SIGTERM)
            self.assertFalse(any(map(isThere, workers)))
        lines = (self.directory / "access.log").read_text().splitlines()
        self.assertEqual([json.loads(line)["status"] for line in lines], [200] * 20)

    def test_twist(self) -> None:
        """
        C{twist} likewise.
        """
        with self.serving([*TWIST]) as (process, workers):
            self.assertIn(b"hello", ask(self.http))
            process.terminate()
            process.communicate(timeout=PATIENCE)
            self.assertFalse(any(map(isThere, workers)))

    def test_interrupt(self) -> None:
        """
        An interrupt at the terminal, which reaches every process of the group,
        ends all in order and without a traceback.
        """
        # What runs the tests in the background may have interrupts ignored.
        with self.serving(["setsid", "env", "--default-signal=INT", *TWISTD, "-n"]) as (process, workers):
            os.killpg(process.pid, signal.SIGINT)
            rest = "".join(self.until(process, "Server Shut Down"))
            process.wait(PATIENCE)
            self.assertFalse(any(map(isThere, workers)))
        for unwelcome in ("Traceback", "worker-died", "wrote:", "another takes its place"):
            self.assertNotIn(unwelcome, rest)

    def test_supervisorKilled(self) -> None:
        """
        A supervisor that is killed leaves no worker beyond the drain, and a
        successor can have its ports at once.
        """
        file = self.directory / "proxy.yaml"
        # Only the end of the drain ends a connection on which a request is begun.
        file.write_text(file.read_text().replace("{drain: 1}", "{drain: 3, head: 300}"))
        with self.serving([*TWISTD, "-n"]) as (process, workers):
            held = socket.create_connection((HERE, self.http))
            self.addCleanup(held.close)
            # In one piece: when the first request is answered the second one has been begun.
            held.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\nGET / HTTP/1.1\r\n")
            self.assertIn(b"hello", held.recv(65536))
            process.kill()
            process.wait()
            end = time.monotonic() + PATIENCE
            while True:
                try:
                    socket.create_server((HERE, self.http)).close()
                    break
                except OSError:
                    self.assertLess(time.monotonic(), end, "the port is not free")
                    time.sleep(0.02)
            self.assertTrue(any(map(isThere, workers)), "the port was free before the end of the drain")
            self.gone(workers)

    def test_daemon(self) -> None:
        """
        A daemon serves with workers too, and ends with all of them.
        """
        ran = self.end([*TWISTD, *self.words])
        self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "", ""))
        number = int((self.directory / "twistd.pid").read_text())
        try:
            self.assertIn(b"hello", ask(self.http))
            workers = workersOf(number)
            self.assertEqual(len(workers), 2)
        finally:
            os.kill(number, signal.SIGTERM)
        self.gone([number, *workers])
        self.assertNotIn("Traceback", (self.directory / "twistd.log").read_text())
        self.assertFalse((self.directory / "twistd.pid").exists())
