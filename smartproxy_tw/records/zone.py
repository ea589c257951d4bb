"""
Zones that consist of proofs alone, and what a name server says about them: bytes in,
bytes out, no socket.

It knows the TXT records that are presented, and of each zone its SOA and NS; of
anything else it says REFUSED, so nobody can use it for other names.  A record for
C{a.example} is there under each name that the authority may come by: under
C{_acme-challenge.a.example}, where that is in a zone, and under C{a.example.ZONE},
for a CNAME to lead to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.names import dns
from zope.interface import implementer

from ..interfaces import IRecords

if TYPE_CHECKING:
    from ..facts import DNS01

__all__ = ["Zones"]

#: Seconds that an answer may be remembered: it is gone soon, or the next one is
#: there.
_TTL = 1

#: Twisted has no types for these.
_TXT: Any = dns.Record_TXT
_NS: Any = dns.Record_NS
_SOA: Any = dns.Record_SOA


@implementer(IRecords)
class Zones:
    """
    What is known.
    """

    def __init__(self, zones: tuple[str, ...], name: str) -> None:
        """
        @param zones: Their names, in normal form.
        @param name: Of their name server.
        """
        self._zones = sorted(zones, key=len, reverse=True)
        self._name = name
        self._texts: dict[str, list[str]] = {}
        self._serial = 1

    def present(self, record: DNS01) -> Deferred[None]:
        """
        Answer with it from now on.
        """
        for owner in self._owners(record):
            texts = self._texts.setdefault(owner, [])
            if record.value not in texts:
                texts.append(record.value)
        self._serial += 1
        return succeed(None)

    def withdraw(self, record: DNS01) -> Deferred[None]:
        """
        Answer with it no more.
        """
        for owner in self._owners(record):
            texts = self._texts.get(owner, [])
            if record.value in texts:
                texts.remove(record.value)
            if not texts:
                self._texts.pop(owner, None)
        self._serial += 1
        return succeed(None)

    def recall(self, record: DNS01) -> Deferred[None]:
        """
        Answer with it again: who came before knew it by heart alone.
        """
        return self.present(record)

    def reply(self, query: bytes, longest: int) -> bytes | None:
        """
        Answer a message.

        @param query: As it came.
        @param longest: In bytes; a reply that would be longer says so instead (TC).
        @return: L{None}: it is none that is answered.
        """
        asked = dns.Message()
        try:
            asked.fromStr(query)
        except Exception:
            # Whatever a stranger sends, which the parser has no one name for.
            return None
        if asked.answer:
            return None
        reply = dns.Message(id=asked.id, answer=1, opCode=asked.opCode, recDes=asked.recDes, maxSize=0)
        reply.queries = asked.queries[:1]
        if asked.opCode != dns.OP_QUERY:
            reply.rCode = dns.ENOTIMP
        elif len(asked.queries) != 1:
            reply.rCode = dns.EFORMAT
        else:
            self._answer(asked.queries[0], reply)
        whole = reply.toStr()
        if len(whole) > longest:
            reply.answers, reply.authority, reply.trunc = [], [], 1
            whole = reply.toStr()
        return whole

    def _owners(self, record: DNS01) -> Iterator[str]:
        if self._zoneOf(record.owner) is not None:
            yield record.owner
        for zone in self._zones:
            yield f"{record.name}.{zone}"

    def _zoneOf(self, name: str) -> str | None:
        return next((zone for zone in self._zones if name == zone or name.endswith(f".{zone}")), None)

    def _answer(self, query: dns.Query, reply: dns.Message) -> None:
        asked = query.name.name
        name = asked.decode("ascii", "replace").lower()
        zone = self._zoneOf(name)
        if zone is None or query.cls != dns.IN:
            reply.rCode = dns.EREFUSED
            return
        reply.auth = True
        # In the letters of the question: some resolvers look whether they come back.
        if query.type == dns.TXT:
            texts = (text.encode("ascii") for text in self._texts.get(name, ()))
            reply.answers = [self._record(asked, _TXT(text, ttl=_TTL)) for text in texts]
        elif name == zone and query.type == dns.SOA:
            reply.answers = [self._record(asked, self._soa(zone))]
        elif name == zone and query.type == dns.NS:
            reply.answers = [self._record(asked, _NS(self._name, ttl=_TTL))]
        if not reply.answers:
            reply.authority = [self._record(zone.encode("ascii"), self._soa(zone))]
            # A name that only leads to others is there as well (RFC 8020).
            isThere = name == zone or any(each == name or each.endswith(f".{name}") for each in self._texts)
            reply.rCode = dns.OK if isThere else dns.ENAME

    def _soa(self, zone: str) -> dns.Record_SOA:
        found: dns.Record_SOA = _SOA(
            mname=self._name,
            rname=f"hostmaster.{zone}",
            serial=self._serial,
            refresh=3600,
            retry=600,
            expire=86400,
            minimum=_TTL,
            ttl=_TTL,
        )
        return found

    def _record(self, name: bytes, payload: dns.IEncodableRecord) -> dns.RRHeader:
        return dns.RRHeader(name, payload.TYPE, dns.IN, _TTL, payload, auth=True)
