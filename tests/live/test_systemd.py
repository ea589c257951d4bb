"""
A real C{twistd} under a service manager that is played here: it opens the sockets, hands
them over, is told how it stands, and begins another one in its place.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from tests.live.running import PATIENCE, opened
from tests.live.test_process import TWISTD, freePort
from tests.test_tap import environment

HERE = "127.0.0.1"

#: What systemd does between the fork and the program: the descriptors are at their places
#: from 3 on, and the process knows that they are for it.
SHIM = """
import os, sys
given = [int(word) for word in sys.argv[1].split(",") if word]
for index, descriptor in enumerate(given):
    os.dup2(descriptor, 3 + index, inheritable=True)
    os.close(descriptor)
os.environ["LISTEN_PID"] = os.environ["WATCHDOG_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(given))
os.execv(sys.argv[2], sys.argv[2:])
"""

# The way there and back to the far side of the world, in seconds.
_FAR = 0.3
# From there on the shim finds the sockets, so that none of them is in the way of another.
_HIGH = 100


class Manager:
    """
    The service manager: its sockets, its ear, its store, and the processes that it begins.
    """

    def __init__(
        self,
        directory: Path,
        sockets: Sequence[socket.socket],
        *,
        isAbstract: bool = False,
        room: int | None = None,
    ) -> None:
        self.directory = directory
        self.sockets = sockets
        self.room = room
        self.store: dict[str, socket.socket] = {}
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.settimeout(PATIENCE)
        self._short = TemporaryDirectory()
        if isAbstract:
            self.address = f"@smartproxy-live-{os.getpid()}"
            self.ear.bind(f"\0{self.address[1:]}")
        else:
            self.address = os.path.join(self._short.name, "notify")
            self.ear.bind(self.address)

    def close(self) -> None:
        """
        Be gone.
        """
        for each in (*self.sockets, *self.store.values(), self.ear):
            each.close()
        self._short.cleanup()

    @property
    def ports(self) -> list[int]:
        """
        Where the sockets listen.
        """
        return [each.getsockname()[1] for each in self.sockets]

    @contextmanager
    def service(
        self, words: Sequence[str], log: Path, watchdog: int | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """
        Begin the service, and see that it ends.
        """
        environ = {**environment(), "NOTIFY_SOCKET": self.address}
        if watchdog is not None:
            environ["WATCHDOG_USEC"] = str(watchdog)
        with ExitStack() as stack:
            if self.room is not None:
                environ["FDSTORE"] = str(self.room)
            names = [*("smartproxy.socket" for _ in self.sockets), *self.store]
            environ["LISTEN_FDNAMES"] = ":".join(names)
            given = []
            for each in (*self.sockets, *self.store.values()):
                given.append(fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, _HIGH))
                stack.callback(os.close, given[-1])
            with log.open("ab") as out:
                process = subprocess.Popen(
                    [sys.executable, "-c", SHIM, ",".join(map(str, given)), *words],
                    cwd=self.directory,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    pass_fds=given,
                )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def until(self, word: str) -> list[str]:
        """
        Hear messages up to one.
        """
        heard: list[str] = []
        while not heard or word not in heard[-1]:
            heard.append(self.hear())
        return heard

    def hear(self) -> str:
        """
        Hear a message, and do as it says with what is stored.
        """
        data, descriptors, _, _ = socket.recv_fds(self.ear, 65536, 8)
        text = data.decode()
        said = dict(line.split("=", 1) for line in text.splitlines())
        if "FDSTORE" in said:
            # As systemd does with what it has already.
            (found,) = (socket.socket(fileno=each) for each in descriptors)
            self.store.setdefault(said["FDNAME"], found)
        elif "FDSTOREREMOVE" in said and (gone := self.store.pop(said["FDNAME"], None)) is not None:
            gone.close()
        return text

    def rest(self) -> list[str]:
        """
        What was said and not heard yet.
        """
        heard = []
        self.ear.setblocking(False)
        try:
            while True:
                heard.append(self.hear())
        except BlockingIOError:
            return heard
        finally:
            self.ear.settimeout(PATIENCE)


class ManagedCase(SynchronousTestCase):
    """
    A directory, a manager and a configuration.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir(parents=True)
        self.log = self.directory / "log"

    def manager(self, *sockets: socket.socket, isAbstract: bool = False, room: int | None = None) -> Manager:
        """
        A manager of these sockets, with room for so many that are left with it.
        """
        manager = Manager(self.directory, sockets, isAbstract=isAbstract, room=room)
        self.addCleanup(manager.close)
        return manager

    def configure(self, ports: Sequence[int], *lines: str) -> list[str]:
        """
        Have a route on each port.

        @return: How to run it.
        """
        routes = [
            f"  - {{name: r{port}, match: {{ports: {port}, path: /}}, action: {{type: respond, body: ok}}}}"
            for port in ports
        ]
        text = "\n".join(["state_dir: state", "access_log: {format: off}", *lines, "routes:", *routes, ""])
        (self.directory / "proxy.yaml").write_text(text)
        return [*TWISTD, "-n", "--pidfile=", "smartproxy", "--config", "proxy.yaml"]

    def ask(self, port: int, host: str = HERE) -> bytes:
        """
        A request on a connection of its own, and all of the answer.
        """
        with socket.create_connection((host, port), timeout=PATIENCE) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
            answer = b""
            while part := client.recv(65536):
                answer += part
        return answer


def dualStack() -> socket.socket:
    """
    C{ListenStream=PORT}, as systemd opens it.
    """
    return socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)


