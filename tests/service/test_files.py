"""
Tests for L{smartproxy_tw.service.files}.
"""

from __future__ import annotations

import os

from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import Signer, checkCredential, newKey
from smartproxy_tw.config.model import Files
from smartproxy_tw.facts import Credential
from smartproxy_tw.service.errors import CertificateError
from smartproxy_tw.service.files import FileCertificate, interval
from smartproxy_tw.testing.fakes import FakePlane, Story

NOW = 1_800_000_000
SIGNER = Signer.create("Test root", now=NOW - 86400)


def issue(lifetime: float = 86400.0) -> Credential:
    """
    Another certificate for the same name.
    """
    return SIGNER.issue(("shop.example",), lifetime=lifetime, now=NOW)


class IntervalTests(SynchronousTestCase):
    """
    L{interval}.
    """

    def test_bounded(self) -> None:
        """
        However many pairs there are, no more than a thousand are looked at in
        three seconds.
        """
        for pairs, seconds in ((0, 3.0), (1, 3.0), (1000, 3.0), (10_000, 30.0)):
            self.assertEqual(interval(pairs), seconds)

    def test_used(self) -> None:
        """
        A pair is looked at as often as it is told to be, no more.
        """
        clock = Clock()
        certificate = FileCertificate(Files("/nowhere", "/nowhere"), FakePlane(Story()), clock, 30.0)
        certificate._use = lambda: succeed(None)  # type: ignore[assignment,method-assign,return-value]
        certificate._facts = checkCredential(issue())
        certificate.load()
        self.addCleanup(certificate.stop)
        self.assertEqual([call.getTime() for call in clock.getDelayedCalls()], [30.0])


