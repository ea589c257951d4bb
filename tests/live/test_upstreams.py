"""
Targets as processes: killed under load, looked at, drained, and still known after a reload.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from smartproxy_tw.commands.admin import asking

from .running import PATIENCE
from .test_process import HERE, TWISTD, ProcessCase, freePort

#: A server that answers each request in one piece, so that a kill falls between answers.  SIGTERM has it
#: listen no more, and then cut what it has: who is killed may do that the other way round, so that a request
#: meets the same end by its kept connection and by a new one, and has been sent twice then.
SERVER = """
import contextlib, os, signal, socket, sys, threading
def serve(sock):
    data = b""
    with contextlib.suppress(ConnectionError), sock:
        while True:
            while b"\\r\\n\\r\\n" not in data:
                more = sock.recv(65536)
                if not more:
                    return
                data += more
            head, _, data = data.partition(b"\\r\\n\\r\\n")
            body = sys.argv[2].encode()
            sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
server = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=512)
def end(number, frame):
    server.close()
    os._exit(0)
signal.signal(signal.SIGTERM, end)
print("there", flush=True)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


class Client(threading.Thread):
    """
    Somebody who asks on one connection until he is to stop.

    @ivar bodies: What he was answered.
    @ivar problems: Whatever was no answer with status 200.
    """

    def __init__(self, port: int, more: str = "") -> None:
        super().__init__(daemon=True)
        self._port = port
        self._request = f"GET / HTTP/1.1\r\nHost: a.test\r\n{more}\r\n".encode("ascii")
        self.bodies: list[str] = []
        self.problems: list[str] = []
        self.isToStop = False

    def run(self) -> None:
        """
        Ask.
        """
        try:
            # Nobody is to notice anything: who waits that long does.
            with socket.create_connection((HERE, self._port), timeout=30) as sock:
                while not self.isToStop:
                    sock.sendall(self._request)
                    answer = b""
                    while b"\r\n\r\n" not in answer or not answer.endswith(b"."):
                        part = sock.recv(65536)
                        if not part:
                            self.problems.append(f"it hung up after {answer!r}")
                            return
                        answer += part
                        if not b"HTTP/1.1 200 ".startswith(answer[:13]):
                            # Who is told of an error does not say how that ends.
                            break
                    head, _, body = answer.partition(b"\r\n\r\n")
                    if not head.startswith(b"HTTP/1.1 200 "):
                        self.problems.append(head.decode("latin-1"))
                        return
                    self.bodies.append(body.decode("ascii"))
        except OSError as why:
            self.problems.append(str(why))


