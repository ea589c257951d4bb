"""
Tests for L{smartproxy_tw.store.localauthority}.
"""

from __future__ import annotations

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import checkCredential, describe
from smartproxy_tw.facts import Credential
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.localauthority import LEAF_LIFETIME, LocalAuthority

from .fakes import FrailFiles, PowerCut

NOW = 1_800_000_000


class LocalAuthorityTests(SynchronousTestCase):
    """
    A root of our own and what it signs.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.files = FrailFiles()
        self.directory = SecureDirectory(os.path.abspath(self.mktemp()), self.files).open()

    def opened(self) -> LocalAuthority:
        """
        An authority on the directory, as a new process would open it.
        """
        authority = LocalAuthority(self.directory, self.clock.seconds)
        authority.open()
        return authority

    def root(self) -> bytes:
        """
        What clients are told to trust.
        """
        with open(self.opened().rootPath, "rb") as file:
            return file.read()

    def test_madeOnce(self) -> None:
        """
        The root is the same after every start.
        """
        self.assertEqual(self.root(), self.root())

    def test_permissions(self) -> None:
        """
        The key is secret and the certificate is not.
        """
        authority = self.opened()
        self.assertEqual(os.stat(authority.rootPath).st_mode & 0o777, 0o644)
        self.assertEqual(os.stat(self.directory.pathOf("authority.pem")).st_mode & 0o777, 0o600)
        self.assertNotIn(b"PRIVATE KEY", self.root())

    def test_issues(self) -> None:
        """
        A certificate is for the names asked for, vouched for by the root, and
        valid from now for its lifetime.
        """
        credential = self.opened().issue(("a.test", "*.b.test"))
        facts = checkCredential(credential, ["a.test", "*.b.test"])
        checkCredential(Credential(credential.chain + self.root(), credential.key))
        self.assertEqual(facts.notAfter, NOW + LEAF_LIFETIME)
        self.assertLessEqual(facts.notBefore, NOW)

    def test_withoutNames(self) -> None:
        """
        A route without domains has one for this machine.
        """
        facts = describe(self.opened().issue(()).chain)
        self.assertEqual(facts.names, ("localhost", "127.0.0.1", "::1"))

    def test_corruptRootIsNotReplaced(self) -> None:
        """
        A broken root is told, with its path, and never silently made anew: clients
        trust the old one.  Meanwhile there are certificates that nobody trusts, and
        once it is mended there are good ones.
        """
        root = self.root()
        content = self.directory.read("authority.pem") or b""
        for nonsense in (b"", b"nonsense", content[:300]):
            self.directory.write("authority.pem", nonsense)
            authority = self.opened()
            self.assertIn(self.directory.pathOf("authority.pem"), authority.problem or "")
            for _ in range(2):
                credential = authority.issue(("a.test",))
                self.assertRaises(
                    ValueError, checkCredential, Credential(credential.chain + root, credential.key)
                )
            self.assertEqual(self.directory.read("authority.pem"), nonsense)
            self.directory.write("authority.pem", content)
            credential = authority.issue(("a.test",))
            checkCredential(Credential(credential.chain + root, credential.key))
            self.assertIsNone(authority.problem)

    def test_powerCutWhileMaking(self) -> None:
        """
        Wherever the first start is interrupted, the next one has a root whose
        key and public file belong together.
        """
        self.opened()
        steps = len(self.files.steps)
        for step in range(steps):
            self.files = FrailFiles()
            self.directory = SecureDirectory(os.path.abspath(self.mktemp()), self.files).open()
            self.files.cutPowerAt(step)
            self.assertRaises(PowerCut, self.opened)
            self.directory = SecureDirectory(self.directory.path).open()
            credential = self.opened().issue(("a.test",))
            checkCredential(Credential(credential.chain + self.root(), credential.key))

    def test_fullDisk(self) -> None:
        """
        When the root cannot be kept, that is said, and certificates are made all
        the same.
        """
        self.files.fillUp()
        authority = self.opened()
        self.assertIn("No space left", authority.problem or "")
        checkCredential(authority.issue(("a.test",)), ["a.test"])

    def test_rootThatIsOver(self) -> None:
        """
        A root that was made by a clock far behind is over once that is set right:
        another one is made, in the process that made it too, and the old one is kept.
        """
        first = self.opened()
        old = self.directory.read("authority.pem")
        self.clock.advance(30 * 365 * 86400)
        credential = first.issue(("a.test",))
        facts = checkCredential(Credential(credential.chain + self.root(), credential.key))
        self.assertGreater(facts.notAfter, self.clock.seconds())
        self.assertEqual(self.directory.read("authority.pem.expired"), old)
        self.assertIsNone(first.problem)
