"""
Tests for L{smartproxy_tw.testing.names}.
"""

from __future__ import annotations

import dns.tsig
from dns.message import Message, make_query
from dns.rcode import NOERROR, NOTAUTH, to_text
from dns.update import Update
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import Address
from smartproxy_tw.records.errors import ServerSilent
from smartproxy_tw.testing.names import FakeNames

ONE, OTHER = Address("192.0.2.1", 53), Address("192.0.2.2", 53)
KEY = dns.tsig.Key("key.test", b"0" * 32)
OTHER_KEY = dns.tsig.Key("key.test", b"1" * 32)


class FakeNamesTests(SynchronousTestCase):
    """
    L{FakeNames}.
    """

    def setUp(self) -> None:
        self.names = FakeNames()
        self.names.has("a.test", "TXT", '"one"', '"two"')

    def ask(self, question: Message, server: Address = ONE) -> Deferred[Message]:
        """
        Be asked.
        """
        return Deferred.fromCoroutine(self.names.ask(question, server))

    def texts(self, name: str = "a.test", server: Address = ONE) -> set[str]:
        """
        What a server answers with.
        """
        answer = self.successResultOf(self.ask(make_query(name, "TXT"), server))
        return {record.to_text() for each in answer.answer for record in each}

    def code(self, question: Message) -> str:
        """
        How an update is answered.
        """
        return to_text(self.successResultOf(self.ask(question)).rcode())

    def test_answers(self) -> None:
        """
        Every server knows the records that there are, and none of another kind or name; who was
        asked is noted.
        """
        for server in (ONE, OTHER):
            self.assertEqual(self.texts(server=server), {'"one"', '"two"'})
        self.assertEqual(self.texts("b.test"), set())
        answer = self.successResultOf(self.ask(make_query("a.test", "A")))
        self.assertEqual((answer.rcode(), list(answer.answer)), (NOERROR, []))
        self.assertEqual(
            self.names.asked,
            [(ONE, "TXT a.test"), (OTHER, "TXT a.test"), (ONE, "TXT b.test"), (ONE, "A a.test")],
        )

    def test_zone(self) -> None:
        """
        Where it has nothing it names the zone that the name is in.
        """
        self.names.has("test", "SOA", "ns.test. ops.test. 1 2 3 4 5")
        answer = self.successResultOf(self.ask(make_query("x.y.test", "SOA")))
        self.assertEqual([each.name.to_text() for each in answer.authority], ["test."])

    def test_update(self) -> None:
        """
        An update adds a record beside the others, once, and removes just one.
        """
        adding = Update("test")
        adding.add("a", 60, "TXT", '"three"')
        removing = Update("test")
        removing.delete("a", "TXT", '"one"')
        for update in (adding, adding, removing, removing):
            self.assertEqual(self.code(update), "NOERROR")
        self.assertEqual(self.names.texts("a.test"), ["two", "three"])

    def test_refuses(self) -> None:
        """
        One that is refused changes nothing, until it is taken again.
        """
        update = Update("test")
        update.add("a", 60, "TXT", '"three"')
        self.names.refuses("NOTAUTH")
        self.assertEqual(self.code(update), to_text(NOTAUTH))
        self.assertEqual(self.names.texts("a.test"), ["one", "two"])
        self.names.refuses(None)
        self.assertEqual(self.code(update), "NOERROR")
        self.assertEqual(self.names.texts("a.test"), ["one", "two", "three"])

    def test_signed(self) -> None:
        """
        Where updates have to be signed those that are not are refused, and those by another key
        are not answered.
        """
        self.names = FakeNames(KEY)
        update = Update("test")
        update.add("a", 60, "TXT", '"three"')
        self.assertEqual(self.code(update), "REFUSED")
        update.use_tsig(OTHER_KEY)
        self.failureResultOf(self.ask(update), ServerSilent)
        self.assertEqual(self.names.texts("a.test"), [])
        update.use_tsig(KEY)
        self.assertEqual(self.code(update), "NOERROR")
        self.assertEqual(self.names.texts("a.test"), ["three"])

    def test_silent(self) -> None:
        """
        A server that is silent is so for everybody, and the others are not.
        """
        self.names.goesSilent(OTHER)
        self.failureResultOf(self.ask(make_query("a.test", "TXT"), OTHER), ServerSilent)
        self.assertEqual(self.texts(), {'"one"', '"two"'})

    def test_lags(self) -> None:
        """
        One that lags answers as things were, until it catches up.
        """
        self.names.lags(OTHER)
        self.names.has("a.test", "TXT", '"new"')
        self.assertEqual((self.texts(), self.texts(server=OTHER)), ({'"new"'}, {'"one"', '"two"'}))
        self.names.catchesUp(OTHER)
        self.assertEqual(self.texts(server=OTHER), {'"new"'})
