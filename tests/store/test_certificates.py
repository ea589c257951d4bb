"""
Tests for L{smartproxy_tw.store.certificates}.
"""

from __future__ import annotations

import os
from typing import Any

import pem
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase
from txacme.interfaces import ICertificateStore
from txacme.store import DirectoryStore

from smartproxy_tw.acme.x509 import Signer, newKey, selfSigned
from smartproxy_tw.config.model import Auto
from smartproxy_tw.facts import Credential
from smartproxy_tw.store.certificates import (
    Credentials,
    DirectoryCertificates,
    credentialOf,
    pemObjects,
)
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.memory import MemoryCertificates

from .fakes import FrailFiles

SIGNER = Signer.create("Test root").delegate("Test intermediate")
NOW = 1_800_000_000.0


def issue(*names: str, lifetime: float = 86400.0) -> Credential:
    """
    A certificate with its chain, as an authority gives it.
    """
    return SIGNER.issue(names, lifetime=lifetime, now=NOW)


class DirectoryCertificatesTests(SynchronousTestCase):
    """
    Certificates in a directory.
    """

    def setUp(self) -> None:
        self.files = FrailFiles()
        self.directory = SecureDirectory(os.path.abspath(self.mktemp()), self.files).open()
        self.store = DirectoryCertificates(self.directory)

    def keep(self, credential: Credential, name: str) -> None:
        """
        Store a credential, at once.
        """
        self.successResultOf(self.store.store(name, pemObjects(credential)))

    def test_interface(self) -> None:
        """
        It is what txacme calls a certificate store.
        """
        self.assertTrue(ICertificateStore.providedBy(self.store))

    def test_roundTrip(self) -> None:
        """
        What is stored comes back, key first, then the certificate, then the
        chain.
        """
        credential = issue("shop.example")
        self.keep(credential, "shop.example")
        objects = self.successResultOf(self.store.get("shop.example"))
        self.assertEqual(objects, pemObjects(credential))
        self.assertIsInstance(objects[0], pem.Key)
        self.assertEqual(credentialOf(objects), credential)
        self.assertEqual(len(objects), 3)

    def test_absent(self) -> None:
        """
        What is not there is a KeyError, as the interface says.
        """
        self.failureResultOf(self.store.get("shop.example"), KeyError)

    def test_traversal(self) -> None:
        """
        No server name leads out of the directory.
        """
        for name in ("../shop", "a/b", "..", "", ".x"):
            self.failureResultOf(self.store.get(name), ValueError)
            self.failureResultOf(self.store.store(name, pemObjects(issue("a.example"))), ValueError)
        self.assertEqual(os.listdir(self.directory.path), [])

    def test_secret(self) -> None:
        """
        The file is readable by its owner alone.
        """
        self.keep(issue("shop.example"), "shop.example")
        self.assertEqual(os.stat(self.directory.pathOf("shop.example.pem")).st_mode & 0o777, 0o600)

    def test_corruptEntriesCostOnlyThemselves(self) -> None:
        """
        Empty, cut and foreign files are passed over; the others are there.
        """
        good = issue("good.example")
        self.keep(good, "good.example")
        whole = good.key + good.chain
        self.directory.write("empty.pem", b"")
        self.directory.write("cut.pem", whole[: len(good.key) + 100])
        self.directory.write("text.pem", b"hello\n")
        self.directory.write("other.txt", b"not ours")
        os.mkdir(self.directory.pathOf("folder.pem"))
        found = self.successResultOf(self.store.as_dict())
        self.assertEqual(list(found), ["good.example"])

    def test_goneWhileReading(self) -> None:
        """
        A link that leads nowhere, or a file that somebody takes away just then, costs
        nobody else anything.
        """
        self.keep(issue("a.example"), "a.example")
        os.symlink("/nonexistent/b.pem", self.store.pathOf("b.example"))
        self.assertEqual(list(self.successResultOf(self.store.as_dict())), ["a.example"])

    def test_brokenPairReplacesNothing(self) -> None:
        """
        A key that does not belong to its certificate is refused, and the valid
        pair stays.
        """
        good = issue("shop.example")
        self.keep(good, "shop.example")
        broken = Credential(chain=issue("shop.example").chain, key=newKey())
        self.failureResultOf(self.store.store("shop.example", pemObjects(broken)), ValueError)
        self.failureResultOf(self.store.store("shop.example", []), ValueError)
        self.assertEqual(credentialOf(self.successResultOf(self.store.get("shop.example"))), good)

    def test_fullDisk(self) -> None:
        """
        A full disk is an OSError of this one store call, and the old stays.
        """
        good = issue("shop.example")
        self.keep(good, "shop.example")
        self.files.fillUp()
        self.failureResultOf(self.store.store("shop.example", pemObjects(issue("shop.example"))), OSError)
        self.assertEqual(credentialOf(self.successResultOf(self.store.get("shop.example"))), good)

    def test_writesWhereItIsTold(self) -> None:
        """
        What waits for the disk is done by the runner that was handed in.
        """
        done = []

        def run(function: Any, *arguments: Any) -> Deferred[Any]:
            done.append(function)
            return maybeDeferred(function, *arguments)

        store = DirectoryCertificates(self.directory, run)
        self.successResultOf(store.store("shop.example", pemObjects(issue("shop.example"))))
        self.assertEqual(len(done), 1)

    def test_readsTxacmesDirectoryInPlace(self) -> None:
        """
        What txacme stored is found, and what we store txacme finds.
        """
        theirs = DirectoryStore(FilePath(self.directory.path))
        one, two = issue("one.example"), issue("two.example")
        self.successResultOf(theirs.store("one.example", pemObjects(one)))
        self.keep(two, "two.example")
        self.assertEqual(credentialOf(self.successResultOf(self.store.get("one.example"))), one)
        self.assertEqual(credentialOf(self.successResultOf(theirs.get("two.example"))), two)


