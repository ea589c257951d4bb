"""
How whole processes that speak HTTP/2 come to their end, or to that of their configuration, under load:
nothing that they have accepted is lost, whoever is told to leave and whoever comes meanwhile.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from typing import Any

from .running import PATIENCE
from .test_clients import NEEDS_CURL
from .test_http2 import NEEDS_NGHTTP
from .test_process import HERE, TWISTD
from .test_reload import fetch
from .test_upgrade import UpgradeCase, isAlive
from .visitors import Visitor, Visitors, trusting

_ROUNDS = 3


class DepartureTests(UpgradeCase):
    """
    With h2load, curl, and L{Visitors}.
    """

    skip = NEEDS_NGHTTP or NEEDS_CURL

    def write(self, number: int, workers: int = 1, **changes: str) -> None:
        """
        The configuration of this number.
        """
        changes.setdefault("routes:", "http2_prior_knowledge: true\nroutes:")
        super().write(number, workers, **changes)

    def root(self) -> Any:
        """
        For TLS.
        """
        return trusting(self.directory / "state" / "authority" / "root.pem")

    def load(self, requests: int) -> subprocess.Popen[str]:
        """
        Have h2load ask so many times.
        """
        command = [
            "h2load",
            "-n",
            str(requests),
            "-c",
            "4",
            "-m",
            "10",
            f"http://{HERE}:{self.plain}/either?load",
        ]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def loaded(self) -> int:
        """
        How much of what h2load asks has been answered.
        """
        log = self.directory / "access.log"
        return log.read_text().count("/either?load") if log.exists() else 0

    def curl(self, path: str, *more: str) -> subprocess.Popen[bytes]:
        """
        Have curl ask.
        """
        command = ["curl", "-sS", "--http2-prior-knowledge", "--noproxy", "*", *more]
        url = f"http://{HERE}:{self.plain}{path}"
        return subprocess.Popen(
            [*command, "--max-time", str(PATIENCE), url], bufsize=0, stdout=subprocess.PIPE
        )

    def isAnswered(self, *succeeded: int) -> None:
        """
        Whatever was accepted of h2load has come to it as it was sent.  (What it had not sent yet when it
        was told to leave counts as begun and failed there.)
        """
        lines = (self.directory / "access.log").read_text().splitlines()
        self.assertEqual([line for line in lines if '" 200 ' not in line], [])
        self.assertGreater(min(succeeded), 0)
        self.assertEqual(len([line for line in lines if "/either?load" in line]), sum(succeeded))

    def count(self, load: subprocess.Popen[str]) -> dict[str, int]:
        """
        What h2load says at its end.
        """
        said, _ = load.communicate(timeout=PATIENCE)
        told = re.search(r"requests: .*", said)
        assert told is not None, said
        return {name: int(number) for number, name in re.findall(r"(\d+) (\w+)", told[0])}

    def stops(self, workers: int) -> None:
        """
        SIGTERM.
        """
        self.write(0, workers)
        with self.going([*TWISTD, "-n", *self.line]) as process:
            self.comesTrue(lambda: fetch(self.plain, "/version") == "0", "it serves")
            self.main()
            plain = Visitors(self.plain, ("/either", "/version"))
            secret = Visitors(self.secure, ("/",), 2, self.root())
            with plain.visiting(), secret.visiting():
                # It stops asking when it is told to, and says what became of the rest.
                load = self.load(1_000_000)
                self.comesTrue(lambda: min(plain.done.total(), secret.done.total()) > 200, "all are served")
                self.comesTrue(lambda: self.loaded() > 200, "h2load is served")
                large = self.curl("/large")
                assert large.stdout is not None
                first = len(large.stdout.read(1000))
                plain.mayEnd = secret.mayEnd = True
                process.send_signal(signal.SIGTERM)
                self.comesTrue(self.refuses, "nobody listens")
                # The download goes on all the while.
                self.assertIsNone(process.poll())
                counts = self.count(load)
                rest = len(large.communicate(timeout=PATIENCE)[0])
                self.assertEqual(process.wait(PATIENCE), -signal.SIGTERM)
        self.assertEqual((plain.wrong, secret.wrong), ([], []))
        # Each of them was told, and none had to be cut.
        self.assertGreaterEqual((plain.farewells, secret.farewells), (4, 2))
        self.isAnswered(counts["succeeded"])
        self.assertEqual((large.returncode, first + rest), (0, 60 * 131072))
        self.assertNotIn("Traceback", self.log.read_text())

    def refuses(self) -> bool:
        """
        Whether nobody listens any more.
        """
        for port in (self.plain, self.secure):
            with socket.socket() as sock:
                if sock.connect_ex((HERE, port)) == 0:
                    return False
        return True

    def test_stop(self) -> None:
        """
        What was accepted before SIGTERM is answered, downloads go on to their ends, and who comes
        after it finds nobody.
        """
        self.stops(1)

    def test_stopWorkers(self) -> None:
        """
        Likewise in two workers.
        """
        self.stops(2)

    def test_stopImpatient(self) -> None:
        """
        Who is still there when C{timeouts.drain} is over is cut, and the process ends.
        """
        self.write(0, **{"drain: 300": "drain: 1"})
        with self.going([*TWISTD, "-n", *self.line]) as process:
            self.comesTrue(lambda: fetch(self.plain, "/version") == "0", "it serves")
            visitor = Visitor(self.plain)
            visitor.asks("/large")
            self.assertTrue(visitor.hears())
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            while visitor.hears():
                pass
            self.assertEqual(process.wait(PATIENCE), -signal.SIGTERM)
            self.assertGreater(time.monotonic() - began, 0.9)
            self.assertEqual(len(visitor.wrong), 1, visitor.wrong)
            visitor.leaves()
        self.assertNotIn("Traceback", self.log.read_text())

    def reloads(self, workers: int) -> None:
        """
        SIGHUP, while routes come, go and lead elsewhere.
        """
        self.write(0, workers)
        first, second, _ = self.origins.ports
        with self.going([*TWISTD, "-n", *self.line]) as process:
            self.comesTrue(lambda: fetch(self.plain, "/version") == "0", "it serves")
            self.main()
            plain = Visitors(self.plain, ("/either", "/version"))
            secret = Visitors(self.secure, ("/",), 2, self.root())
            with plain.visiting(), secret.visiting():
                load = self.load(3000)
                for number in range(1, _ROUNDS + 1):
                    changes = {f"port: {first}": f"port: {second}"} if number % 2 else {}
                    self.write(number, workers, **changes)
                    process.send_signal(signal.SIGHUP)
                    self.comesTrue(lambda number=number: plain.done[b"%d" % number] > 20, "it is in use")  # type: ignore[misc]
                counts = self.count(load)
        self.assertEqual((plain.wrong, secret.wrong), ([], []))
        # Nobody had to go for it.
        self.assertEqual((plain.farewells, secret.farewells), (0, 0))
        self.assertGreater(min(plain.done[b"first"], plain.done[b"second"]), 0)
        self.assertGreater(counts["succeeded"], 0)
        self.assertEqual((counts["failed"], counts["errored"], counts["timeout"]), (0, 0, 0), counts)
        self.assertNotIn("Traceback", self.log.read_text())

    def test_reload(self) -> None:
        """
        A reload is noticed by nobody, except that another target answers.
        """
        self.reloads(1)

    def test_reloadWorkers(self) -> None:
        """
        Likewise in two workers.
        """
        self.reloads(2)

    def upgrades(self, workers: int) -> None:
        """
        SIGUSR2, again and again.
        """
        self.write(0, workers)
        with self.going([*TWISTD, "-n", *self.line]) as process:
            self.comesTrue(lambda: fetch(self.plain, "/version") == "0", "it serves")
            current = self.main()
            plain = Visitors(self.plain, ("/either", "/version"))
            secret = Visitors(self.secure, ("/",), 2, self.root())
            succeeded: list[int] = []
            with plain.visiting(), secret.visiting():
                self.comesTrue(lambda: min(plain.done.total(), secret.done.total()) > 50, "all are served")
                for number in range(1, _ROUNDS + 1):
                    # Whoever was told to leave is with the process that takes its leave next.
                    for visitors, count in ((plain, 4), (secret, 2)):
                        told, there = count * (number - 1), count * number
                        self.comesTrue(
                            lambda visitors=visitors, told=told, there=there: (  # type: ignore[misc]
                                visitors.farewells >= told and visitors.begun >= there
                            ),
                            "all visitors are with this process",
                        )
                    before = self.loaded()
                    load = self.load(1_000_000)
                    self.comesTrue(lambda before=before: self.loaded() > before + 200, "h2load is served")  # type: ignore[misc]
                    self.write(number, workers)
                    current = self.upgraded(current)
                    for _ in range(10):
                        curl = self.curl("/version")
                        self.assertEqual(
                            (curl.communicate(timeout=PATIENCE)[0], curl.returncode), (b"%d" % number, 0)
                        )
                    succeeded.append(self.count(load)["succeeded"])
                self.comesTrue(lambda: plain.done[b"%d" % _ROUNDS] > 20, "the last one is in use")
            self.assertEqual((plain.wrong, secret.wrong), ([], []))
            self.assertGreaterEqual((plain.farewells, secret.farewells), (4 * _ROUNDS, 2 * _ROUNDS))
            # Nothing is stuck: with their last clients those before are gone.
            self.assertEqual(process.wait(PATIENCE), 0)
            gone = self.pids - {current}
            self.comesTrue(lambda: not any(map(isAlive, gone)), "those before have ended")
            os.kill(current, signal.SIGTERM)
            self.comesTrue(lambda: not isAlive(current), "the last one ends")
        self.isAnswered(*succeeded)
        self.assertNotIn("Traceback", self.log.read_text())

    def test_upgrade(self) -> None:
        """
        One process takes over from another, and nothing is lost of what either has accepted.
        """
        self.upgrades(1)

    def test_upgradeWorkers(self) -> None:
        """
        Likewise in two workers.
        """
        self.upgrades(2)
