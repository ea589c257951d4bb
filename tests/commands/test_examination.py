"""
Tests for L{smartproxy_tw.commands.examination}: machines on which something is wrong.
"""

from __future__ import annotations

import datetime
import errno
import fcntl
import os
import resource
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.commands.admin import Answer, ProxyAway
from smartproxy_tw.commands.examination import (
    Symptom,
    authority,
    openFiles,
    ports,
    proxy,
    stateDirectory,
)
from smartproxy_tw.config.model import Acme, Config, Limits

from ..service.configurations import SHOP, configuration
from .standings import FAILING, Asked, standing


def seen(symptoms: Iterable[Symptom]) -> list[tuple[str, str]]:
    """
    What each is about, and what it means.
    """
    return [(each.check, each.value) for each in symptoms]


class ProxyTests(SynchronousTestCase):
    """
    The running proxy.
    """

    def test_well(self) -> None:
        """
        One that answers tells of itself.
        """
        told, symptoms = proxy(Asked(standing()))
        self.assertEqual(told, standing())
        self.assertEqual(symptoms, [Symptom("proxy", "well", "process 7 answers, up 1 d 2 h")])

    def test_troubled(self) -> None:
        """
        What it has trouble with is bad.
        """
        _, symptoms = proxy(Asked(standing(ready=False, reason="it ends", certificates=FAILING)))
        self.assertEqual(
            symptoms,
            [
                Symptom("proxy", "bad", "it is not ready: it ends", "Look at its log"),
                Symptom(
                    "certificate",
                    "bad",
                    "bad.test, www.bad.test: no\\x1b[31m such name",
                    "It is tried again at 2026-11-30T13:00:00Z",
                ),
            ],
        )

    def test_away(self) -> None:
        """
        None that answers is bad; one that is not to be asked, or is of another version,
        tells nothing.
        """
        told, (symptom,) = proxy(Asked(ProxyAway("No proxy answers. Start it.")))
        self.assertIsNone(told)
        self.assertEqual(symptom, Symptom("proxy", "bad", "No proxy answers", "Start it."))
        self.assertEqual(seen(proxy(None, "admin: off")[1]), [("proxy", "unknown")])
        self.assertEqual(
            seen(proxy(Asked(Answer(404, {"error": {"message": "?"}})))[1]), [("proxy", "unknown")]
        )


