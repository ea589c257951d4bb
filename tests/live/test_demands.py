"""
Renewed and revoked by command: C{twistd} as it is started, the command as it is
typed, and Pebble, which tells what it thinks of each certificate.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor as _reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from smartproxy_tw.acme.reasons import REASONS
from smartproxy_tw.commands.admin import asking
from tests.test_tap import environment

from ..ports import freePorts
from .pebble import Pebble, missing
from .running import PATIENCE
from .test_process import TWISTD
from .test_promise import story

reactor: Any = _reactor
HERE = "127.0.0.1"
COMMAND = [sys.executable, "-m", "smartproxy_tw.cli"]


class DemandCase(TestCase):
    """
    A proxy, and Pebble.
    """

    skip = missing
    timeout = 900
    workers = 1

    async def begin(self, keyType: str = "ecdsa") -> None:
        """
        Pebble, a configuration, and the proxy with its first certificate.
        """
        self.directory = Path(self.mktemp()).resolve()
        self.directory.mkdir(parents=True)
        self.http, self.tls = freePorts(2)
        self.authority = Pebble(reactor, self.directory / "pebble", httpPort=self.http, tlsPort=self.tls)
        await self.authority.start()
        self.addCleanup(self.authority.stop)
        settings = {
            "state_dir": "state",
            "bind": HERE,
            "workers": self.workers,
            "access_log": {"format": "off"},
            # Whoever is connected first asks when the command has ended, whenever that is.
            "timeouts": {"head": 120},
            "acme": {
                "directory": self.authority.directoryURL,
                "ca_file": self.authority.caFile,
                "http_port": self.http,
                "tls_port": self.tls,
                "key_type": keyType,
            },
            "routes": [
                {
                    "name": "a",
                    "match": {"ports": self.tls, "domains": "a.example"},
                    "action": {"type": "respond", "body": "this is a", "tls": {"mode": "terminate"}},
                }
            ],
        }
        (self.directory / "smartproxy.json").write_text(json.dumps(settings))
        await self.start()
        ask = asking(str(self.directory / "state" / "admin.sock"))
        for _ in range(1800):
            found = (await deferToThread(ask, "GET", "/v1/certificates", {})).members["certificates"]
            if {each["state"] for each in found} == {"valid"}:
                break
            await deferLater(reactor, 0.05)
        told = await self.live()
        self.assertTrue(told and all(each["live"]["state"] == "valid" for each in told), self.log)

    async def start(self) -> None:
        """
        The proxy, until it can be spoken to.
        """
        log = (self.directory / "log").open("ab")
        before = self.log.count("Admin socket at")
        self.proxy = subprocess.Popen(
            [*TWISTD, "-n", "--pidfile=", "smartproxy", "-c", "smartproxy.json"],
            cwd=self.directory,
            env=environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log.close()
        self.addCleanup(self.end)
        for _ in range(1800):
            if self.log.count("Admin socket at") > before:
                return
            await deferLater(reactor, 0.05)
        self.fail(self.log)

    async def end(self) -> None:
        """
        The proxy is gone.
        """
        if self.proxy.poll() is None:
            self.proxy.terminate()
            await deferToThread(self.proxy.wait, 60)

    @property
    def log(self) -> str:
        """
        What it wrote.
        """
        return (self.directory / "log").read_text()

    async def command(self, *arguments: str, status: int = 0, of: str = "certificates") -> str:
        """
        The command, as it is typed, ends with this status.
        """
        ran = await deferToThread(
            subprocess.run,
            [*COMMAND, of, *arguments, "-c", "smartproxy.json"],
            cwd=self.directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        self.assertEqual(ran.returncode, status, f"{ran.stdout}\n{self.log}")
        return str(ran.stdout)

    async def live(self) -> list[dict[str, Any]]:
        """
        What C{list} tells to programs.
        """
        found: list[dict[str, Any]] = json.loads(await self.command("list", "--json"))
        return found

    def connect(self, *, isRSA: bool = False) -> ssl.SSLSocket:
        """
        A client, which believes in Pebble.
        """
        context = ssl.create_default_context(cadata=self.authority.root.decode("ascii"))
        if isRSA:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
        plain = socket.create_connection((HERE, self.tls), timeout=PATIENCE)
        return context.wrap_socket(plain, server_hostname="a.example")

    def leaf(self, *, isRSA: bool = False) -> tuple[str, bytes]:
        """
        The serial number and the public key of what is served.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        with self.connect(isRSA=isRSA) as connection:
            found = x509.load_der_x509_certificate(connection.getpeercert(True) or b"")
        key = found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"{found.serial_number:x}", key


