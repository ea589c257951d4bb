"""
Tests for L{smartproxy_tw.store.memory}.  Its accounts are tried in
L{tests.store.test_accounts}, along with those in files.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from txacme.interfaces import ICertificateStore

from smartproxy_tw.acme.x509 import selfSigned
from smartproxy_tw.store.certificates import pemObjects
from smartproxy_tw.store.memory import MemoryCertificates


class MemoryCertificatesTests(SynchronousTestCase):
    """
    Certificates as long as the object lives.
    """

    def test_contract(self) -> None:
        """
        It does what txacme asks of a store, and what it gives out is not what
        it holds.
        """
        store = MemoryCertificates()
        self.assertTrue(ICertificateStore.providedBy(store))
        self.failureResultOf(store.get("a.test"), KeyError)
        objects = pemObjects(selfSigned(["a.test"]))
        self.successResultOf(store.store("a.test", objects))
        self.successResultOf(store.get("a.test")).clear()
        self.successResultOf(store.as_dict())["a.test"].clear()
        self.assertEqual(self.successResultOf(store.as_dict()), {"a.test": objects})