class StateTests(SynchronousTestCase):
    """
    The state directory.
    """

    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())

    def seen(self, told: Any = None, **more: Any) -> list[tuple[str, str]]:
        """
        What it means.
        """
        return seen(stateDirectory(self.path, told, **more))

    def test_modes(self) -> None:
        """
        One that others may write to is bad, and so is what is no directory.
        """
        os.mkdir(self.path, 0o700)
        self.assertEqual(self.seen(), [("state", "well")])
        os.chmod(self.path, 0o770)
        (symptom,) = stateDirectory(self.path, None)
        self.assertEqual((symptom.value, symptom.remedy), ("bad", f"chmod 700 {self.path}"))
        os.rmdir(self.path)
        with open(self.path, "w", encoding="ascii"):
            pass
        self.assertEqual(self.seen(), [("state", "bad")])
        os.unlink(self.path)

    def test_missing(self) -> None:
        """
        One that is not there yet can be made, or not; nothing is made here.
        """
        self.assertEqual(self.seen(), [("state", "well")])
        with open(self.path, "w", encoding="ascii"):
            pass
        self.path = os.path.join(self.path, "state")
        self.assertEqual(self.seen(), [("state", "bad")])
        self.path = os.path.abspath(self.mktemp())
        self.assertFalse(os.path.exists(self.path))

    def test_ofOthers(self) -> None:
        """
        That of another user cannot be judged.
        """
        os.mkdir(self.path, 0o700)
        os.chown(self.path, 12345, -1) if os.geteuid() == 0 else self.skipTest("only root gives things away")
        self.assertEqual(self.seen(user=54321), [("state", "unknown")])
        self.assertEqual(self.seen(user=0), [("state", "well")])

    def test_lock(self) -> None:
        """
        Who holds the lock and does not answer is told; the lock is not touched.
        """
        os.mkdir(self.path, 0o700)
        with open(os.path.join(self.path, "lock"), "w", encoding="ascii") as file:
            self.assertEqual(self.seen(), [("state", "well")])
            fcntl.flock(file, fcntl.LOCK_EX)
            *_, symptom = stateDirectory(self.path, None)
            self.assertEqual((symptom.check, symptom.value), ("lock", "bad"))
            self.assertIn(f"process {os.getpid()} uses", symptom.text)
            self.assertEqual(self.seen(standing(process=os.getpid())), [("state", "well")])
            self.assertEqual(self.seen(standing(process=1)), [("state", "well"), ("lock", "unknown")])

    def test_lockOfPredecessor(self) -> None:
        """
        A lock that has come with an upgrade is that of the process which has written its number into it:
        the kernel goes on naming the one that took it.
        """
        os.mkdir(self.path, 0o700)
        with open(os.path.join(self.path, "lock"), "w", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write("4711\n")
            file.flush()
            self.assertEqual(self.seen(standing(process=4711)), [("state", "well")])
            *_, symptom = stateDirectory(self.path, standing(process=1))
            self.assertEqual((symptom.check, symptom.value), ("lock", "unknown"))
            self.assertIn("process 4711 uses", symptom.text)
            *_, symptom = stateDirectory(self.path, None)
            self.assertIn("process 4711 uses", symptom.text)


class PortTests(SynchronousTestCase):
    """
    Ports.
    """

    def seen(self, told: Any = None, error: int | None = None, holder: str | None = None) -> list[Symptom]:
        """
        What it means for the ports 80 and 443.
        """
        config = configuration("/state", SHOP)
        self.assertEqual(config.ports, (80, 443))
        return list(
            ports(
                config,
                told,
                isHeld=lambda number: holder is not None,
                holder=lambda number: holder or None,
                bound=lambda host, number: None if error is None else OSError(error, os.strerror(error)),
            )
        )

    def test_served(self) -> None:
        """
        What the proxy accepts on is well; what it does not, though the file says so, is
        bad.
        """
        self.assertEqual(seen(self.seen(standing())), [("port 80", "well"), ("port 443", "well")])
        told = standing(listening=[{"address": "::", "port": 80, "adopted": True}])
        found = self.seen(told)
        self.assertEqual(seen(found), [("port 80", "well"), ("port 443", "bad")])
        self.assertIn("older configuration", found[1].text)

    def test_notRunning(self) -> None:
        """
        Without a proxy a port can be had, or is another program's, or not to be had by
        this user, or not at all.
        """
        self.assertEqual({value for _, value in seen(self.seen())}, {"well"})
        held = self.seen(holder="nginx (process 8)")[0]
        self.assertEqual((held.value, held.text), ("bad", "nginx (process 8) listens there"))
        self.assertIn("may not see", self.seen(holder="")[0].text)
        self.assertEqual(self.seen(error=errno.EACCES)[0].value, "unknown")
        self.assertEqual(self.seen(error=errno.EADDRNOTAVAIL)[0].value, "bad")

    def test_real(self) -> None:
        """
        A port that is really taken, and one that is not.
        """
        with socket.create_server(("127.0.0.1", 0)) as mine:
            number = mine.getsockname()[1]
            config = replace(configuration("/state"), bind=("127.0.0.1",), routes=())
            route = replace(configuration("/state", SHOP).routes[0], ports=(number,))
            config = replace(config, acme=Acme(httpPort=number, tlsPort=number), routes=(route,))
            (taken,) = ports(config, None)
            self.assertIn(f"this very process ({os.getpid()})", taken.text)
        self.assertEqual(seen(ports(config, None)), [(f"port {number}", "well")])


class OpenFilesTests(SynchronousTestCase):
    """
    The limit of open files.
    """

    def test_proxy(self) -> None:
        """
        That of the running proxy counts; a process that cannot be seen tells nothing.
        """
        place = self.mktemp()
        os.makedirs(os.path.join(place, "7"))
        config = Config((), "/state", limits=Limits(connections=5000))
        for text, value in (
            ("Max open files            1024                 1024                 files     \n", "bad"),
            ("Max open files            1024                 4096                 files     \n", "well"),
            ("Max open files            1024                 unlimited            files     \n", "well"),
            ("nonsense\n", "unknown"),
        ):
            with open(os.path.join(place, "7", "limits"), "w", encoding="ascii") as file:
                file.write(
                    "Limit                     Soft Limit           Hard Limit           Units     \n" + text
                )
            self.assertEqual(openFiles(config, standing(), place).value, value, text)
        self.assertEqual(openFiles(config, standing(process=8), place).value, "unknown")

    def test_shell(self) -> None:
        """
        Otherwise that of whoever asks, for each worker by itself.
        """
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        few = openFiles(Config((), "/state", limits=Limits(connections=10)), None)
        self.assertIn("84 are needed", few.text)
        self.assertEqual(few.value, "well")
        shared = openFiles(Config((), "/state", workers=2, limits=Limits(connections=10)), None)
        self.assertIn("74 are needed", shared.text)
        if hard != resource.RLIM_INFINITY:
            many = openFiles(Config((), "/state", limits=Limits(connections=10 * hard)), None)
            self.assertIn(f"LimitNOFILE={20 * hard + 64}", many.remedy)


class AuthorityTests(SynchronousTestCase):
    """
    The authority, and the clock.
    """

    def seen(self, answer: tuple[int, str | None] | Exception, now: float = 1e9) -> list[Symptom]:
        """
        What it means.
        """

        def fetch(url: str, file: str | None) -> tuple[int, str | None]:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return list(authority(Acme(directory="https://ca.test/dir"), fetch, lambda: now))

    def test_well(self) -> None:
        """
        It answers, and the clocks agree.
        """
        found = self.seen((200, formatdate(1e9 + 250, usegmt=True)))
        self.assertEqual(seen(found), [("authority", "well"), ("clock", "well")])

    def test_clock(self) -> None:
        """
        A clock that is wrong is bad, in which direction it may be; and nonsense tells
        nothing.
        """
        for date, value, words in (
            (formatdate(1e9 + 7200, usegmt=True), "bad", "2 h behind"),
            (formatdate(1e9 - 400, usegmt=True), "bad", "6 min 40 s ahead of"),
            (None, "unknown", "does not tell"),
            ("Yesterday", "unknown", "does not tell"),
            ("", "unknown", "does not tell"),
        ):
            found = self.seen((200, date))[1]
            self.assertEqual((found.check, found.value), ("clock", value))
            self.assertIn(words, found.text)

    def test_bad(self) -> None:
        """
        One that is not there, not trusted or in trouble.
        """
        untrusted = ssl.SSLCertVerificationError(1, "no")
        untrusted.verify_message = "self-signed certificate"
        for answer, words in (
            (ConnectionRefusedError(111, "refused"), "cannot be reached"),
            (TimeoutError("timed out"), "cannot be reached: timed out"),
            (untrusted, "is not trusted: self-signed certificate"),
            ((503, None), "answers with 503"),
        ):
            first = self.seen(answer)[0]  # type: ignore[arg-type]
            self.assertEqual((first.check, first.value), ("authority", "bad"))
            self.assertIn(words, first.text)
            self.assertTrue(first.remedy)

    def serve(self, *wrap: Callable[[socket.socket], socket.socket]) -> int:
        """
        Something that answers a request, and its port.
        """

        class Directory(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if self.path == "/dir?a=b" else 404)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *arguments: object) -> None:
                """
                Nobody wants to know.
                """

        server = HTTPServer(("127.0.0.1", 0), Directory)
        for each in wrap:
            server.socket = each(server.socket)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return int(server.server_address[1])

    def test_reached(self) -> None:
        """
        A real one, by plain HTTP, and one that is not there.
        """
        port = self.serve()
        found = list(authority(Acme(directory=f"http://127.0.0.1:{port}/dir?a=b")))
        self.assertEqual(seen(found), [("authority", "well"), ("clock", "well")])
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        self.assertEqual(
            seen(authority(Acme(directory=f"http://127.0.0.1:{port}/dir"))), [("authority", "bad")]
        )

    def test_trusted(self) -> None:
        """
        By TLS it is trusted with the root that the configuration names, and without it
        is not.
        """
        path = os.path.abspath(self.mktemp())
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.datetime.now(datetime.UTC)
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        builder = x509.CertificateBuilder(
            name, name, key.public_key(), 5, now, now + datetime.timedelta(days=1)
        )
        signed = builder.add_extension(names, False).sign(key, hashes.SHA256())
        pem = serialization.Encoding.PEM
        with open(path, "wb") as file:
            file.write(signed.public_bytes(pem))
            file.write(
                key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        port = self.serve(lambda plain: context.wrap_socket(plain, server_side=True))
        url = f"https://localhost:{port}/dir?a=b"
        self.assertEqual(seen(authority(Acme(directory=url, caFile=path)))[0], ("authority", "well"))
        (untrusted,) = authority(Acme(directory=url))
        self.assertIn("is not trusted", untrusted.text)
