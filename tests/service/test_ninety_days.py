"""
Months of many certificates, told with a clock that is moved: an authority that keeps
books as Let's Encrypt does, and refuses whoever asks for too much, who is away for a
day, and who revokes everything.

The certificates here are paper: signing four thousand real ones would take longer
than all the rest.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from functools import cache
from random import Random

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme import x509
from smartproxy_tw.acme.budget import Limits, limitsOf
from smartproxy_tw.acme.errors import AuthorityProblem, AuthorityUnreachable, Problem
from smartproxy_tw.acme.objects import RenewalFacts
from smartproxy_tw.acme.x509 import CertificateFacts
from smartproxy_tw.config.model import LETSENCRYPT, Auto
from smartproxy_tw.config.names import registeredDomain
from smartproxy_tw.facts import Credential
from smartproxy_tw.service.admission import Admission
from smartproxy_tw.service.alarm import Timetable
from smartproxy_tw.service.automatic import AutoCertificate
from smartproxy_tw.service.gathering import gathered
from smartproxy_tw.service.memory import Memory
from smartproxy_tw.service.stock import Stock
from smartproxy_tw.service.ways import Way
from smartproxy_tw.store.uses import Uses
from smartproxy_tw.testing.fakes import FakePlane, Story

NOW = 1_800_000_000
HOUR, DAY = 3600.0, 86400.0
LIFE = 90 * DAY


def paper(names: tuple[str, ...], notBefore: float, serial: int) -> Credential:
    """
    A certificate as L{describePaper} reads it.
    """
    return Credential(json.dumps([sorted(names), notBefore, notBefore + LIFE, serial]).encode(), b"")


@cache
def describePaper(chain: bytes) -> CertificateFacts:
    """
    What a certificate of paper says.
    """
    names, notBefore, notAfter, serial = json.loads(chain)
    return CertificateFacts(tuple(names), notBefore, notAfter, "CN=Paper" if serial else "CN=Self", serial)


class Bucket:
    """
    Tokens, as the authority counts them.
    """

    def __init__(self, most: float, seconds: float, now: float) -> None:
        self.most, self.rate, self.tokens, self.now = most, most / seconds, most, now

    def wait(self, now: float) -> float:
        """
        How long to wait for one, in seconds; 0: there is one.
        """
        self.tokens, self.now = min(self.most, self.tokens + (now - self.now) * self.rate), now
        return max(0.0, (1 - self.tokens) / self.rate)

    def take(self) -> None:
        """
        Take one.
        """
        self.tokens -= 1


class BookKeeper:
    """
    An authority that keeps books.

    @ivar refusals: What it refused because there was too much of it.
    @ivar orders: How many it has had for each set of names.
    @ivar mostAtOnce: So many were under way at one moment.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.isAway = False
        self.bad: set[str] = set()
        self.revoked: set[bytes] = set()
        self.replaced: set[bytes] = set()
        self.refusals: list[str] = []
        self.orders: Counter[str] = Counter()
        self.issued: Counter[str] = Counter()
        self.exempt = 0
        self.times: defaultdict[str, list[float]] = defaultdict(list)
        self.underWay = self.mostAtOnce = self.probes = self.inVain = 0
        self.account = Bucket(300, 3 * HOUR, clock.seconds())
        self.sets: dict[str, Bucket] = {}
        self.domains: dict[str, Bucket] = {}
        self.failures: dict[str, Bucket] = {}

    def away(self) -> AuthorityUnreachable | None:
        """
        Why it cannot be reached.
        """
        return AuthorityUnreachable("https://ca.test/", "connection refused") if self.isAway else None

    def probe(self) -> Deferred[None]:
        """
        Look whether it is there.
        """
        self.probes += 1
        away = self.away()
        return succeed(None) if away is None else fail(away)

    def advise(self, chain: bytes) -> Deferred[RenewalFacts | None]:
        """
        When to renew: a day around the time at which a third of the life is
        left, or yesterday.
        """
        away = self.away()
        if away is not None:
            return fail(away)
        facts = describePaper(chain)
        middle = facts.notBefore - 2 * DAY if chain in self.revoked else facts.notAfter - facts.lifetime / 3
        return succeed(RenewalFacts(middle - DAY, middle + DAY, None, DAY))

    def obtain(
        self, names: tuple[str, ...], install: object, *, replaces: bytes | None = None
    ) -> Deferred[Credential]:
        """
        Order a certificate.
        """
        return Deferred.fromCoroutine(self._obtain(names, install, replaces))

    async def _obtain(self, names: tuple[str, ...], install: object, replaces: bytes | None) -> Credential:
        away = self.away()
        if away is not None:
            self.inVain += 1
            raise away
        key = ",".join(sorted(names))
        buckets = self._counted(names, key, replaces)
        self.orders[key] += 1
        self.times[key].append(self.clock.seconds())
        self.underWay += 1
        self.mostAtOnce = max(self.mostAtOnce, self.underWay)
        try:
            await deferLater(self.clock, 2.0)
            self._prove(names)
            if replaces is not None:
                self.replaced.add(replaces)
            for bucket in buckets:
                bucket.wait(self.clock.seconds())
                bucket.take()
            self.issued[key] += 1
            credential = paper(names, self.clock.seconds(), sum(self.issued.values()))
            await install(credential)  # type: ignore[operator]
            return credential
        finally:
            self.underWay -= 1

    def _counted(self, names: tuple[str, ...], key: str, replaces: bytes | None) -> list[Bucket]:
        """
        Take or refuse an order.

        @return: Where the certificate counts when there is one.
        """
        now = self.clock.seconds()
        if replaces is not None and replaces not in self.replaced:
            facts = describePaper(replaces)
            if replaces in self.revoked or now >= facts.notAfter - facts.lifetime / 3 - DAY:
                self.exempt += 1
                return []
        failures = [self.failures[name] for name in names if name in self.failures]
        certificates = {"exact set of identifiers": self.sets.setdefault(key, Bucket(5, 7 * DAY, now))}
        isNew = not self.issued[key]
        if isNew:
            for domain in {registeredDomain(name) for name in names}:
                bucket = self.domains.setdefault(domain, Bucket(50, 7 * DAY, now))
                certificates[f'already issued for "{domain}"'] = bucket
            self._limited("new orders", self.account)
        for each in failures:
            self._limited("failed authorizations", each)
        for what, each in certificates.items():
            self._limited(what, each)
        if isNew:
            self.account.take()
        return list(certificates.values())

    def _limited(self, what: str, bucket: Bucket) -> None:
        wait = bucket.wait(self.clock.seconds())
        if wait:
            self.refusals.append(what)
            problem = Problem("urn:ietf:params:acme:error:rateLimited", f"too many: {what}", 429)
            raise AuthorityProblem("ordering", problem, retryAfter=wait)

    def _prove(self, names: tuple[str, ...]) -> None:
        bad = [name for name in names if name in self.bad]
        if bad:
            problem = Problem("urn:ietf:params:acme:error:dns", "no such name", 400)
            for name in bad:
                bucket = self.failures.setdefault(name, Bucket(5, HOUR, self.clock.seconds()))
                bucket.wait(self.clock.seconds())
                bucket.take()
            raise AuthorityProblem("verifying", problem, byName=[(name, problem) for name in bad])