#: A mixin, which the loader of tests is not to take for some.
_Case: Any = DemandCase if TYPE_CHECKING else object


class Common(_Case):
    """
    What has to be so with one process and with several.
    """

    @story
    async def test_renew(self) -> None:
        """
        By one order there is another certificate, with another key, for all who
        connect; nobody who connects meanwhile is turned away, and who was connected
        stays so.
        """
        await self.begin()
        before = await deferToThread(self.leaf)
        kept = [await deferToThread(self.connect) for _ in range(4)]
        self.addCleanup(lambda: [each.close() for each in kept])
        isOver, served, failed = threading.Event(), [0], []

        def crowd() -> None:
            while not isOver.is_set():
                try:
                    self.connect().close()
                    served[0] += 1
                except OSError as why:
                    failed.append(why)

        crowding = deferToThread(crowd)
        said = await self.command("renew", "a.example")
        isOver.set()
        await crowding
        self.assertIn("a.example: ordered\n", said)
        self.assertIn("serving another one", said)
        self.assertEqual((failed, served[0] > 0), ([], True))
        for each in kept:
            await deferToThread(each.sendall, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            self.assertIn(b"200", await deferToThread(each.recv, 65536))
        for _ in range(4 * self.workers):
            after = await deferToThread(self.leaf)
            self.assertNotIn(before[0], after)
            self.assertNotEqual(before[1], after[1])
            self.assertIn(f"serial number {after[0]}\n", said)
        self.assertEqual((self.authority.tally().orders, self.authority.tally().invalid), (2, 0))
        self.assertEqual((await self.authority.opinion(before[0]))["Status"], "Valid")

    @story
    async def test_revoke(self) -> None:
        """
        Pebble knows that it is revoked, and why; another one with another key takes
        its place, and is the one that is served after a restart.  Without a word that
        it is meant nothing happens.
        """
        await self.begin()
        await self.command("revoke", "a.example", "--reason", "keyCompromise", status=2)
        for reason in ("superseded", "keyCompromise"):
            before = await deferToThread(self.leaf)
            self.assertEqual((await self.authority.opinion(before[0]))["Status"], "Valid")
            said = await self.command("revoke", "a.example", "--reason", reason, "--yes")
            self.assertIn(f"revoked: serial number {before[0]}\n", said)
            opinion = await self.authority.opinion(before[0])
            self.assertEqual((opinion["Status"], opinion["Reason"]), ("Revoked", REASONS[reason]))
            for _ in range(4 * self.workers):
                after = await deferToThread(self.leaf)
                self.assertNotIn(before[0], after)
                self.assertNotEqual(before[1], after[1])
        self.assertEqual((await self.authority.opinion(after[0]))["Status"], "Valid")
        self.assertEqual(self.authority.tally().orders, 3)
        await self.end()
        self.assertFalse(os.path.exists(self.directory / "state" / "admin.sock"))
        await self.command("renew", "a.example", status=4)
        await self.start()
        self.assertEqual(await deferToThread(self.leaf), after)
        self.assertEqual(self.authority.tally().orders, 3)


class DemandsTests(Common, DemandCase):
    """
    With one process.
    """

    @story
    async def test_revokedAndKilled(self) -> None:
        """
        A process that is killed before there is a successor does not bring the revoked
        certificate back.
        """
        await self.begin()
        before = await deferToThread(self.leaf)
        # No name can be looked up, so that no order comes to an end.
        names = self.authority.pidOfNames
        os.kill(names, signal.SIGSTOP)
        said = await self.command(
            "revoke", "a.example", "--reason", "cessationOfOperation", "--yes", "--no-wait"
        )
        self.assertIn("revoked: serial", said)
        self.assertEqual((await self.authority.opinion(before[0]))["Status"], "Revoked")
        self.assertEqual(await deferToThread(self.leaf), before)
        self.proxy.kill()
        await deferToThread(self.proxy.wait, 60)
        await self.start()
        with self.assertRaises(ssl.SSLCertVerificationError):
            await deferToThread(self.leaf)
        os.kill(names, signal.SIGCONT)
        for _ in range(1800):
            try:
                after = await deferToThread(self.leaf)
                break
            except ssl.SSLCertVerificationError:
                await deferLater(reactor, 0.1)
        self.assertNotEqual(before[1], after[1])

    @story
    async def test_both(self) -> None:
        """
        Of two certificates for the same name both are revoked and replaced.
        """
        await self.begin(keyType="both")
        for _ in range(1800):
            try:
                twin = await deferToThread(self.leaf, isRSA=True)
                break
            except ssl.SSLError:
                await deferLater(reactor, 0.05)
        first = await deferToThread(self.leaf)
        said = await self.command("revoke", "a.example", "--reason", "affiliationChanged", "--yes")
        self.assertIn(f"a.example (RSA): revoked: serial number {twin[0]}\n", said)
        for serial in (first[0], twin[0]):
            opinion = await self.authority.opinion(serial)
            self.assertEqual((opinion["Status"], opinion["Reason"]), ("Revoked", 3))
        self.assertNotEqual((await deferToThread(self.leaf))[1], first[1])
        self.assertNotEqual((await deferToThread(self.leaf, isRSA=True))[1], twin[1])

    @story
    async def test_accounts(self) -> None:
        """
        The account is told of, has a new key by which orders go on, is given up when
        that is meant, and has a successor with the next order.
        """
        await self.begin()
        (file,) = (self.directory / "state" / "accounts").iterdir()
        first = json.loads(file.read_text())
        directory = self.authority.directoryURL
        self.assertEqual(await self.command("list", of="accounts"), f"{directory}: {first['url']}\n")
        said = await self.command("rollover", of="accounts")
        self.assertEqual(said, f"{first['url']} has a new key\n")
        second = json.loads(file.read_text())
        self.assertEqual(second["url"], first["url"])
        self.assertNotEqual(second["key"], first["key"])
        await self.command("renew", "a.example")
        await self.command("deactivate", of="accounts", status=2)
        await self.command("deactivate", "--yes", "--authority", "nowhere", of="accounts", status=1)
        said = await self.command("deactivate", "--yes", "--authority", directory, of="accounts")
        self.assertIn(f"{first['url']} is deactivated", said)
        self.assertIn("no account yet", await self.command("list", of="accounts"))
        await self.command("deactivate", "--yes", of="accounts", status=1)
        await self.command("renew", "a.example")
        third = json.loads(file.read_text())
        self.assertNotEqual(third["url"], first["url"])
        self.assertEqual(await self.command("list", of="accounts"), f"{directory}: {third['url']}\n")
        self.assertNotIn("PRIVATE KEY", self.log)
        await self.end()
        await self.command("list", of="accounts", status=4)

    @story
    async def test_away(self) -> None:
        """
        With the authority away both are refused with that, and everything is served as
        before.
        """
        await self.begin()
        before = await deferToThread(self.leaf)
        await self.authority.stop()
        said = await self.command("revoke", "a.example", "--reason", "superseded", "--yes", status=1)
        self.assertIn("cannot be reached", said)
        said = await self.command("renew", "--all", status=1)
        self.assertIn("cannot be reached", said)
        self.assertEqual(await deferToThread(self.leaf), before)


class WorkersTests(Common, DemandCase):
    """
    With several.
    """

    workers = 2