class FileCertificateTests(SynchronousTestCase):
    """
    A certificate in files.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.plane = FakePlane(Story())
        directory = os.path.abspath(self.mktemp())
        os.mkdir(directory)
        self.files = Files(os.path.join(directory, "chain.pem"), os.path.join(directory, "key.pem"))
        self.certificate = FileCertificate(self.files, self.plane, self.clock)
        self.addCleanup(self.certificate.stop)
        self.writes = 0
        self.events: list[str] = []

        def observe(event: dict[str, object]) -> None:
            if "event" in event:
                self.events.append(str(event["event"]))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def write(self, path: str, content: bytes) -> None:
        """
        Change a file, with a time of its own whatever the file system's
        resolution.
        """
        with open(path, "wb") as file:
            file.write(content)
        self.writes += 1
        os.utime(path, (NOW + self.writes, NOW + self.writes))

    def lay(self, credential: Credential) -> Credential:
        """
        Put a pair into the files.
        """
        self.write(self.files.certificate, credential.chain)
        self.write(self.files.privateKey, credential.key)
        return credential

    def looks(self, times: int = 2) -> None:
        """
        Let it look at the files.
        """
        self.clock.pump([3.0] * times)

    @property
    def served(self) -> Credential:
        """
        What a client would see.
        """
        return self.plane.installed[self.files.key]

    def refused(self) -> str:
        """
        Why a start is refused.
        """
        return str(self.failureResultOf(self.certificate.load(), CertificateError).value)

    def test_loaded(self) -> None:
        """
        What is in the files is served, and the status tells what it is.
        """
        credential = self.lay(issue())
        self.successResultOf(self.certificate.load())
        self.assertEqual(self.served, credential)
        status = self.certificate.status()
        self.assertEqual((status.state, status.names), ("valid", ("shop.example",)))
        self.assertEqual(status.expires, NOW + 86400)

    def test_oneFile(self) -> None:
        """
        Key and certificate may be in one file.
        """
        credential = issue()
        files = Files(self.files.certificate, self.files.certificate)
        self.write(files.certificate, credential.key + credential.chain)
        certificate = FileCertificate(files, self.plane, self.clock)
        self.addCleanup(certificate.stop)
        self.successResultOf(certificate.load())
        self.assertIn(files.key, self.plane.installed)

    def test_missing(self) -> None:
        """
        A start without the file is refused, with its path and the reason.
        """
        text = self.refused()
        self.assertIn(self.files.certificate, text)
        self.assertIn("No such file", text)

    def test_broken(self) -> None:
        """
        A start with files that do not belong together is refused, with both
        paths and the reason.
        """
        self.lay(Credential(issue().chain, newKey()))
        text = self.refused()
        self.assertIn(self.files.certificate, text)
        self.assertIn(self.files.privateKey, text)
        self.assertIn("private key is not the one", text)

    def test_refusedByTheDataPath(self) -> None:
        """
        What the data path does not take is refused with its words.
        """
        self.lay(issue())
        self.plane.breaks("install", ValueError("ee key too small"))
        self.assertIn("ee key too small", self.refused())

    def test_changed(self) -> None:
        """
        New files are served within seconds.
        """
        self.lay(issue())
        self.successResultOf(self.certificate.load())
        self.looks(5)
        self.assertEqual(self.events, [])
        new = self.lay(issue())
        self.looks()
        self.assertEqual(self.served, new)
        self.assertEqual(self.events, ["certificate-file-changed"])
        self.looks(5)
        self.assertEqual(self.events, ["certificate-file-changed"])

    def test_changedByRename(self) -> None:
        """
        Also when they are replaced as certbot and others do it, by a new file
        of the same name.
        """
        self.lay(issue())
        self.successResultOf(self.certificate.load())
        new = issue()
        for path, content in ((self.files.certificate, new.chain), (self.files.privateKey, new.key)):
            self.write(path + ".new", content)
            os.replace(path + ".new", path)
        self.looks()
        self.assertEqual(self.served, new)

    def test_writtenOneAfterTheOther(self) -> None:
        """
        A certificate whose key is written a moment later is read together with
        it, without a complaint.
        """
        self.lay(issue())
        self.successResultOf(self.certificate.load())
        new = issue()
        self.write(self.files.certificate, new.chain)
        self.looks(1)
        self.write(self.files.privateKey, new.key)
        self.looks()
        self.assertEqual(self.served, new)
        self.assertEqual(self.events, ["certificate-file-changed"])

    def test_brokenChange(self) -> None:
        """
        A broken new pair is told once, the old one is served on, and a good
        one afterwards is taken.
        """
        old = self.lay(issue())
        self.successResultOf(self.certificate.load())
        self.lay(Credential(issue().chain, newKey()))
        self.looks(10)
        self.assertEqual(self.served, old)
        self.assertEqual(self.events, ["certificate-file-unusable"])
        self.assertIn("private key is not the one", self.certificate.status().problem or "")
        new = self.lay(issue())
        self.looks()
        self.assertEqual(self.served, new)
        self.assertIsNone(self.certificate.status().problem)

    def test_allowedToRead(self) -> None:
        """
        Files whose mode changes are read again, times and sizes or not: they
        may be ones that could not be read before.
        """
        self.lay(issue())
        self.successResultOf(self.certificate.load())
        os.chmod(self.files.privateKey, 0o640)
        self.looks(5)
        self.assertEqual(self.events, ["certificate-file-changed"])

    def test_removed(self) -> None:
        """
        Files that vanish are told once, and the pair is served on.
        """
        old = self.lay(issue())
        self.successResultOf(self.certificate.load())
        os.unlink(self.files.privateKey)
        self.looks(10)
        self.assertEqual(self.served, old)
        self.assertEqual(self.events, ["certificate-file-unusable"])
        self.assertEqual(self.certificate.status().state, "valid")

    def test_expired(self) -> None:
        """
        One that is over is served, said so, and told.
        """
        self.lay(SIGNER.issue(("shop.example",), lifetime=60.0, now=NOW - 3600))
        self.successResultOf(self.certificate.load())
        self.assertEqual(self.certificate.status().state, "expired")
        self.assertEqual(self.events, ["certificate-expired"])

    def test_stop(self) -> None:
        """
        After the stop nobody looks.
        """
        self.lay(issue())
        self.successResultOf(self.certificate.load())
        self.successResultOf(self.certificate.stop())
        self.successResultOf(self.certificate.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
