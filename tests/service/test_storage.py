"""
Tests for L{smartproxy_tw.service.storage}.
"""

from __future__ import annotations

import os

from twisted.internet.defer import maybeDeferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import selfSigned
from smartproxy_tw.service.storage import Storage
from smartproxy_tw.store.certificates import Credentials
from smartproxy_tw.store.directory import StateError
from smartproxy_tw.store.memory import MemoryAccounts, MemoryCertificates

from ..store.fakes import FrailFiles


class StorageTests(SynchronousTestCase):
    """
    The state directory in use.
    """

    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())

    def storage(self, directory: str = "https://ca.example/", **parts: object) -> Storage:
        """
        As a new process would use the directory.
        """
        storage = Storage(self.path, directory, lambda: 0.0, maybeDeferred, **parts)  # type: ignore[arg-type]
        self.addCleanup(storage.close)
        return storage

    def test_nothingBeforeItIsOpened(self) -> None:
        """
        The directory is made when it is opened, which is after the change of
        user, and not before.
        """
        storage = self.storage()
        self.assertFalse(os.path.exists(self.path))
        storage.open()
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o700)
        self.assertEqual(
            sorted(os.listdir(self.path)),
            ["accounts", "authority", "certificates", "layout", "lock", "orders"],
        )

    def test_cookieSecret(self) -> None:
        """
        What cookies are signed with is made once, when somebody needs it, for nobody else
        to read, and is the same after a restart; what makes no sense is replaced.
        """
        storage = self.storage()
        storage.open()
        secret = storage.cookieSecret()
        self.assertEqual((len(secret), storage.cookieSecret()), (32, secret))
        place = os.path.join(self.path, "cookies.key")
        self.assertEqual(os.stat(place).st_mode & 0o777, 0o600)
        storage.close()
        other = self.storage()
        other.open()
        self.assertEqual(other.cookieSecret(), secret)
        with open(place, "wb") as file:
            file.write(b"short")
        replaced = other.cookieSecret()
        self.assertEqual((len(replaced), replaced == secret), (32, False))

    def test_unsavedSecret(self) -> None:
        """
        On a full disk it lasts as long as the process does.
        """
        files = FrailFiles()
        storage = self.storage(files=files)
        storage.open()
        files.fillUp()
        with capturedLogs() as events:
            secret = storage.cookieSecret()
        self.assertEqual((len(secret), storage.cookieSecret()), (32, secret))
        self.assertEqual([each["event"] for each in events], ["cookies-unsaved"])
        self.assertFalse(any(secret.hex() in str(each) for each in events))
        files.makeRoom()
        self.assertEqual(storage.cookieSecret(), secret)
        again = self.storage(files=files)
        storage.close()
        again.open()
        self.assertEqual(again.cookieSecret(), secret)

    def test_oneProcess(self) -> None:
        """
        One at a time; the next one gets it after the first has closed it.
        """
        first, second = self.storage(), self.storage()
        first.open()
        self.assertIn("is in use by", str(self.assertRaises(StateError, second.open)))
        first.close()
        second.open()

    def test_readOnly(self) -> None:
        """
        A directory whose file system has become read-only is used: what rests there
        is found.  It is written to again when it can be.
        """
        credential = selfSigned(["a.example"])
        files = FrailFiles()
        first = self.storage(files=files)
        first.open()
        self.successResultOf(Credentials(first.own.certificates).save(credential))
        first.close()
        files.becomeReadOnly()
        second = self.storage(files=files)
        second.open()
        shelf = Credentials(second.own.certificates)
        self.assertEqual(list(self.successResultOf(shelf.load())), ["auto:a.example"])
        self.failureResultOf(shelf.save(credential), OSError)
        files.mend()
        self.successResultOf(shelf.save(credential))

    def test_unsafeInside(self) -> None:
        """
        A directory inside that others may write is refused, and the lock let
        go.
        """
        os.makedirs(os.path.join(self.path, "accounts"))
        os.chmod(os.path.join(self.path, "accounts"), 0o777)
        os.chmod(self.path, 0o700)
        self.assertRaises(StateError, self.storage().open)
        os.chmod(os.path.join(self.path, "accounts"), 0o700)
        self.storage().open()

    def test_severalAuthorities(self) -> None:
        """
        Each has a place of its own, the same whether it is preferred or not.
        """
        storage = self.storage("https://ca.example/", fallbacks=["https://other.example/"])
        storage.open()
        (other,) = storage.fallbacks
        self.assertEqual(other.directory, "https://other.example/")
        credential = selfSigned(("a.example",))
        self.successResultOf(Credentials(other.certificates).save(credential))
        self.assertEqual(self.successResultOf(Credentials(storage.own.certificates).load()), {})
        storage.close()
        alone = self.storage("https://other.example/")
        alone.open()
        self.assertEqual(
            list(self.successResultOf(Credentials(alone.own.certificates).load())), ["auto:a.example"]
        )

    def test_storesOfSomebodyElse(self) -> None:
        """
        Stores that were handed in are used in place of the directory's.
        """
        certificates, accounts = MemoryCertificates(), MemoryAccounts()
        storage = self.storage(certificates=certificates, accounts=accounts)
        storage.open()
        self.assertIs(storage.own.certificates, certificates)
        self.assertIs(storage.accounts, accounts)
        found = sorted(os.listdir(self.path))
        self.assertEqual(found, ["authority", "certificates", "layout", "lock", "orders"])

    def test_eachAuthorityItsOwn(self) -> None:
        """
        What one authority issued is not found when another one is in use:
        else a certificate for trying things out would be served for good.
        """
        credential = selfSigned(["a.example"])
        staging = self.storage("https://staging.example/")
        staging.open()
        self.successResultOf(Credentials(staging.own.certificates).save(credential))
        staging.close()
        for directory, names in (("https://staging.example/", 1), ("https://ca.example/", 0)):
            storage = self.storage(directory)
            storage.open()
            self.assertEqual(len(self.successResultOf(Credentials(storage.own.certificates).load())), names)
            storage.close()