class HandedOverTests(ManagedCase):
    """
    Sockets, from the first connection to the last message.
    """

    def life(self, manager: Manager, words: Sequence[str]) -> None:
        """
        Whoever came before there was a proxy is answered, and by then, or at once
        after, the manager knows that it serves; and it hears of the end.
        """
        port = manager.ports[0]
        with socket.create_connection((HERE, port), timeout=PATIENCE) as early:
            early.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with manager.service(words, self.log, watchdog=3_000_000) as process:
                self.assertTrue(early.recv(65536).startswith(b"HTTP/1.1 200 OK"), self.log.read_text())
                *before, ready = manager.until("READY=1")
                self.assertIn("STATUS=Starting", before)
                self.assertEqual(ready, "READY=1")
                manager.until(f"STATUS=Serving [::]:{port}")
                # Twice as often as it has to, with seconds to spare on a busy machine.
                began = time.monotonic()
                for _ in range(3):
                    manager.until("WATCHDOG=1")
                self.assertLess(time.monotonic() - began, 3 * 3)
                for host in (HERE, "::1"):
                    self.assertTrue(self.ask(port, host).endswith(b"ok"))
                process.terminate()
                self.assertIn("EXTEND_TIMEOUT_USEC=", manager.until("STOPPING=1")[-1])
                self.assertEqual(process.wait(PATIENCE), -signal.SIGTERM)
        # Nothing was shut down: the next one would find it listening.
        socket.create_connection((HERE, port), timeout=PATIENCE).close()

    def test_inOneProcess(self) -> None:
        """
        In one process, told by a socket in the file system.
        """
        manager = self.manager(dualStack())
        self.life(manager, self.configure(manager.ports))

    def test_inWorkers(self) -> None:
        """
        In two, told by an abstract socket; no worker has heard of the manager.
        """
        manager = self.manager(dualStack(), isAbstract=True)
        words = self.configure(manager.ports, "workers: 2")
        self.life(manager, words)
        with manager.service(words, self.log) as process:
            manager.until("READY=1")
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            self.assertEqual(len(children), 2)
            for child in children:
                names = Path(f"/proc/{child}/environ").read_bytes()
                self.assertNotIn(b"LISTEN_", names)
                self.assertNotIn(b"NOTIFY_SOCKET", names)

    def test_daemon(self) -> None:
        """
        A process that becomes a daemon keeps the sockets, and says which process it is
        now.
        """
        manager = self.manager(dualStack())
        port = manager.ports[0]
        *_, name, option, file = self.configure(manager.ports)
        words = [*TWISTD, "--pidfile=twistd.pid", "--logfile=twistd.log", name, option, file]
        with manager.service(words, self.log) as process:
            ready = manager.until("READY=1")[-1]
            pid = int((self.directory / "twistd.pid").read_text())
            try:
                self.assertEqual(process.wait(PATIENCE), 0)
                self.assertEqual(ready, f"READY=1\nMAINPID={pid}")
                self.assertTrue(self.ask(port).endswith(b"ok"))
            finally:
                os.kill(pid, signal.SIGTERM)
            manager.until("STOPPING=1")
            deadline = time.monotonic() + PATIENCE
            while (self.directory / "twistd.pid").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            self.assertFalse((self.directory / "twistd.pid").exists())

    def test_oneOfEach(self) -> None:
        """
        What is not wanted is closed and told, and what was not handed over is bound.
        """
        manager = self.manager(dualStack(), dualStack())
        wanted, unwanted = manager.ports
        own = freePort()
        with manager.service(self.configure((wanted, own)), self.log) as process:
            manager.until("READY=1")
            self.assertIn(f"[::]:{own}", manager.until("STATUS=Serving")[-1])
            self.assertTrue(self.ask(wanted).endswith(b"ok"))
            self.assertTrue(self.ask(own).endswith(b"ok"))
            inode = os.fstat(manager.sockets[1].fileno()).st_ino
            self.assertNotIn(f"socket:[{inode}]", opened(process.pid))
        self.assertIn(
            f"'smartproxy.socket' on [::]:{unwanted} was handed over and is closed here", self.log.read_text()
        )

    def test_refused(self) -> None:
        """
        A start that fails says why to the manager too, and never that it is ready.
        """
        manager = self.manager(dualStack())
        with socket.create_server((HERE, 0)) as taken:
            number = taken.getsockname()[1]
            with manager.service(self.configure((number,), f"bind: [{HERE}]"), self.log) as process:
                self.assertEqual(process.wait(PATIENCE), 1)
        heard = manager.rest()
        self.assertTrue(heard[-1].startswith(f"STATUS=Cannot listen on {HERE}:{number}"), heard)
        self.assertFalse([each for each in heard if "READY" in each])

    def test_blocked(self) -> None:
        """
        A process that stands still gives no sign of life.
        """
        manager = self.manager(dualStack())
        with manager.service(self.configure(manager.ports), self.log, watchdog=400_000) as process:
            manager.until("READY=1")
            process.send_signal(signal.SIGSTOP)
            os.waitpid(process.pid, os.WUNTRACED)
            manager.rest()
            manager.ear.settimeout(1.0)
            self.assertRaises(TimeoutError, manager.ear.recv, 65536)
            process.send_signal(signal.SIGCONT)
            manager.until("WATCHDOG=1")


