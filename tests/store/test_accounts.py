"""
Tests for L{smartproxy_tw.store.accounts}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.acme.x509 import newKey
from smartproxy_tw.facts import Account
from smartproxy_tw.interfaces import IAccountStore
from smartproxy_tw.store.accounts import DirectoryAccounts
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.memory import MemoryAccounts

from .fakes import FrailFiles

PRODUCTION = "https://ca.example/directory"
STAGING = "https://ca.example/staging/directory"


class Contract:
    """
    What any store of accounts does; mixed into a test case.
    """

    def makeStore(self) -> IAccountStore:
        """
        An empty one.
        """
        raise NotImplementedError

    def test_interface(self) -> None:
        """
        It provides what the orders ask for.
        """
        verifyObject(IAccountStore, self.makeStore())

    def test_roundTrip(self) -> None:
        """
        An account comes back as it was, also before the authority answered.
        """
        store = self.makeStore()
        key = newKey()
        for account in (Account(key), Account(key, "https://ca.example/account/1")):
            store.save(PRODUCTION, account)
            self.assertEqual(store.load(PRODUCTION), account)

    def test_twoKeys(self) -> None:
        """
        An account that is being given another key has both.
        """
        store = self.makeStore()
        account = Account(newKey(), "https://ca.example/account/1", newKey())
        store.save(PRODUCTION, account)
        self.assertEqual(store.load(PRODUCTION), account)

    def test_eachDirectoryItsOwn(self) -> None:
        """
        Two directories of one host never mix.
        """
        store = self.makeStore()
        store.save(PRODUCTION, Account(newKey(), "https://ca.example/1"))
        self.assertIsNone(store.load(STAGING))


class MemoryAccountsTests(Contract, SynchronousTestCase):
    """
    In memory.
    """

    def makeStore(self) -> IAccountStore:
        return MemoryAccounts()


class DirectoryAccountsTests(Contract, SynchronousTestCase):
    """
    In files.
    """

    def setUp(self) -> None:
        self.files = FrailFiles()
        self.directory = SecureDirectory(os.path.abspath(self.mktemp()), self.files).open()

    def makeStore(self) -> IAccountStore:
        return DirectoryAccounts(self.directory)

    def test_secret(self) -> None:
        """
        The key is readable by its owner alone.
        """
        self.makeStore().save(PRODUCTION, Account(newKey()))
        (name,) = self.directory.names()
        self.assertTrue(name.startswith("ca.example-"))
        self.assertEqual(os.stat(self.directory.pathOf(name)).st_mode & 0o777, 0o600)

    def test_hostileURL(self) -> None:
        """
        A URL with anything in it names a file in the directory.
        """
        for url in ("https://../../x", "https://[::1]:14000/dir", "x", "https://" + "a" * 400 + "/"):
            self.makeStore().save(url, Account(newKey()))
            self.assertIsNotNone(self.makeStore().load(url))

    def test_corruptIsSetAside(self) -> None:
        """
        A file that makes no sense does not stop issuing for good: it is kept
        under another name, and there is no account yet.
        """
        store = self.makeStore()
        for nonsense in (
            b"",
            b"{",
            b"[]",
            b"\xff",
            b"[" * 100_000,
            b'{"directory": "https://ca.example/directory"}',
        ):
            store.save(PRODUCTION, Account(newKey()))
            (name,) = self.directory.names(".json")
            self.directory.write(name, nonsense)
            self.assertIsNone(store.load(PRODUCTION))
            with open(self.directory.pathOf(name + ".corrupt"), "rb") as file:
                self.assertEqual(file.read(), nonsense)

    def test_fullDisk(self) -> None:
        """
        A full disk is an OSError, and the account of before stays.
        """
        store = self.makeStore()
        account = Account(newKey())
        store.save(PRODUCTION, account)
        self.files.fillUp()
        self.assertRaises(OSError, store.save, PRODUCTION, Account(newKey()))
        self.assertEqual(store.load(PRODUCTION), account)
