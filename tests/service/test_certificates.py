"""
Tests for L{smartproxy_tw.service.certificates}.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.entry import Answer, Entry
from smartproxy_tw.acme.errors import ERRORS, AuthorityProblem, AuthorityUnreachable, Problem
from smartproxy_tw.acme.journal import Journal
from smartproxy_tw.acme.x509 import Signer, describe, newKey
from smartproxy_tw.config.model import Acme, Authority, Auto, CertificateSource, Files, Internal, twinOf
from smartproxy_tw.facts import Credential
from smartproxy_tw.service.authorities import Asked
from smartproxy_tw.service.certificates import Certificates
from smartproxy_tw.service.errors import CertificateError, StoppedError
from smartproxy_tw.service.events import CertificateEvent, Events
from smartproxy_tw.service.memory import Memory
from smartproxy_tw.service.storage import Storage
from smartproxy_tw.store.certificates import Credentials
from smartproxy_tw.testing.fakes import FakeAuthority, FakePlane, Story

from .configurations import BLOG, SHOP, configuration

NOW = 1_800_000_000
SIGNER = Signer.create("Test root", now=NOW - 86400)


class CertificatesTests(SynchronousTestCase):
    """
    All the certificates of one proxy.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.story = Story()
        self.plane = FakePlane(self.story)
        self.authority = FakeAuthority(self.story, self.plane, SIGNER, self.clock.seconds)
        self.path = os.path.abspath(self.mktemp())
        self.storage = Storage(self.path, "https://ca.example/", self.clock.seconds, maybeDeferred)
        self.storage.open()
        self.addCleanup(self.storage.close)
        self.gate: Deferred[None] = succeed(None)
        self.closed = 0

    def make(
        self,
        *sources: CertificateSource | None,
        acme: Acme | None = None,
        fallbacks: Sequence[Asked] = (),
        **parts: Any,
    ) -> Certificates:
        """
        For routes with these certificates.
        """
        config = configuration(self.path, *sources)
        shelf = self.storage.own
        own = Asked(
            shelf,
            self.authority.obtain,
            self.close,
            Memory(shelf.attempts, shelf.uses, maybeDeferred),
            self.authority.probe,
            journal=Journal(shelf.orders, "https://ca.example/", NOW),
        )
        certificates = Certificates(
            replace(config, acme=acme or Acme(directory="https://ca.example/")),
            self.plane,
            self.storage,
            [own, *fallbacks],
            self.clock,
            gate=lambda: self.gate,
            chance=Random(0),
            **parts,
        )
        self.addCleanup(certificates.stop)
        return certificates

    def makeBoth(self, *sources: CertificateSource) -> Certificates:
        """
        With two certificates for each.
        """
        self.storage = Storage(
            self.path, "https://ca.example/", self.clock.seconds, maybeDeferred, hasTwins=True
        )
        self.storage.open()
        self.addCleanup(self.storage.close)
        return self.make(*sources, acme=Acme(directory="https://ca.example/", keyType="both"))

    def ordered(self) -> tuple[int, int]:
        """
        How many orders there were, and for how many second certificates.
        """
        return self.authority.orders[SHOP.names], self.authority.twins[SHOP.names]

    def restarted(self, certificates: Certificates) -> None:
        """
        It has ended, and the next one begins.
        """
        self.successResultOf(certificates.stop())
        self.storage.close()
        self.plane = FakePlane(self.story)

    def close(self) -> Deferred[None]:
        """
        Close the way to the authority.
        """
        self.closed += 1
        self.story.tell("closed the way to the authority")
        return succeed(None)

    def files(self) -> Files:
        """
        A pair in files.
        """
        credential = SIGNER.issue(("files.example",), lifetime=86400.0, now=NOW)
        path = os.path.abspath(self.mktemp())
        with open(path, "wb") as file:
            file.write(credential.key + credential.chain)
        return Files(path, path)

    def test_newestOfAllAuthorities(self) -> None:
        """
        Of what several authorities issued for the same names, the newest is served,
        and who issued it is who is asked when to renew it.
        """
        storage = Storage(
            self.path + "2",
            "https://ca.example/",
            self.clock.seconds,
            maybeDeferred,
            fallbacks=["https://b.example/"],
        )
        storage.open()
        self.addCleanup(storage.close)
        self.storage = storage
        (shelf,) = storage.fallbacks
        other = FakeAuthority(self.story, self.plane, SIGNER, self.clock.seconds)
        memory = Memory(shelf.attempts, shelf.uses, maybeDeferred)
        fallback = Asked(shelf, other.obtain, self.close, memory, other.probe, other.advise)
        for source, ages in ((SHOP, (2, 1)), (BLOG, (1, 2))):
            for age, store in zip(ages, (storage.own.certificates, shelf.certificates), strict=True):
                made = SIGNER.issue(source.names, lifetime=90 * 86400.0, now=NOW - age * 3600)
                self.successResultOf(Credentials(store).save(made))
        certificates = self.make(SHOP, BLOG, fallbacks=[fallback])
        self.successResultOf(certificates.load())
        for source in (SHOP, BLOG):
            chain = self.plane.installed[source.key].chain
            self.assertEqual(describe(chain).notAfter, NOW - 3600 + 90 * 86400)
        self.successResultOf(certificates.provisionAll())
        self.clock.pump([60.0] * 10)
        self.assertEqual((dict(self.authority.orders), other.questions), ({}, 1))
        self.successResultOf(certificates.stop())
        self.assertEqual(self.closed, 2)

    def test_toldWhereItIs(self) -> None:
        """
        Who is told of a certificate finds it in the file that is named.
        """
        events, found = Events(), []

        def look(event: CertificateEvent) -> None:
            assert event.file is not None
            with open(event.file, "rb") as file:
                found.append((event.kind, event.names, describe(file.read()).names))

        events.observe(look)
        certificates = self.make(SHOP, events=events)
        self.successResultOf(certificates.load())
        self.successResultOf(certificates.provisionAll())
        self.assertEqual(found, [("issued", SHOP.names, SHOP.names)])

    def test_everySource(self) -> None:
        """
        After loading, something is served for each certificate, whatever its
        source, and each is there once however many routes share it.
        """
        files, internal = self.files(), Internal(("a.test",))
        certificates = self.make(SHOP, files, internal, SHOP, None, internal)
        self.successResultOf(certificates.load())
        self.assertEqual(set(self.plane.installed), {SHOP.key, files.key, internal.key})
        self.assertEqual(
            {status.source: status.state for status in certificates.status()},
            {"auto": "missing", "files": "valid", "internal": "valid"},
        )

    def test_nothingIsAskedByLoading(self) -> None:
        """
        Loading asks no authority for anything.
        """
        self.successResultOf(self.make(SHOP, BLOG).load())
        self.assertEqual(dict(self.authority.orders), {})

    def test_provisionAll(self) -> None:
        """
        It fires with the status of all, when all orders have ended.
        """
        certificates = self.make(SHOP, BLOG)
        self.successResultOf(certificates.load())
        self.authority.thinks()
        provisioned = certificates.provisionAll()
        self.assertNoResult(provisioned)
        self.assertEqual({status.state for status in certificates.status()}, {"ordering"})
        self.authority.decides()
        found = self.successResultOf(provisioned)
        self.assertEqual([status.state for status in found], ["valid", "valid"])

    def test_provisionAllIncludesFailures(self) -> None:
        """
        An order that fails does not fail it: the status says which.
        """
        certificates = self.make(SHOP)
        self.successResultOf(certificates.load())
        self.authority.refuses(OSError("no route"))
        (status,) = self.successResultOf(certificates.provisionAll())
        self.assertEqual((status.state, status.problem), ("failed", "no route"))

    def test_gate(self) -> None:
        """
        Nothing is asked before the gate opens, and nothing at all when it
        never does.
        """
        certificates = self.make(SHOP)
        self.successResultOf(certificates.load())
        self.gate = Deferred()
        provisioned = certificates.provisionAll()
        self.assertEqual(dict(self.authority.orders), {})
        self.gate.callback(None)
        self.successResultOf(provisioned)
        self.gate = fail(StoppedError())
        self.failureResultOf(certificates.provisionAll(), StoppedError)

    def test_whatClientsAskFor(self) -> None:
        """
        Of many that wait, those that clients ask for go first.
        """
        wanted = [Auto((f"site{number}.example",)) for number in range(40)]
        certificates = self.make(*wanted)
        self.successResultOf(certificates.load())
        self.authority.thinks()
        certificates.provisionAll()
        self.assertEqual(len(self.authority.orders), 16)
        self.plane.asked = [wanted[30].key, "auto:unknown.example", wanted[39].key, wanted[2].key]
        self.clock.advance(15.0)
        self.authority.decides()
        asked = [line for line in self.story.lines if line.startswith("asked for")]
        self.assertEqual(asked[16:19], [f"asked for site{number}.example" for number in (30, 39, 16)])

    def test_storedAcrossStarts(self) -> None:
        """
        What one life obtained serves the next, found by its names.
        """
        first = self.make(BLOG)
        self.successResultOf(first.load())
        self.successResultOf(first.provisionAll())
        served = self.plane.installed[BLOG.key]
        self.successResultOf(first.stop())
        self.plane.installed.clear()
        second = self.make(BLOG)
        self.successResultOf(second.load())
        self.assertEqual(self.plane.installed, {BLOG.key: served})
        self.successResultOf(second.provisionAll())
        self.assertEqual(dict(self.authority.orders), {BLOG.names: 1})

    def test_allBrokenFilesAtOnce(self) -> None:
        """
        Every pair of files that cannot be used is named in one message.
        """
        one, two = Files("/nowhere/1", "/nowhere/1"), Files("/nowhere/2", "/nowhere/2")
        error = self.failureResultOf(self.make(one, SHOP, two).load(), CertificateError).value
        self.assertEqual(len(str(error).split("\n")), 2)
        self.assertIn("/nowhere/1", str(error))
        self.assertIn("/nowhere/2", str(error))

    def test_brokenAuthority(self) -> None:
        """
        A local authority that makes no sense is told by the status of whoever needs
        it, keeps nobody from starting, and is left as it is.
        """
        path = os.path.join(self.path, "authority", "authority.pem")
        with open(path, "wb"):
            pass
        internal = Internal(("a.test",))
        certificates = self.make(SHOP, internal)
        self.successResultOf(certificates.load())
        self.assertEqual(set(self.plane.installed), {SHOP.key, internal.key})
        (problem,) = (each.problem for each in certificates.status() if each.source == "internal")
        self.assertIn(path, problem or "")
        self.assertEqual(os.stat(path).st_size, 0)

    def test_stop(self) -> None:
        """
        Orders end and their challenges are withdrawn before the way to the
        authority is closed.
        """
        certificates = self.make(SHOP, Internal(("a.test",)), self.files())
        self.successResultOf(certificates.load())
        self.authority.thinks()
        certificates.provisionAll()
        self.successResultOf(certificates.stop())
        self.assertEqual(
            self.story.lines[-2:], ["withdrew http-01 shop.example", "closed the way to the authority"]
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def underWay(self, *names: str) -> Entry:
        """
        An order that the process before this one left.
        """
        answers = (Answer("http-01", names[0], "t" * 22, "t" * 22 + ".print"),)
        entry = Entry("https://ca.example/", names, newKey(), NOW - 5, None, "https://ca.example/1", answers)
        self.successResultOf(self.storage.own.orders.save(entry))
        return entry

    def test_answersFirst(self) -> None:
        """
        What an order left behind may be asked for is served with the
        certificates, long before anything is asked of the authority.
        """
        self.underWay("blog.example")
        self.gate = Deferred()
        certificates = self.make(BLOG)
        self.successResultOf(certificates.load())
        self.assertEqual([each.name for each in self.plane.presented], ["blog.example"])
        self.noResult = certificates.provisionAll()
        self.assertEqual([each.name for each in self.plane.presented], ["blog.example"])
        self.assertEqual(dict(self.authority.orders), {})

    def test_ordersNobodyWants(self) -> None:
        """
        An order for what is wanted no more, or is there already, is forgotten
        and its answers are withdrawn.
        """
        first = self.make(BLOG)
        self.successResultOf(first.load())
        self.successResultOf(first.provisionAll())
        self.successResultOf(first.stop())
        for name in ("blog.example", "gone.example"):
            self.underWay(name)
        second = self.make(BLOG)
        self.successResultOf(second.load())
        self.assertEqual(len(self.plane.presented), 2)
        self.successResultOf(second.provisionAll())
        self.assertEqual(self.plane.presented, [])
        self.assertEqual(self.successResultOf(self.storage.own.orders.load()), [])

    def test_savedThenForgotten(self) -> None:
        """
        The note of an order goes once its certificate is in the store.
        """
        key = newKey()
        entry = self.underWay("blog.example")
        certificates = self.make(BLOG)
        self.successResultOf(certificates.load())
        credential = SIGNER.issue(("blog.example",), lifetime=86400.0, now=NOW)
        save = certificates._holdings.first[0]._keeper._save
        self.assertNotEqual(key, entry.key)
        self.successResultOf(save(credential))
        self.assertEqual(self.successResultOf(self.storage.own.orders.load()), [entry])
        mine = replace(entry, key=credential.key)
        self.successResultOf(certificates._authorities._ledger._journals[0].begin(mine))
        self.successResultOf(save(credential))
        self.assertEqual(self.successResultOf(self.storage.own.orders.load()), [])

    def test_both(self) -> None:
        """
        Two certificates for the same names: the second one is asked for once the
        first one is there, both are kept, and the next process asks for neither.
        """
        self.storage.close()
        certificates = self.makeBoth(SHOP)
        twin = twinOf(SHOP.key)
        assert twin is not None
        self.successResultOf(certificates.load())
        self.assertEqual(set(self.plane.installed), {SHOP.key})
        self.authority.thinks()
        ended = certificates.provisionAll()
        self.assertEqual(
            (dict(self.authority.orders), dict(self.authority.twins)), ({SHOP.names: 1}, {SHOP.names: 0})
        )
        self.authority.decides()
        self.assertEqual([each.state for each in self.successResultOf(ended)], ["valid", "valid"])
        self.assertEqual(
            (dict(self.authority.orders), dict(self.authority.twins)), ({SHOP.names: 2}, {SHOP.names: 1})
        )
        shown = dict(self.plane.installed)
        self.assertEqual(
            {key: describe(each.chain).isRSA for key, each in shown.items()}, {SHOP.key: False, twin: True}
        )
        self.restarted(certificates)
        certificates = self.makeBoth(SHOP)
        self.successResultOf(certificates.load())
        self.assertEqual(self.plane.installed, shown)
        self.successResultOf(certificates.provisionAll())
        self.assertEqual(self.authority.orders[SHOP.names], 2)

    def test_bothRenewed(self) -> None:
        """
        Each of two certificates is renewed in time.
        """
        self.storage.close()
        certificates = self.makeBoth(SHOP)
        self.successResultOf(certificates.load())
        self.successResultOf(certificates.provisionAll())
        self.clock.pump([3600.0] * 24 * 75)
        self.assertEqual(self.ordered(), (4, 2))
        for each in self.plane.installed.values():
            self.assertGreater(describe(each.chain).notAfter, self.clock.seconds() + 60 * 86400)

    def test_bothAfterOne(self) -> None:
        """
        Who had one certificate, with a key of RSA, and wants two now: it is served
        until the other one is there, stays the second one, and is written down as
        such before the first one takes its place in the store.
        """
        old = self.authority._issue(SHOP.names, True)
        self.successResultOf(Credentials(self.storage.own.certificates).save(old))
        self.storage.close()
        for orders in (1, 1):
            certificates = self.makeBoth(SHOP)
            self.successResultOf(certificates.load())
            if not self.authority.orders:
                self.assertEqual(self.plane.installed[SHOP.key], old)
            self.successResultOf(certificates.provisionAll())
            self.assertEqual(self.plane.installed[twinOf(SHOP.key) or ""], old)
            self.assertFalse(describe(self.plane.installed[SHOP.key].chain).isRSA)
            self.assertEqual(self.authority.orders[SHOP.names], orders)
            self.restarted(certificates)

    def test_divided(self) -> None:
        """
        An authority that says how many names it takes is asked for parts at once,
        which are served before the routes know of them; nothing is left of the
        whole, and the next process begins with the parts.
        """
        names = tuple(f"shop{number}.example" for number in range(14))
        self.authority.takes(5)
        certificates = self.make(Auto(names))
        self.successResultOf(certificates.load())
        provisioned = certificates.provisionAll()
        self.assertNoResult(provisioned)
        self.clock.advance(0)
        found = self.successResultOf(provisioned)
        self.assertEqual({each.state for each in found}, {"valid"}, found)
        self.assertEqual(sorted(name for each in found for name in each.names), sorted(names))
        self.assertLessEqual(max(len(each.names) for each in found), 5)
        assert self.plane.config is not None
        keys = {each.key for each in self.plane.config.autoCertificates}
        self.assertEqual(keys, {each.key for each in found})
        self.assertIs(certificates.config, self.plane.config)
        self.assertEqual(self.storage.own.attempts.load(), {})
        lines = self.story.lines
        self.assertLess(max(lines.index(f"installed {key}") for key in keys), lines.index("routed"), lines)
        self.restarted(certificates)
        self.storage.open()
        again = self.make(Auto(names))
        self.assertEqual({each.key for each in again.config.autoCertificates}, keys)
        self.successResultOf(again.load())
        self.successResultOf(again.provisionAll())
        self.assertEqual({self.authority.orders[each.names] for each in found}, {1})
        self.assertEqual(self.authority.orders[names], 1)

    def test_dividedAgain(self) -> None:
        """
        An authority that means less than it said, and says so, is asked for less;
        the others of several routes go on meanwhile.
        """
        names = tuple(f"shop{number}.example" for number in range(14))
        self.authority.takes(9)
        certificates = self.make(Auto(names), SHOP)
        self.successResultOf(certificates.load())
        self.authority.thinks()
        provisioned = certificates.provisionAll()
        self.authority.decides()
        self.authority.thinks()
        self.clock.advance(0)
        self.authority.takes(3)
        self.authority.decides()
        self.clock.advance(0)
        found = self.successResultOf(provisioned)
        self.assertEqual({each.state for each in found}, {"valid"}, found)
        self.assertLessEqual(max(len(each.names) for each in found), 3)
        self.assertEqual(self.authority.orders[SHOP.names], 1)

    def test_standIns(self) -> None:
        """
        Names that come together and had certificates of their own go on being served
        by those, though the authority is away, until there is one for all of them.
        """
        first, second = Auto(("a.example", "b.example")), Auto(("c.example",))
        certificates = self.make(first, second)
        self.successResultOf(certificates.load())
        self.successResultOf(certificates.provisionAll())
        old = {key: self.plane.installed[key] for key in (first.key, second.key)}
        self.restarted(certificates)
        self.storage.open()
        together = Auto((*first.names, *second.names, "new.example"))
        self.authority.refuses(AuthorityUnreachable("https://ca.example/", "connection refused"))
        certificates = self.make(together)
        self.successResultOf(certificates.load())
        self.successResultOf(certificates.provisionAll())

        def shown(name: str) -> Credential:
            tls = (self.plane.config or certificates.shown).routes[0].tls
            source = None if tls is None else tls.sourceFor(name)
            assert source is not None
            return self.plane.installed[source.key]

        self.assertEqual(shown("a.example"), old[first.key])
        self.assertEqual(shown("b.example"), old[first.key])
        self.assertEqual(shown("c.example"), old[second.key])
        self.authority.agrees()
        self.clock.pump([1.0] * 40)
        whole = self.plane.installed[together.key]
        self.assertEqual({shown(name) for name in together.names}, {whole})
        self.assertIs(certificates.shown, certificates.config)

    def test_dividedAndStopped(self) -> None:
        """
        A proxy that is stopped just then ends, and asks for nothing more.
        """
        self.authority.takes(1)
        certificates = self.make(BLOG)
        self.successResultOf(certificates.load())
        certificates.provisionAll()
        self.successResultOf(certificates.stop())
        self.clock.pump([60.0] * 60)
        self.assertEqual(dict(self.authority.orders), {BLOG.names: 1})

    def test_dividedWhenRenewed(self) -> None:
        """
        An authority that takes fewer names than before: what is served stays, for
        all of its parts, until they have their own.
        """
        names = tuple(f"shop{number}.example" for number in range(6))
        certificates = self.make(Auto(names))
        self.successResultOf(certificates.load())
        self.successResultOf(certificates.provisionAll())
        whole = self.plane.installed[Auto(names).key]
        self.authority.takes(3)
        self.authority.thinks()
        self.clock.pump([3600.0] * 24 * 61)
        self.authority.decides()
        self.authority.thinks()
        self.clock.advance(0)
        keys = [each.key for each in certificates.config.autoCertificates]
        self.assertGreater(len(keys), 1)
        self.assertEqual({self.plane.installed[key] for key in keys}, {whole})
        self.authority.decides()
        self.assertEqual({each.state for each in certificates.status()}, {"valid"})
        self.assertNotIn(whole, [self.plane.installed[key] for key in keys])

    def test_dividedByAFallback(self) -> None:
        """
        It counts too what another authority says, who is asked when the first gives
        none.
        """
        self.storage.close()
        acme = Acme(directory="https://ca.example/", fallbacks=(Authority(directory="https://b.example/"),))
        self.storage = Storage(
            self.path,
            acme.directory,
            self.clock.seconds,
            maybeDeferred,
            fallbacks=["https://b.example/"],
        )
        self.storage.open()
        self.addCleanup(self.storage.close)
        (shelf,) = self.storage.fallbacks
        other = FakeAuthority(self.story, self.plane, SIGNER, self.clock.seconds)
        other.takes(1)
        refusal = Problem(f"{ERRORS}rejectedIdentifier", "policy forbids it")
        self.authority.refuses(AuthorityProblem("placing an order", refusal))
        fallback = Asked(shelf, other.obtain, self.close, Memory(shelf.attempts, shelf.uses, maybeDeferred))
        certificates = self.make(BLOG, acme=acme, fallbacks=[fallback])
        self.successResultOf(certificates.load())
        provisioned = certificates.provisionAll()
        self.clock.advance(0)
        found = self.successResultOf(provisioned)
        self.assertEqual([(each.state, len(each.names)) for each in found], [("valid", 1)] * 2)
        self.assertEqual((shelf.uses.load().mostNames, self.storage.own.uses.load().mostNames), ({"": 1}, {}))

    def test_dividedBoth(self) -> None:
        """
        With two certificates for each set of names there are two for each part.
        """
        self.storage.close()
        certificates = self.makeBoth(BLOG)
        self.authority.takes(1)
        self.successResultOf(certificates.load())
        provisioned = certificates.provisionAll()
        self.clock.advance(0)
        found = self.successResultOf(provisioned)
        keys = [Auto((name,)).key for name in BLOG.names]
        self.assertEqual(
            sorted(each.key for each in found), sorted([*keys, *(twinOf(key) or "" for key in keys)])
        )
        self.assertEqual({each.state for each in found}, {"valid"})

    def test_bothUnproved(self) -> None:
        """
        Names that cannot be proved are not tried for the second certificate, too;
        that one comes once they can.
        """
        self.storage.close()
        certificates = self.makeBoth(SHOP)
        self.successResultOf(certificates.load())
        self.authority.refuses(RuntimeError("it is not ours"))
        self.successResultOf(certificates.provisionAll())
        self.assertEqual(self.ordered(), (1, 0))
        self.authority.agrees()
        self.clock.pump([60.0] * 120)
        self.assertEqual(self.authority.twins[SHOP.names], 1)
        self.assertEqual({each.state for each in certificates.status()}, {"valid"})
