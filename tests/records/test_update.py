"""
Tests for L{smartproxy_tw.records.update}, with what it asks and waits for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dns.message import Message
from dns.tsig import BadAlgorithm, Key
from dns.update import UpdateMessage
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import DynamicUpdate
from smartproxy_tw.facts import DNS01, Address
from smartproxy_tw.records.errors import RecordFailed
from smartproxy_tw.records.update import Updates
from smartproxy_tw.testing.names import FakeNames

SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="
PRIMARY, RESOLVER = Address("192.0.2.1", 53), Address("192.0.2.9", 53)
FIRST, SECOND = Address("192.0.2.11", 53), Address("192.0.2.12", 53)
SOA = "ns1.example.com. ops.example.com. 1 3600 600 86400 60"
SETTINGS = DynamicUpdate(PRIMARY, "acme", "hmac-sha256", SECRET, resolvers=(RESOLVER,))
RECORD = DNS01("example.com", "one")


class UpdateTests(SynchronousTestCase):
    """
    A zone with two servers.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.names = FakeNames(Key("acme", SECRET, "hmac-sha256"))
        self.names.has("example.com", "SOA", SOA)
        self.names.has("example.com", "NS", "ns1.example.com.", "ns2.example.com.")
        self.names.has("ns1.example.com", "A", FIRST.host)
        self.names.has("ns2.example.com", "A", SECOND.host)

    def updates(self, settings: DynamicUpdate = SETTINGS) -> Updates:
        """
        Somebody who changes that zone.
        """
        return Updates(self.clock, settings, self.names.ask)

    def refused(self, deferred: Deferred[Any]) -> str:
        """
        What it failed with.
        """
        return str(self.failureResultOf(deferred, RecordFailed).value)

    def test_sideBySide(self) -> None:
        """
        A name and its wildcard have a record each at the same place; each goes by
        itself, also when somebody else put it there.
        """
        updates = self.updates()
        plain, wildcard = DNS01("www.example.com", "one"), DNS01("www.example.com", "two")
        self.successResultOf(updates.present(plain))
        self.successResultOf(updates.present(wildcard))
        owner = "_acme-challenge.www.example.com"
        self.assertEqual(sorted(self.names.texts(owner)), ["one", "two"])
        self.assertEqual(
            {server for server, what in self.names.asked if what == f"TXT {owner}"}, {FIRST, SECOND}
        )
        self.successResultOf(self.updates().withdraw(plain))
        self.assertEqual(self.names.texts(owner), ["two"])
        self.successResultOf(updates.withdraw(plain))
        self.successResultOf(updates.withdraw(wildcard))
        self.assertEqual(self.names.texts(owner), [])

    def test_waitsForAll(self) -> None:
        """
        One server is behind: the record counts as presented when it has caught up.
        """
        self.names.lags(SECOND)
        presented = self.updates().present(DNS01("example.com", "one"))
        self.clock.pump([1.0] * 10)
        self.assertNoResult(presented)
        self.names.catchesUp(SECOND)
        self.clock.pump([1.0] * 6)
        self.successResultOf(presented)

    def test_gaveUp(self) -> None:
        """
        One server never has it: the error says which, where, and for how long.
        """
        self.names.lags(SECOND)
        presented = self.updates().present(DNS01("example.com", "one"))
        self.clock.pump([1.0] * 121)
        said = self.refused(presented)
        self.assertIn("after 120 s", said)
        self.assertIn("ns2.example.com: 192.0.2.12:53 does not have it yet", said)
        self.assertNotIn("ns1", said)

    def test_unreachableAddress(self) -> None:
        """
        A server that is seen by one of its addresses need not be seen by the other;
        one that is not seen at all counts as not having it.
        """
        other = Address("2001:db8::11", 53)
        self.names.has("ns1.example.com", "AAAA", other.host)
        self.names.goesSilent(other)
        self.successResultOf(self.updates().present(DNS01("example.com", "one")))
        self.names.goesSilent(FIRST)
        presented = self.updates(replace(SETTINGS, patience=1.0)).present(DNS01("example.com", "one"))
        self.clock.pump([0.5] * 6)
        self.assertIn("gave no answer", self.refused(presented))

    def test_chosenServers(self) -> None:
        """
        Who is to be asked can be said; nobody else is asked for the record then.
        """
        self.names.goesSilent(FIRST)
        self.names.goesSilent(SECOND)
        own = Address("127.0.0.1", 5353)
        updates = self.updates(replace(SETTINGS, nameServers=(own,)))
        self.successResultOf(updates.present(DNS01("example.com", "one")))

    def test_alias(self) -> None:
        """
        A CNAME leads to another zone: the record goes there, and so does the update.
        """
        self.names.has("_acme-challenge.shop.test", "CNAME", "shop.proofs.example.com.")
        self.successResultOf(self.updates().present(DNS01("shop.test", "one")))
        self.assertEqual(self.names.texts("shop.proofs.example.com"), ["one"])
        self.assertEqual(self.names.texts("_acme-challenge.shop.test"), [])

    def test_aliasesWithoutEnd(self) -> None:
        """
        CNAMEs that lead in a circle are given up.
        """
        self.names.has("_acme-challenge.a.test", "CNAME", "b.test.")
        self.names.has("b.test", "CNAME", "_acme-challenge.a.test.")
        self.assertIn("CNAME to CNAME", self.refused(self.updates().present(DNS01("a.test", "one"))))

    def test_zone(self) -> None:
        """
        What is in no zone, or not in the one that is configured, is told.
        """
        self.assertIn("no zone was found", self.refused(self.updates().present(DNS01("a.test", "one"))))
        updates = self.updates(replace(SETTINGS, zone="example.com"))
        self.successResultOf(updates.present(DNS01("www.example.com", "one")))
        self.assertNotIn((RESOLVER, "SOA _acme-challenge.www.example.com"), self.names.asked)
        self.assertIn("not in the zone example.com", self.refused(updates.present(DNS01("a.test", "one"))))

    def test_refused(self) -> None:
        """
        A refusal says who, what, and where to look.
        """
        self.names.refuses("NOTAUTH")
        said = self.refused(self.updates().present(DNS01("example.com", "one")))
        for each in ("192.0.2.1:53 answers NOTAUTH", "_acme-challenge.example.com", "know the key"):
            self.assertIn(each, said)

    def test_unsigned(self) -> None:
        """
        Without a key nothing is signed, and a server that wants that refuses.
        """
        updates = self.updates(DynamicUpdate(PRIMARY, resolvers=(RESOLVER,)))
        self.assertIn("answers REFUSED", self.refused(updates.present(DNS01("example.com", "one"))))

    def test_keyFile(self) -> None:
        """
        The key is read from its file when it is needed; what is wrong with it is
        told without it.
        """
        path = self.mktemp()
        updates = self.updates(replace(SETTINGS, keySecret=None, keySecretFile=path))
        record = DNS01("example.com", "one")
        self.assertIn("cannot be read", self.refused(updates.present(record)))
        for text in ("geheim", "Z2VoZWlt"):
            with open(path, "w") as file:
                file.write(text)
            self.assertNotIn(text, self.refused(updates.present(record)))
        with open(path, "w") as file:
            file.write(SECRET + "\n")
        self.successResultOf(updates.present(record))

    def test_noResolver(self) -> None:
        """
        When nobody who knows the DNS answers, it is told who was asked.
        """
        self.names.goesSilent(RESOLVER)
        said = self.refused(self.updates().present(DNS01("example.com", "one")))
        self.assertIn("no resolver knows of _acme-challenge.example.com: 192.0.2.9:53 gave no answer", said)
        self.successResultOf(self.updates().recall(DNS01("example.com", "one")))

    def test_keyAlgorithm(self) -> None:
        """
        It is signed by the algorithm that is configured, which has to be the server's.
        """
        strong = replace(SETTINGS, keyAlgorithm="hmac-sha512")
        self.failureResultOf(self.updates(strong).present(RECORD), BadAlgorithm)
        self.names = FakeNames(Key("acme", SECRET, "hmac-sha512"))
        self.names.has("example.com", "SOA", SOA)
        self.names.has("example.com", "NS", "ns1.example.com.")
        self.names.has("ns1.example.com", "A", FIRST.host)
        self.successResultOf(self.updates(strong).present(RECORD))

    def test_lifetime(self) -> None:
        """
        The record may be kept for as long as is configured.
        """
        heard = []

        async def ask(question: Message, server: Address) -> Message:
            heard.append(question)
            return await self.names.ask(question, server)

        self.successResultOf(Updates(self.clock, replace(SETTINGS, ttl=7), ask).present(RECORD))
        lives = [
            rrset.ttl for message in heard if isinstance(message, UpdateMessage) for rrset in message.update
        ]
        self.assertEqual(lives, [7])
