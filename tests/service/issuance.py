"""
The world of one certificate by ACME: an authority whose deeds are the test's, a data path, a store
and a clock.
"""

from __future__ import annotations

import errno
import os
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.budget import UNLIMITED
from smartproxy_tw.acme.choices import Choices
from smartproxy_tw.acme.errors import AuthorityProblem, Problem
from smartproxy_tw.acme.x509 import Signer
from smartproxy_tw.config.model import Auto
from smartproxy_tw.facts import Credential
from smartproxy_tw.preflight.facts import Listed, NameFacts
from smartproxy_tw.service.admission import Admission
from smartproxy_tw.service.alarm import Timetable
from smartproxy_tw.service.automatic import AutoCertificate
from smartproxy_tw.service.caution import Preflight
from smartproxy_tw.service.events import CertificateEvent, Events
from smartproxy_tw.service.memory import Memory
from smartproxy_tw.service.stock import Stock
from smartproxy_tw.service.ways import Way
from smartproxy_tw.store.attempts import DirectoryAttempts
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.uses import DirectoryUses
from smartproxy_tw.testing.fakes import FakeAuthority, FakePlane, Story

NOW = 1_800_000_000
HOUR, DAY = 3600.0, 86400.0
SIGNER = Signer.create("Test root", now=NOW - DAY)
SHOP = Auto(("shop.example", "www.shop.example"))


def refusal(retryAfter: float | None = None) -> AuthorityProblem:
    """
    An authority that says no.
    """
    return AuthorityProblem(
        "verifying shop.example",
        Problem("urn:ietf:params:acme:error:unauthorized", "wrong answer", 403),
        retryAfter=retryAfter,
    )


class Issuance(SynchronousTestCase):
    """
    A certificate for the names of a shop, which nobody has asked for yet.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.story = Story()
        self.plane = FakePlane(self.story)
        self.authority = FakeAuthority(self.story, self.plane, SIGNER, self.clock.seconds)
        self.saved: list[Credential] = []
        self.isFull = False
        directory = SecureDirectory(os.path.abspath(self.mktemp())).open()
        self.attempts, self.uses = DirectoryAttempts(directory), DirectoryUses(directory)
        self.memory = Memory(self.attempts, self.uses, maybeDeferred)
        self.admission = self.admitting()
        self.timetable = Timetable(self.clock)
        self.events = Events()
        self.told: list[CertificateEvent] = []
        self.events.observe(self.told.append)
        self.certificate = self.make(SHOP)
        self.warnings: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: dict[str, Any]) -> None:
        """
        Note what an operator sees of failures.
        """
        if event.get("event") in ("certificate-failed", "authority-away"):
            self.warnings.append(event["problem"])

    def make(self, auto: Auto, preflight: Preflight | None = None) -> AutoCertificate:
        """
        A certificate in this world.
        """
        return AutoCertificate(
            auto,
            self.plane,
            [self.way()],
            self.clock,
            timetable=self.timetable,
            memory=Memory(self.attempts, self.uses, maybeDeferred),
            chance=Random(0),
            preflight=preflight,
            events=self.events,
        )

    def way(self) -> Way:
        """
        To the authority.
        """
        return Way(
            "",
            self.admission,
            self.authority.obtain,
            self.save,
            self.authority.advise,
            fileOf=lambda names: "/certificates/" + "+".join(names),
        )

    def looks(self, find: dict[str, NameFacts], *, isStrict: bool) -> AutoCertificate:
        """
        The certificate, with a look at its names.
        """

        class Looking:
            async def at(self, name: str, _: str) -> NameFacts:
                return find.get(name, NameFacts(name, "http-01", Listed(("192.0.2.1",))))

        look: Any = Looking()
        preflight = Preflight(lambda: look, Choices(("http-01",)), self.clock, isStrict=isStrict)
        return self.make(SHOP, preflight)

    def admitting(self) -> Admission:
        """
        One order at a time.
        """
        return Admission(UNLIMITED, self.memory, self.clock, Random(0), self.authority.probe, atOnce=1)

    def save(self, credential: Credential) -> Deferred[None]:
        """
        The store.
        """
        if self.isFull:
            return fail(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        self.saved.append(credential)
        return succeed(None)

    def begin(self, **stored: Credential) -> None:
        """
        Load what is stored and ask for what is due.
        """
        self.successResultOf(self.certificate.load(Stock(stored)))
        self.certificate.provision()

    @property
    def served(self) -> Credential:
        """
        What a client would see.
        """
        return self.plane.installed[SHOP.key]

    @property
    def orders(self) -> int:
        """
        How many orders the authority has had.
        """
        return self.authority.orders[SHOP.names]

    def issued(
        self, age: float, lifetime: float = 90 * DAY, names: tuple[str, ...] = SHOP.names
    ) -> Credential:
        """
        A certificate that was issued some seconds ago.
        """
        return SIGNER.issue(names, lifetime=lifetime, now=NOW - age)

    def restart(self) -> None:
        """
        Another process takes over.
        """
        self.successResultOf(self.certificate.stop())
        self.admission.stop()
        self.memory = Memory(self.attempts, self.uses, maybeDeferred)
        self.admission = self.admitting()
        self.timetable = Timetable(self.clock)
        self.certificate = self.make(SHOP)
        self.begin()

    def refuseWWW(self) -> None:
        """
        One of the names cannot be proved.
        """
        problem = Problem("urn:ietf:params:acme:error:dns", "no such name", 400)
        why = AuthorityProblem("verifying", problem, byName={"www.shop.example": problem}.items())
        self.authority.refuses(why, "www.shop.example")