class Crowd:
    """
    Clients that come all the time, each with a connection of its own; every other one
    is far away, and speaks only a while after it has connected.
    """

    def __init__(
        self, port: int, number: int = 8, request: bytes = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
    ) -> None:
        self.port = port
        self._request = request
        self.answered = 0
        self.lost: list[str] = []
        self._isOver = False
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._come, args=(each % 2 * _FAR,), daemon=True)
            for each in range(number)
        ]
        for each in self._threads:
            each.start()

    def end(self) -> None:
        """
        Come no more.
        """
        self._isOver = True
        for each in self._threads:
            each.join(PATIENCE)

    def _come(self, pause: float) -> None:
        while not self._isOver:
            try:
                with socket.create_connection((HERE, self.port), timeout=PATIENCE) as client:
                    time.sleep(pause)
                    client.sendall(self._request)
                    answer = client.recv(65536)
            except OSError as why:
                outcome = repr(why)
            else:
                outcome = "" if answer.startswith(b"HTTP/1.1 200") else f"the answer {answer!r}"
            with self._lock:
                if outcome:
                    self.lost.append(outcome)
                else:
                    self.answered += 1


class RestartTests(ManagedCase):
    """
    Another process in place of one, on the same sockets.
    """

    def restart(self, words: Sequence[str], manager: Manager) -> None:
        """
        Five restarts under load, none of which a client that connects notices.
        """
        with ExitStack() as stack:
            process = stack.enter_context(manager.service(words, self.log))
            manager.until("READY=1")
            crowd = Crowd(manager.ports[0])
            stack.callback(crowd.end)
            for _ in range(5):
                answered = crowd.answered
                deadline = time.monotonic() + PATIENCE
                while crowd.answered < answered + 100 and time.monotonic() < deadline:
                    time.sleep(0.01)
                process.terminate()
                process.wait(PATIENCE)
                process = stack.enter_context(manager.service(words, self.log))
                manager.until("READY=1")
            crowd.end()
            self.assertEqual(crowd.lost, [])
            self.assertGreater(crowd.answered, 500)

    def test_inOneProcess(self) -> None:
        """
        In one process.
        """
        manager = self.manager(dualStack())
        self.restart(self.configure(manager.ports), manager)

    def test_inWorkers(self) -> None:
        """
        In two workers.
        """
        manager = self.manager(dualStack())
        self.restart(self.configure(manager.ports, "workers: 2"), manager)