class Kept:
    """
    What would be a file.
    """

    def __init__(self, content: object) -> None:
        self.content = content

    def load(self) -> object:
        """
        Read it.
        """
        return self.content

    def save(self, content: object) -> None:
        """
        Write it.
        """
        self.content = content


class World:
    """
    A proxy with many certificates.

    @ivar problems: Each certificate that was once valid and then was not.
    @ivar idle: So many seconds go by at once while nobody orders anything.
    """

    idle = 1200.0

    def __init__(self, test: SynchronousTestCase, wanted: list[Auto], limits: Limits | None = None) -> None:
        test.patch(x509, "describe", describePaper)
        test.patch(x509, "selfSigned", lambda names, now: paper(names, now, 0))
        self.clock = Clock()
        self.clock.advance(NOW)
        self.plane = FakePlane(Story())
        self.authority = BookKeeper(self.clock)
        self.limits = limitsOf(LETSENCRYPT) if limits is None else limits
        self.wanted = wanted
        self.stored: dict[str, Credential] = {}
        self.attempts, self.uses = Kept({}), Kept(Uses())
        self.good: set[str] = set()
        self.problems: set[str] = set()
        self.test = test
        self.starts = 0
        self.start()

    def start(self) -> None:
        """
        A process begins.
        """
        self.starts += 1
        chance = Random(self.starts)
        memory = Memory(self.attempts, self.uses, maybeDeferred)  # type: ignore[arg-type]
        self.admission = Admission(self.limits, memory, self.clock, chance, self.authority.probe)
        timetable = Timetable(self.clock)
        self.certificates = [
            AutoCertificate(
                auto,
                self.plane,
                [self.way(auto.key)],
                self.clock,
                timetable=timetable,
                memory=memory,
                chance=chance,
            )
            for auto in self.wanted
        ]
        stock = Stock(dict(self.stored))
        for each in self.certificates:
            self.test.successResultOf(each.load(stock))
        with self.admission.gathering():
            for each in self.certificates:
                each.provision()

    def way(self, key: str) -> Way:
        """
        To the authority, for one certificate.
        """

        def save(credential: Credential) -> Deferred[None]:
            self.stored[key] = credential
            return succeed(None)

        return Way("", self.admission, self.authority.obtain, save, self.authority.advise)

    def stop(self) -> None:
        """
        It ends.
        """
        self.test.successResultOf(gathered([each.stop() for each in self.certificates]))
        self.admission.stop()
        self.test.assertEqual(self.clock.getDelayedCalls(), [])

    def restart(self) -> None:
        """
        Another one takes over.
        """
        self.stop()
        self.start()

    def runs(self, seconds: float) -> None:
        """
        Time goes by.
        """
        end = self.clock.seconds() + seconds
        looked = 0.0
        while self.clock.seconds() < end:
            soonest = min((call.getTime() for call in self.clock.getDelayedCalls()), default=end)
            now = self.clock.seconds()
            # What happens within a few seconds happens at once here, or within
            # some minutes when nobody orders anything.
            isBusy = self.authority.underWay or self.authority.isAway or self.admission.waiting
            step = 5.0 if isBusy else self.idle
            self.clock.advance(min(max(soonest - now, step), end - now))
            if self.clock.seconds() - looked >= DAY / 2:
                looked = self.clock.seconds()
                self.look()
        self.look()

    def look(self) -> None:
        """
        See whether what was valid once still is.
        """
        now = self.clock.seconds()
        for key, credential in self.plane.installed.items():
            facts = describePaper(credential.chain)
            if facts.serial and facts.notAfter > now:
                self.good.add(key)
            elif key in self.good:
                self.problems.add(key)

    def revokes(self) -> None:
        """
        The authority takes back all that it has signed.
        """
        self.authority.revoked.update(each.chain for each in self.plane.installed.values())

    def states(self) -> Counter[str]:
        """
        How many are how.
        """
        return Counter(each.status().state for each in self.certificates)