class CredentialsTests(SynchronousTestCase):
    """
    Any store, by sets of names.
    """

    def setUp(self) -> None:
        self.store = MemoryCertificates()
        self.credentials = Credentials(self.store)

    def put(self, name: str, credential: Credential) -> None:
        """
        Lay something into the store under a name of our choice.
        """
        self.successResultOf(self.store.store(name, pemObjects(credential)))

    def test_identityIsTheSetOfNames(self) -> None:
        """
        A certificate is found by its names, however its entry is called and
        whatever their order.
        """
        credential = issue("www.shop.example", "shop.example")
        self.put("renamed-by-somebody", credential)
        found = self.successResultOf(self.credentials.load())
        self.assertEqual(found, {Auto(("shop.example", "www.shop.example")).key: credential})

    def test_savedIsLoaded(self) -> None:
        """
        What was saved is loaded under the key of the configuration.
        """
        credential = issue("shop.example", "www.shop.example")
        self.successResultOf(self.credentials.save(credential))
        found = self.successResultOf(self.credentials.load())
        self.assertEqual(found[Auto(("www.shop.example", "shop.example")).key], credential)

    def test_longestValidWins(self) -> None:
        """
        Of two for the same names the one that lasts longer is served.
        """
        short, long = issue("a.example"), issue("a.example", lifetime=2 * 86400.0)
        for first, second in ((short, long), (long, short)):
            self.put("1", first)
            self.put("2", second)
            found = self.successResultOf(self.credentials.load())
            self.assertEqual(found, {"auto:a.example": long})

    def test_nonsenseIsLeftOut(self) -> None:
        """
        An entry that cannot be served costs no other one.
        """
        good = issue("good.example")
        self.put("good", good)
        self.put("mixed", Credential(chain=issue("bad.example").chain, key=newKey()))
        self.store.entries["empty"] = []
        self.assertEqual(self.successResultOf(self.credentials.load()), {"auto:good.example": good})

    def test_brokenIsNotSaved(self) -> None:
        """
        A pair that does not belong together never reaches the store.
        """
        broken = Credential(chain=issue("a.example").chain, key=newKey())
        self.failureResultOf(self.credentials.save(broken), ValueError)
        self.assertEqual(self.store.entries, {})

    def test_selfSignedWithoutChain(self) -> None:
        """
        A certificate that stands alone is kept too.
        """
        credential = selfSigned(["a.example"], now=NOW)
        self.successResultOf(self.credentials.save(credential))
        self.assertEqual(self.successResultOf(self.credentials.load()), {"auto:a.example": credential})

    def test_aStoreOfTxacmes(self) -> None:
        """
        txacme's own store works unchanged in place of ours.
        """
        path = FilePath(self.mktemp())
        path.makedirs()
        credentials = Credentials(DirectoryStore(path))
        credential = issue("shop.example")
        self.successResultOf(credentials.save(credential))
        self.assertEqual(self.successResultOf(credentials.load()), {"auto:shop.example": credential})
