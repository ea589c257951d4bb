"""
Tests for L{smartproxy_tw.store.journal}.
"""

from __future__ import annotations

import os
from dataclasses import replace

from twisted.trial.unittest import SkipTest, SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.acme.entry import Entry, decode, encode
from smartproxy_tw.interfaces import IOrderStore
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.journal import DirectoryOrders

from ..acme.test_entry import ENTRY
from .fakes import FrailFiles


class DirectoryOrdersTests(SynchronousTestCase):
    """
    Orders in a directory.
    """

    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())
        self.files = FrailFiles()
        self.orders = DirectoryOrders(SecureDirectory(self.path, self.files).open())

    def all(self) -> list[Entry]:
        """
        What is found.
        """
        return self.successResultOf(self.orders.load())

    def put(self, name: str, content: bytes) -> None:
        """
        A file that somebody left there.
        """
        with open(os.path.join(self.path, name), "wb") as file:
            file.write(content)

    def test_interface(self) -> None:
        """
        It is what the interface says.
        """
        self.assertTrue(verifyObject(IOrderStore, self.orders))

    def test_cycle(self) -> None:
        """
        What is saved is found, for its owner's eyes only, until it is removed.
        """
        wildcard = replace(ENTRY, names=("*.example",))
        for entry in (ENTRY, wildcard, replace(ENTRY, order=None)):
            self.successResultOf(self.orders.save(entry))
        self.assertCountEqual(self.all(), [wildcard, replace(ENTRY, order=None)])
        for name in os.listdir(self.path):
            self.assertEqual(os.stat(os.path.join(self.path, name)).st_mode & 0o777, 0o600)
        self.successResultOf(self.orders.remove(ENTRY.names[::-1]))
        self.successResultOf(self.orders.remove(ENTRY.names))
        self.assertEqual(self.all(), [wildcard])

    def test_corrupt(self) -> None:
        """
        Files that make no sense are moved aside, and cost no other.
        """
        self.successResultOf(self.orders.save(ENTRY))
        self.put("empty.json", b"")
        self.put("half.json", encode(ENTRY)[:100])
        self.put("misnamed.json", encode(ENTRY))
        self.put("escaping.json", encode(replace(ENTRY, names=("../../etc",))))
        os.mkdir(os.path.join(self.path, "directory.json"))
        self.put("README", b"not ours")
        self.assertEqual(self.all(), [ENTRY])
        self.assertEqual(self.all(), [ENTRY])
        self.assertEqual(len([name for name in os.listdir(self.path) if name.endswith(".corrupt")]), 5)

    def test_noFiles(self) -> None:
        """
        Nothing waits for a pipe, follows a link or reads what is far too long,
        and the next entry of the same name takes the place of a link.
        """
        self.successResultOf(self.orders.save(ENTRY))
        (mine,) = os.listdir(self.path)
        os.rename(os.path.join(self.path, mine), os.path.join(self.path, "elsewhere"))
        os.symlink(os.path.join(self.path, "elsewhere"), os.path.join(self.path, mine))
        os.mkfifo(os.path.join(self.path, "pipe.json"), 0o600)
        self.put("long.json", b"")
        os.truncate(os.path.join(self.path, "long.json"), 1 << 33)
        self.assertEqual(self.all(), [])
        self.assertIn("pipe.json.corrupt", os.listdir(self.path))
        self.assertIn("long.json.corrupt", os.listdir(self.path))
        other = replace(ENTRY, order=None)
        self.successResultOf(self.orders.save(other))
        self.assertEqual(self.all(), [other])
        with open(os.path.join(self.path, "elsewhere"), "rb") as file:
            self.assertEqual(file.read(), encode(ENTRY))

    def test_anothers(self) -> None:
        """
        What another user put there is passed over.
        """
        if os.geteuid() != 0:
            raise SkipTest("needs root")
        self.successResultOf(self.orders.save(ENTRY))
        (mine,) = os.listdir(self.path)
        os.chown(os.path.join(self.path, mine), 65534, 65534)
        self.assertEqual(self.all(), [])

    def test_truncated(self) -> None:
        """
        Whatever is missing of it, an entry is the whole of it or none.
        """
        text = encode(ENTRY)
        for length in range(len(text) - 1):
            self.assertRaises(ValueError, decode, text[:length])
        self.assertEqual(decode(text[:-1]), ENTRY)

    def test_nameThatLeadsOut(self) -> None:
        """
        Nothing is written or removed beside the directory.
        """
        self.failureResultOf(self.orders.save(replace(ENTRY, names=("../x",))), ValueError)
        self.failureResultOf(self.orders.remove(("../x",)), ValueError)

    def test_fullDisk(self) -> None:
        """
        Without space the entry before it stays.
        """
        self.successResultOf(self.orders.save(ENTRY))
        self.files.fillUp()
        self.failureResultOf(self.orders.save(replace(ENTRY, order=None)), OSError)
        self.assertEqual(self.all(), [ENTRY])
