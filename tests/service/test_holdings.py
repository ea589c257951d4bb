"""
Tests for L{smartproxy_tw.service.holdings}.
"""

from __future__ import annotations

import os
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Auto, Files, twinOf
from smartproxy_tw.service.automatic import AutoCertificate
from smartproxy_tw.service.files import FileCertificate
from smartproxy_tw.service.holdings import Holdings
from smartproxy_tw.service.succession import Succession
from smartproxy_tw.testing.fakes import FakePlane, Story

from .configurations import BLOG, SHOP, configuration


def automatic(auto: Auto) -> AutoCertificate:
    """
    One that is by ACME, and asks nobody.
    """
    made = AutoCertificate.__new__(AutoCertificate)
    made.auto = auto
    return made


class HoldingsTests(SynchronousTestCase):
    """
    Two certificates by ACME, one of them with a second one, and one in files.
    """

    def setUp(self) -> None:
        config = configuration(os.path.abspath(self.mktemp()))
        files = Files("/x/certificate.pem", "/x/key.pem")
        self.twin = automatic(Auto(SHOP.names, isTwin=True))
        self.file = FileCertificate(files, FakePlane(Story()), Clock(), 60.0)  # type: ignore[arg-type]
        coming = Succession(config, config)
        coming.files.append(self.file)
        coming.first += [automatic(SHOP), automatic(BLOG)]
        coming.twins[SHOP.key] = self.twin
        self.holdings = Holdings()
        self.holdings.admit(coming)

    def test_byKind(self) -> None:
        """
        Those by ACME come first, second ones after all first ones; and only they can be
        renewed.
        """
        keys = [SHOP.key, BLOG.key, self.twin.key, self.file.key]
        self.assertEqual([each.key for each in self.holdings], keys)
        self.assertCountEqual(self.holdings.keys, keys)
        self.assertCountEqual(self.holdings.renewable, keys[:3])
        self.assertIs(self.holdings.byACME(twinOf(SHOP.key)), self.twin)
        self.assertIsNone(self.holdings.byACME(self.file.key))
        self.assertIsNone(self.holdings.byACME(None))

    def test_release(self) -> None:
        """
        Who is released is in no list any more, but is found by who has still to end it,
        until it is forgotten.
        """
        gone = self.holdings.release([SHOP.key, self.twin.key, self.file.key, "auto:other.example"])
        self.assertEqual([each.key for each in gone], [SHOP.key, self.twin.key, self.file.key])
        self.assertEqual([each.key for each in self.holdings], [BLOG.key])
        self.assertFalse(self.holdings.has(SHOP.key))
        self.assertIsNone(self.holdings.statusOf(SHOP.key))
        self.assertIs(self.holdings.byACME(SHOP.key), gone[0])
        self.holdings.forget(SHOP.key)
        self.assertIsNone(self.holdings.byACME(SHOP.key))

    def test_unneeded(self) -> None:
        """
        A second certificate is needed as long as the first one is.
        """
        self.assertEqual(self.holdings.unneeded({SHOP.key, self.file.key}), {BLOG.key})
        self.assertEqual(
            self.holdings.unneeded({BLOG.key}), {SHOP.key, cast(Any, self.twin).key, self.file.key}
        )

    def test_find(self) -> None:
        """
        By its identity it is one; by a name those that have it come before those that
        are merely for it.
        """
        self.holdings.release([self.file.key])
        wild = automatic(Auto(("*.example",)))
        config = configuration("/x")
        self.holdings.admit(Succession(config, config, first=[wild]))
        self.assertEqual(self.holdings.find(BLOG.key), (BLOG.key,))
        self.assertEqual(self.holdings.find("Shop.Example."), (SHOP.key, self.twin.key))
        self.assertEqual(self.holdings.find("news.example"), (wild.key,))
        self.assertEqual(self.holdings.find("other.test"), ())
        self.assertRaises(ValueError, self.holdings.find, "a b")
