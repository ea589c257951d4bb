"""
Tests for L{smartproxy_tw.service.composition}.
"""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import (
    LETSENCRYPT,
    LETSENCRYPT_STAGING,
    Acme,
    Authority,
    CertificateHook,
    OwnZones,
    Preflight,
)
from smartproxy_tw.control.local import LocalPlane
from smartproxy_tw.control.supervisor import Supervisor
from smartproxy_tw.facts import Address, Credential
from smartproxy_tw.service.certificates import Certificates
from smartproxy_tw.service.composition import Composition, Means
from smartproxy_tw.service.events import Events
from smartproxy_tw.service.hooks import CertificateHooks
from smartproxy_tw.service.milestones import Milestones
from smartproxy_tw.service.responders import Respondents
from smartproxy_tw.testing.fakes import FakeListen, FakePlane, Story

from .configurations import BLOG, configuration

FIRST, SECOND = "https://first.example/", "https://second.example/"


def obtain(*_: object, **__: object) -> Deferred[Credential]:
    """
    Whoever it is asks no authority of ours.
    """
    raise AssertionError("nothing is ordered here")


class CompositionTests(SynchronousTestCase):
    """
    The parts that a configuration and what was handed in come to.
    """

    def setUp(self) -> None:
        self.clock, self.story = Clock(), Story()
        self.listen = FakeListen(self.story)
        self.means = Means(
            self.clock,
            Events(),
            Respondents(self.clock, ()),
            maybeDeferred,
            Random(0),
            listen=self.listen,  # type: ignore[arg-type]
        )
        self.passed: list[Composition] = []

    def compose(
        self, acme: Acme | None = None, workers: int = 1, bind: tuple[str, ...] | None = None, **means: Any
    ) -> Composition:
        """
        What a proxy with one certificate would begin with.
        """
        self.state = os.path.abspath(self.mktemp())
        config = configuration(self.state, BLOG, acme=acme or Acme(directory=FIRST))

        def makeAdmin(composition: Composition) -> Any:
            self.passed.append(composition)
            return lambda *_: None

        return Composition(
            replace(config, workers=workers, bind=bind or config.bind),
            replace(self.means, **means),
            makeAdmin,
        )

    def certificates(self, composition: Composition) -> Certificates:
        """
        Those of it, the state directory being open.
        """
        composition.storage.open()
        self.addCleanup(composition.storage.close)
        make = composition.life._duties._makeCertificates
        made = make(FakePlane(self.story), lambda: succeed(None), Milestones(self.clock.seconds))
        self.addCleanup(made.stop)
        return made

    def test_nothingYet(self) -> None:
        """
        Nothing is opened, bound or due when it is put together, and whoever makes the
        doors is told which life they are for.
        """
        composition = self.compose()
        self.assertEqual(self.passed, [composition])
        self.assertFalse(os.path.exists(self.state))
        self.assertEqual((self.story.lines, self.clock.getDelayedCalls()), ([], []))
        self.assertFalse(composition.life.hasBegun)
        self.assertEqual(composition.issuers, {})

    def test_plane(self) -> None:
        """
        The data path is in this process, or in as many as are wanted, unless one was
        handed in.
        """
        from twisted.internet import reactor

        local = self.compose(reactor=reactor, linger=0.5).life._path.make()
        assert isinstance(local, LocalPlane)
        self.addCleanup(local.drain, 0)
        self.assertEqual(local.engine.poller.linger, 0.5)
        self.assertIsInstance(self.compose(workers=3).life._path.make(), Supervisor)
        plane = FakePlane(self.story)
        self.assertIs(self.compose(workers=3, plane=lambda: plane).life._path.make(), plane)

    def test_hooks(self) -> None:
        """
        What runs programs is there where the configuration has some.
        """
        self.assertIsNone(self.compose().life._duties._makeHooks)
        hook = CertificateHook(("/bin/tell",), ("issued",))
        composition = self.compose(Acme(directory=FIRST, hooks=(hook,)))
        composition.storage.open()
        self.addCleanup(composition.storage.close)
        make = composition.life._duties._makeHooks
        assert make is not None
        self.assertIsInstance(make(), CertificateHooks)

    def test_nameServer(self) -> None:
        """
        Zones of its own are answered by a name server of its own, with the very
        records that challenges come to.
        """
        self.assertIsNone(self.compose().life._binding._nameServer)
        zones = OwnZones(zones=("acme.example",), name="proxy.example", listen=(Address("127.0.0.1", 53),))
        composition = self.compose(Acme(directory=FIRST, challenges=("dns-01",), dns=zones))
        self.assertIsNotNone(composition.life._binding._nameServer)
        certificates = self.certificates(composition)
        self.assertIs(
            certificates._authorities._ledger._presenter._records,
            composition.life._binding._nameServer._zones,
        )

    def test_authorities(self) -> None:
        """
        There is one way to each authority, and each keeps its own orders.
        """
        acme = Acme(directory=FIRST, fallbacks=(Authority(directory=SECOND),))
        composition = self.compose(acme)
        certificates = self.certificates(composition)
        self.assertEqual(list(composition.issuers), [FIRST, SECOND])
        first, second = certificates._authorities._asked
        self.assertEqual((first.shelf.directory, second.shelf.directory), (FIRST, SECOND))
        self.assertIsNot(first.journal, second.journal)
        self.assertEqual(
            [each.probe for each in (first, second)], [each.probe for each in composition.issuers.values()]
        )

    def test_obtainHandedIn(self) -> None:
        """
        Whoever hands in how orders are placed says all there is: no other authority is
        asked, nothing is rehearsed or looked at, and no account can be spoken of.
        """
        acme = Acme(directory=LETSENCRYPT, fallbacks=(Authority(directory=SECOND),))
        composition = self.compose(acme, obtain=obtain)
        certificates = self.certificates(composition)
        self.assertEqual(composition.issuers, {})
        (asked,) = certificates._authorities._asked
        self.assertEqual((asked.obtain, asked.revoke, asked.probe), (obtain, None, None))
        self.assertIsNone(certificates._rehearsal)
        self.assertIsNone(certificates._preflight)

    def test_preflight(self) -> None:
        """
        It is looked before or beside an order as the configuration says, or not at all.
        """
        for mode, isStrict in (("advisory", False), ("strict", True)):
            acme = Acme(directory=FIRST, preflight=Preflight(mode=mode))  # type: ignore[arg-type]
            found = self.certificates(self.compose(acme))._preflight
            assert found is not None
            self.assertEqual(found.isStrict, isStrict)
        off = Acme(directory=FIRST, preflight=Preflight(mode="off"))
        self.assertIsNone(self.certificates(self.compose(off))._preflight)

    def test_rehearsal(self) -> None:
        """
        Orders at Let's Encrypt are rehearsed at its staging environment, others
        nowhere.
        """
        for directory, wanted in (
            (LETSENCRYPT, LETSENCRYPT_STAGING),
            (LETSENCRYPT_STAGING, None),
            ("https://ca.example/directory", None),
        ):
            found = self.certificates(self.compose(Acme(directory=directory)))._rehearsal
            self.assertEqual(None if found is None else found._directory, wanted)

    def test_preflightAsConfigured(self) -> None:
        """
        A look is made at the ports, and by the resolvers, that the configuration names.
        """
        acme = Acme(directory=FIRST, preflight=Preflight("strict", (Address("192.0.2.53", 54),), 5002, 5001))
        found = self.certificates(self.compose(acme))._preflight
        assert found is not None
        look = found._makeLook()
        self.assertEqual(look._ports, (5002, 5001))
        self.assertEqual(look._names._settings().servers, (("192.0.2.53", 54),))

    def test_challenges(self) -> None:
        """
        Names are proved in the ways that the configuration has, in its order.
        """
        for kinds in (("http-01",), ("tls-alpn-01", "http-01")):
            composition = self.compose(Acme(directory=FIRST, challenges=kinds))
            found = self.certificates(composition)._preflight
            assert found is not None
            self.assertEqual(found.ways(["a.example"]), {"a.example": kinds[0]})

    def test_bind(self) -> None:
        """
        Ports are bound on the addresses that the configuration has.
        """
        composition = self.compose(bind=("127.0.0.7",))
        composition.life.bind()
        self.assertEqual(set(self.listen._hosts.values()), {"127.0.0.7"})

    def test_stateDirectory(self) -> None:
        """
        What is kept is kept in the directory that the configuration has.
        """
        composition = self.compose()
        composition.storage.open()
        self.addCleanup(composition.storage.close)
        self.assertTrue(os.path.isdir(os.path.join(self.state, "accounts")) or os.listdir(self.state))
