"""
Tests for L{smartproxy_tw.service.making}; what is made is tested in modules of its own.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.x509 import Signer
from smartproxy_tw.config.model import Acme, Auto, CertificateSource, Files, Internal, twinOf
from smartproxy_tw.routing.steps import finish
from smartproxy_tw.service.authorities import Asked, Authorities
from smartproxy_tw.service.holdings import Holdings
from smartproxy_tw.service.making import Making
from smartproxy_tw.service.memory import Memory
from smartproxy_tw.service.presenting import Presenter
from smartproxy_tw.service.storage import Storage
from smartproxy_tw.service.succession import Succession
from smartproxy_tw.testing.fakes import FakeAuthority, FakePlane, Story

from .configurations import BLOG, SHOP, configuration

NOW = 1_800_000_000
INTERNAL, FILES = Internal(("inside.test",)), Files("/x/certificate.pem", "/x/key.pem")


class MakingTests(SynchronousTestCase):
    """
    Certificates of every kind, at an authority that nobody is to ask.
    """

    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())
        self.had: list[str] = []
        self.holdings = Holdings()

    def make(self, keyType: Any = "ecdsa-p256") -> Making:
        """
        With one authority.
        """
        clock, story = Clock(), Story()
        clock.advance(NOW)
        self.plane = FakePlane(story)
        storage = Storage(
            self.path, "https://ca.example/", clock.seconds, maybeDeferred, hasTwins=keyType == "both"
        )
        storage.open()
        self.addCleanup(storage.close)
        signer = Signer.create("A test's root", now=NOW - 86400)
        self.authority = FakeAuthority(story, self.plane, signer, clock.seconds)
        memory = Memory(storage.own.attempts, storage.own.uses, maybeDeferred)
        asked = Asked(storage.own, self.authority.obtain, lambda: maybeDeferred(int), memory)  # type: ignore[arg-type]
        acme = Acme(directory="https://ca.example/", keyType=keyType)
        authorities = Authorities([asked], acme, Presenter(self.plane, None), clock, Random(0))
        divide: Any = self.had.clear
        return Making(self.plane, storage, authorities, memory, clock, Random(0), self.had.append, divide)

    def comes(self, making: Making, *sources: CertificateSource | None) -> Succession:
        """
        What routes with these come to; it is there from now on.
        """
        found = finish(making.succession(configuration(self.path, *sources), self.holdings))
        self.holdings.admit(found)
        self.holdings.release(found.gone)
        return found

    def test_kinds(self) -> None:
        """
        There is one of its kind for each source, however many routes share it, and nothing is
        asked or served.
        """
        found = self.comes(self.make(), SHOP, INTERNAL, SHOP, None, FILES, BLOG)
        self.assertEqual([each.auto for each in found.first], [SHOP, BLOG])
        self.assertEqual([each.key for each in found.internal], [INTERNAL.key])
        self.assertEqual([each.key for each in found.files], [FILES.key])
        self.assertEqual((found.twins, found.gone), ({}, frozenset()))
        self.assertEqual(self.plane.installed, {})
        self.assertEqual(sum(self.authority.orders.values()), 0)

    def test_twins(self) -> None:
        """
        With two keys for each there is a second one to each by ACME, and to no other.
        """
        found = self.comes(self.make("both"), SHOP, INTERNAL)
        self.assertEqual([each.auto for each in found.first], [SHOP])
        self.assertEqual([each.auto for each in found.twins.values()], [Auto(SHOP.names, isTwin=True)])
        self.assertEqual([*found.twins], [SHOP.key])

    def test_difference(self) -> None:
        """
        Only what is not there is made, and what is there and not wanted is named: second ones
        go with the first.
        """
        making = self.make("both")
        self.comes(making, SHOP, INTERNAL, FILES)
        found = self.comes(making, BLOG, INTERNAL)
        self.assertEqual({each.key for each in found.every}, {BLOG.key, twinOf(BLOG.key)})
        self.assertEqual(found.gone, {SHOP.key, twinOf(SHOP.key), FILES.key})
        found = self.comes(making, INTERNAL, BLOG)
        self.assertEqual((found.every, found.gone), ((), frozenset()))

    def test_inSteps(self) -> None:
        """
        Very many are made a few at a time.
        """
        sources = [Auto((f"site{number}.example",)) for number in range(600)]
        steps = self.make().succession(configuration(self.path, *sources), self.holdings)
        self.assertGreater(sum(1 for _ in steps), 1)