class UpstreamTests(ProcessCase):
    """
    A proxy with three targets.
    """

    def setUp(self) -> None:
        super().setUp()
        self.ports = [freePort() for _ in range(3)]
        self.servers: dict[int, subprocess.Popen[str]] = {}
        self.addCleanup(self.endServers)
        for number in range(3):
            self.begin(number)
        self.socket = str(self.directory / "state" / "admin.sock")

    def begin(self, number: int) -> None:
        """
        Begin a server.
        """
        self.servers[number] = server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(self.ports[number]), f"from {number}."],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert server.stdout is not None
        self.assertEqual(server.stdout.readline(), "there\n")

    def killed(self, number: int, how: int = signal.SIGKILL) -> None:
        """
        Kill one.
        """
        server = self.servers.pop(number)
        server.send_signal(how)
        server.wait()
        assert server.stdout is not None
        server.stdout.close()

    def endServers(self) -> None:
        """
        End them all.
        """
        for number in list(self.servers):
            self.killed(number)

    def write(self, workers: int, more: str = "") -> None:
        """
        Write the configuration: one route that says nothing, one that says much.
        """
        targets = ", ".join(f'"{HERE}:{port}"' for port in self.ports)
        (self.directory / "proxy.yaml").write_text(
            f"bind: {HERE}\n"
            "state_dir: ./state\n"
            f"workers: {workers}\n"
            "access_log: {format: 'off'}\n"
            "timeouts: {drain: 1}\n"
            "routes:\n"
            f"  - match: {{ports: {self.http}, domains: '*'}}\n"
            f"    action: {{type: forward, targets: [{targets}]}}\n"
            f"  - match: {{ports: {self.https}, domains: '*'}}\n"
            "    action:\n"
            "      type: forward\n"
            f"      targets: [{targets}]\n"
            "      load_balancing: {algorithm: least-connections, sticky: {cookie: sid}}\n"
            "      health: {active: {path: /up, interval: 0.3, timeout: 5}, passive: {failures: 3}}\n" + more
        )

    def told(self, verb: str = "GET", path: str = "/v1/upstreams", **members: Any) -> Any:
        """
        What the proxy says.
        """
        return asking(self.socket)(verb, path, members).members

    def states(self) -> list[str]:
        """
        How it stands with each target of the route that says much.
        """
        return [each["state"] for each in self.told()["upstreams"][1]["targets"]]

    def waits(self, isSo: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """
        Wait for something.
        """
        end = time.monotonic() + seconds
        while not isSo():
            self.assertLess(time.monotonic(), end, f"it did not come: {json.dumps(self.told())}")
            time.sleep(0.05)

    def test_killed(self) -> None:
        """
        One of three targets is killed under load: no client notices, with one worker and
        with two, whatever the route says; it is known to be away, and has its turns again
        when it is back.
        """
        for workers in (1, 2):
            self.write(workers)
            with self.going([*TWISTD, "-n", "--pidfile=", "smartproxy", "--config", "proxy.yaml"]) as process:
                self.until(process, "Admin socket at")
                clients = [Client(port) for port in (self.http, self.https) for _ in range(6)]
                for each in clients:
                    each.start()
                self.waits(lambda: all(len(each.bodies) > 20 for each in clients))  # noqa: B023
                self.killed(1)
                self.waits(lambda: self.states()[1] == "unhealthy")
                counts = [len(each.bodies) for each in clients]
                self.waits(
                    lambda: all(
                        len(each.bodies) > before + 20
                        for each, before in zip(clients, counts, strict=True)  # noqa: B023
                    )
                )
                late = [body for each in clients[6:] for body in each.bodies[-20:]]
                self.assertNotIn("from 1.", late)
                self.begin(1)
                self.waits(lambda: self.states() == ["healthy"] * 3)
                for each in clients:
                    each.isToStop = True
                    each.join(PATIENCE)
                self.assertEqual([each.problems for each in clients if each.problems], [])
                process.terminate()
                process.wait()

    def test_inTurn(self) -> None:
        """
        One of two targets dies under load, and is back; while it is still ejected, for five minutes, the
        other one dies: no client notices, whatever the route says, and both have their turns in the end.
        """
        targets = ", ".join(f'"{HERE}:{port}"' for port in self.ports[:2])
        for workers in (1, 2):
            (self.directory / "proxy.yaml").write_text(
                f"bind: {HERE}\nstate_dir: ./state\nworkers: {workers}\naccess_log: {{format: 'off'}}\n"
                "timeouts: {drain: 1}\n"
                "routes:\n"
                f"  - match: {{ports: {self.http}, domains: '*'}}\n"
                f"    action: {{type: forward, targets: [{targets}]}}\n"
                f"  - match: {{ports: {self.https}, domains: '*'}}\n"
                "    action:\n"
                "      type: forward\n"
                f"      targets: [{targets}]\n"
                "      health: {passive: {failures: 3, eject_for: 300}}\n"
            )
            with self.going([*TWISTD, "-n", "--pidfile=", "smartproxy", "--config", "proxy.yaml"]) as process:
                self.until(process, "Admin socket at")
                clients = [Client(port) for port in (self.http, self.https) for _ in range(6)]
                for each in clients:
                    each.start()
                self.waits(lambda: all(len(each.bodies) > 20 for each in clients))  # noqa: B023
                for goes, stays in ((1, 0), (0, 1)):
                    self.killed(goes, signal.SIGTERM)
                    self.waits(lambda: self.areEjected(goes))  # noqa: B023
                    self.begin(goes)
                    self.assertTrue(self.areEjected(goes))
                    self.killed(stays, signal.SIGTERM)
                    counts = [len(each.bodies) for each in clients]
                    self.waits(
                        lambda: all(
                            len(each.bodies) > before + 20 or each.problems
                            for each, before in zip(clients, counts, strict=True)  # noqa: B023
                        )
                    )
                    self.begin(stays)
                for each in clients:
                    each.isToStop = True
                    each.join(PATIENCE)
                self.assertEqual([each.problems for each in clients if each.problems], [])
                process.terminate()
                process.wait()

    def areEjected(self, number: int) -> bool:
        """
        Whether a target is in every route.
        """
        return all(each["targets"][number]["state"] == "ejected" for each in self.told()["upstreams"])

    def test_operated(self) -> None:
        """
        A target is drained and restored while it is asked; a reload keeps what is known of
        it, and clients keep theirs.
        """
        self.write(2)
        with self.going([*TWISTD, "-n", "--pidfile=", "smartproxy", "--config", "proxy.yaml"]) as process:
            self.until(process, "Admin socket at")
            with socket.create_connection((HERE, self.https), timeout=PATIENCE) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
                answer = ""
                while not answer.endswith("."):
                    part = sock.recv(65536)
                    self.assertTrue(part, answer)
                    answer += part.decode("ascii")
            cookie = answer.partition("Set-Cookie: ")[2].partition(";")[0]
            mine = answer[-7:]
            number = int(mine[-2])
            self.assertEqual(self.answers(f"Cookie: {cookie}\r\n"), {mine})
            name = f"{HERE}:{self.ports[number]}"
            self.told("POST", "/v1/upstreams/drain", target=name)
            self.assertNotIn(mine, self.answers(f"Cookie: {cookie}\r\n"))
            self.write(2, f"  - match: {{ports: {freePort()}}}\n    action: {{type: block}}\n")
            before = self.told()["upstreams"][1]["targets"]
            self.assertNotIn("error", self.told("POST", "/v1/reload"))
            after = self.told()["upstreams"][1]["targets"]
            self.assertEqual([each["state"] for each in after], [each["state"] for each in before])
            self.assertGreaterEqual(
                sum(each["requests"] for each in after), sum(each["requests"] for each in before)
            )
            self.assertEqual(self.states()[number], "draining")
            self.assertNotIn(mine, self.answers(f"Cookie: {cookie}\r\n"))
            self.told("POST", "/v1/upstreams/restore", target=name)
            self.assertEqual(self.answers(f"Cookie: {cookie}\r\n"), {mine})
            process.terminate()
            process.wait()

    def answers(self, more: str = "") -> set[str]:
        """
        What several clients are answered.
        """
        found = set()
        for _ in range(4):
            client = Client(self.https, more)
            client.start()
            self.waits(lambda: len(client.bodies) > 5 or bool(client.problems))  # noqa: B023
            client.isToStop = True
            client.join(PATIENCE)
            self.assertEqual(client.problems, [])
            found.update(client.bodies)
        return found