def sites(count: int, *, perDomain: int = 25) -> list[Auto]:
    """
    So many certificates, some for one name and some for two.
    """
    found = []
    for number in range(count):
        name = f"site{number}.shop{number // perDomain}.test"
        found.append(Auto((name, f"www.{name}") if number % 3 else (name,)))
    return found


class NinetyDaysTests(SynchronousTestCase):
    """
    What a season brings.
    """

    def test_season(self) -> None:
        """
        Four hundred certificates at an authority with Let's Encrypt's limits, which takes
        three hundred new ones in three hours: had within two; across a restart; replaced
        within a day when all are revoked; renewed in time though the authority is away
        for a whole day just then.  Each one is valid throughout, with one order for each
        occasion, and not one is refused.
        """
        world = World(self, sites(400))
        authority = world.authority
        world.runs(180.0)
        self.assertTrue(290 <= sum(authority.issued.values()) <= 306, authority.issued.total())
        self.assertEqual(world.states()["waiting"], 400 - sum(authority.issued.values()))
        world.runs(HOUR / 2)
        while authority.underWay:
            world.runs(1.0)
        self.assertTrue(335 <= sum(authority.issued.values()) <= 365, authority.issued.total())
        world.restart()
        world.runs(1.25 * HOUR)
        self.assertEqual(world.states(), {"valid": 400})
        self.assertEqual(set(authority.orders.values()), {1})

        world.runs(30 * DAY)
        self.assertEqual(set(authority.orders.values()), {1})
        world.revokes()
        world.runs(25 * HOUR)
        self.assertEqual(set(authority.orders.values()), {2})
        self.assertEqual(authority.exempt, 400)

        world.runs(58.5 * DAY)
        authority.isAway = True
        before = sum(authority.orders.values())
        world.runs(DAY)
        self.assertEqual(sum(authority.orders.values()), before)
        self.assertLess(authority.probes, DAY / 30 * 1.4)
        # The others did not even try.
        self.assertLess(authority.inVain, 2 * 16)
        authority.isAway = False
        world.runs(3 * DAY)
        self.assertEqual(world.states(), {"valid": 400})
        self.assertEqual(set(authority.orders.values()), {3})
        self.assertEqual((world.problems, authority.refusals), (set(), []))
        self.assertLessEqual(authority.mostAtOnce, 16)
        world.stop()

    def test_halfOfThemFail(self) -> None:
        """
        Where every second name cannot be proved, the others do not wait for
        them; those that fail are tried ever more rarely, and no limit on
        failures is met.
        """
        wanted = sites(100)
        world = World(self, wanted)
        world.idle = 5.0
        world.authority.bad = {auto.names[0] for auto in wanted[::2] if len(auto.names) == 1}
        world.authority.bad |= {auto.names[1] for auto in wanted[::2] if len(auto.names) == 2}
        world.runs(60.0)
        good = [auto for auto in wanted if not world.authority.bad.intersection(auto.names)]
        self.assertEqual(len(good), 50)
        for auto in good:
            self.assertEqual(world.authority.issued[",".join(sorted(auto.names))], 1)
        # Those for two names serve the one that can be proved.
        self.assertEqual(len(world.authority.issued), 50 + sum(len(auto.names) == 2 for auto in wanted[::2]))
        world.runs(DAY)
        failing = world.authority.times[",".join(sorted(wanted[0].names))]
        self.assertTrue(5 <= len(failing) <= 7, failing)
        self.assertEqual(world.authority.refusals, [])
        # They do not march in step.
        seconds = {world.authority.times[",".join(sorted(auto.names))][4] // 60 for auto in wanted[::2]}
        self.assertGreater(len(seconds), 20)
        world.authority.bad.clear()
        world.runs(31 * HOUR)
        self.assertEqual(world.states(), {"valid": 100})
        self.assertEqual(world.authority.refusals, [])

    def test_tooManyUnderOneDomain(self) -> None:
        """
        Of eighty names under one domain the authority takes fifty in a week.
        Nothing is held back before it says so; then each one that comes free is
        used, by one request each, and other domains do not wait.
        """
        world = World(self, [*sites(80, perDomain=1000), Auto(("other.example",))])
        world.runs(HOUR)
        self.assertEqual(world.authority.issued.total(), 51)
        self.assertLessEqual(len(world.authority.refusals), 2)
        held = next(each for each in world.certificates if each.status().state == "waiting").status()
        self.assertIn("already issued for", held.reason or "")
        world.runs(5 * DAY)
        self.assertEqual(world.states(), {"valid": 81})
        self.assertLess(len(world.authority.refusals), 40)

    def test_unknownLimits(self) -> None:
        """
        An authority of which nothing is known, and which takes 300 orders in
        three hours: it is asked in vain a few times, not a thousand.
        """
        world = World(self, sites(400), Limits())
        world.runs(HOUR)
        self.assertTrue(300 <= world.authority.issued.total() <= 400)
        self.assertLess(len(world.authority.refusals), 2 * (world.authority.issued.total() - 300) + 10)
        world.runs(6 * HOUR)
        self.assertEqual(world.states()["valid"], 400)

    def test_clockGoesForward(self) -> None:
        """
        A machine that slept for half a year finds everything ended, and has it
        anew within the hour that the limits allow.
        """
        world = World(self, sites(100))
        world.runs(DAY)
        world.clock.rightNow += 182 * DAY
        world.runs(HOUR)
        self.assertEqual(world.states(), {"valid": 100})
        self.assertEqual(set(world.authority.orders.values()), {2})
        self.assertEqual(world.authority.refusals, [])

    def test_clockGoesBack(self) -> None:
        """
        A clock that is set back by ten days makes nobody order anything, and
        what is due later is done by then.
        """
        world = World(self, sites(100))
        world.runs(20 * DAY)
        world.clock.rightNow -= 10 * DAY
        world.runs(30 * DAY)
        self.assertEqual(set(world.authority.orders.values()), {1})
        world.runs(25 * DAY)
        self.assertEqual(set(world.authority.orders.values()), {2})
        self.assertEqual((world.problems, world.authority.refusals), (set(), []))
