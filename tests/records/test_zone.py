"""
Tests for L{smartproxy_tw.records.zone}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import binary
from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.facts import DNS01
from smartproxy_tw.records.zone import Zones

from ..examples import examples

RECORD = DNS01("shop.example", "text")


def asking(name: str, kind: int = dns.TXT, cls: int = dns.IN) -> dns.Message:
    """
    A question.
    """
    message = dns.Message(id=77, recDes=1)
    message.addQuery(name.encode("ascii"), kind, cls)
    return message


class ZoneTests(SynchronousTestCase):
    """
    One zone that CNAMEs lead to, and one that is a place of proofs itself.
    """

    def setUp(self) -> None:
        self.zones = Zones(("proofs.example", "_acme-challenge.shop.example"), "ns.example")

    def told(self, question: dns.Message, longest: int = 512) -> dns.Message:
        """
        What is answered.
        """
        found = self.zones.reply(question.toStr(), longest)
        assert found is not None
        reply = dns.Message()
        reply.fromStr(found)
        self.assertEqual((reply.id, reply.answer, reply.recAv), (77, 1, 0))
        return reply

    def texts(self, name: str) -> list[bytes]:
        """
        The texts that are there.
        """
        return [each.payload.data[0] for each in self.told(asking(name)).answers]

    def test_bothWays(self) -> None:
        """
        A record is where the authority looks, and where a CNAME may lead to, beside
        others for the name, until it is withdrawn; presenting it twice is as once.
        """
        other = DNS01("shop.example", "other")
        for each in (RECORD, other, RECORD):
            self.successResultOf(self.zones.present(each))
        for name in ("_acme-challenge.shop.example", "shop.example.proofs.example"):
            self.assertEqual(self.texts(name), [b"text", b"other"])
        self.successResultOf(self.zones.withdraw(RECORD))
        self.successResultOf(self.zones.withdraw(RECORD))
        self.assertEqual(self.texts("shop.example.proofs.example"), [b"other"])
        self.successResultOf(self.zones.withdraw(other))
        self.assertEqual(self.told(asking("shop.example.proofs.example")).rCode, dns.ENAME)

    def test_recalled(self) -> None:
        """
        What an earlier process presented is answered again.
        """
        self.successResultOf(self.zones.recall(RECORD))
        self.assertEqual(self.texts("shop.example.proofs.example"), [b"text"])

    def test_letters(self) -> None:
        """
        Letters are compared without their case, and come back as they were.
        """
        self.successResultOf(self.zones.present(RECORD))
        reply = self.told(asking("ShOp.eXample.PROOFS.example"))
        self.assertEqual(reply.queries[0].name.name, b"ShOp.eXample.PROOFS.example")
        self.assertEqual(reply.answers[0].name.name, b"ShOp.eXample.PROOFS.example")
        self.assertTrue(reply.auth)

    def test_apex(self) -> None:
        """
        A zone has its SOA and its name server.
        """
        soa = self.told(asking("proofs.example", dns.SOA))
        self.assertEqual(soa.answers[0].payload.mname.name, b"ns.example")
        servers = self.told(asking("proofs.example", dns.NS))
        self.assertEqual(servers.answers[0].payload.name.name, b"ns.example")

    def test_nothing(self) -> None:
        """
        What is not there is denied with the SOA; a name above a record is there, and
        has nothing.
        """
        self.successResultOf(self.zones.present(RECORD))
        for name, kind, code in (
            ("proofs.example", dns.TXT, dns.OK),
            ("example.proofs.example", dns.A, dns.OK),
            ("shop.example.proofs.example", dns.A, dns.OK),
            ("other.proofs.example", dns.TXT, dns.ENAME),
        ):
            reply = self.told(asking(name, kind))
            self.assertEqual((reply.rCode, reply.answers), (code, []), name)
            self.assertEqual([each.type for each in reply.authority], [dns.SOA])

    def test_refused(self) -> None:
        """
        It is nobody's server for anything else.
        """
        for question in (
            asking("shop.example"),
            asking("notproofs.example"),
            asking("."),
            asking("proofs.example", dns.SOA, dns.CH),
        ):
            reply = self.told(question)
            self.assertEqual((reply.rCode, reply.answers, reply.authority), (dns.EREFUSED, [], []))

    def test_otherMessages(self) -> None:
        """
        What is no question is not answered as one.
        """
        update = asking("proofs.example", dns.SOA)
        update.opCode = 5
        self.assertEqual(self.told(update).rCode, dns.ENOTIMP)
        two = asking("proofs.example")
        two.addQuery(b"proofs.example")
        self.assertEqual(self.told(two).rCode, dns.EFORMAT)
        answer = asking("proofs.example")
        answer.answer = 1
        self.assertIsNone(self.zones.reply(answer.toStr(), 512))

    def test_tooLong(self) -> None:
        """
        What does not fit says so, and fits where there is room.
        """
        for number in range(20):
            self.successResultOf(self.zones.present(DNS01("shop.example", f"{number:043}")))
        short = self.told(asking("shop.example.proofs.example"))
        self.assertEqual((short.trunc, short.answers), (1, []))
        self.assertEqual(len(self.told(asking("shop.example.proofs.example"), 65535).answers), 20)

    @examples(200)
    @given(binary(max_size=100))
    def test_anything(self, datagram: bytes) -> None:
        """
        Whatever comes, nothing is raised, and the answer is no amplifier.
        """
        reply = self.zones.reply(datagram, 512)
        self.assertLess(len(reply or b""), 513)
