"""
What the DNS says of a name, to somebody who has no cache and no hosts file: as an
authority will see it, as far as the resolvers that are asked do.

CAA records are of a type that Twisted does not know; it hands their bytes over, and
L{parse<smartproxy_tw.preflight.caa.parse>} reads them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..acme.together import together
from ..upstream.lookup import related
from ..upstream.query import NoAnswer, ask
from .caa import climb, parse
from .facts import Absent, Broken, CAAFacts, Listed, ProofFacts, Refusal, Silent

if TYPE_CHECKING:
    from ..upstream.nameservers import NameServers

__all__ = ["Names"]

_CAA = 257
# As many steps as anybody follows.
_MOST_ALIASES = 8
#: RFC 1035 section 4.1.1 and RFC 2136 section 2.2.
_CODES = {1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH"}
_SERVFAIL = 2


class Names:
    """
    Asks resolvers.
    """

    def __init__(self, reactor: Any, settings: Callable[[], NameServers]) -> None:
        """
        @param reactor: With descriptors, TCP and time.
        @param settings: Whom to ask, read for each name.
        """
        self._reactor = reactor
        self._settings = settings

    async def addresses(self, name: str) -> Listed | Refusal:
        """
        Those of both families, IPv6 first, as authorities prefer it.

        @param name: ASCII.
        """
        from twisted.names import dns

        found = await together([self._texts(name, kind) for kind in (dns.AAAA, dns.A)])
        listed = [each.values for each in found if isinstance(each, Listed)]
        if any(listed):
            return Listed(tuple(dict.fromkeys(text for texts in listed for text in texts)))
        # What goes wrong for one family only is worse than that there is none of the other.
        refusals = [each for each in found if not isinstance(each, Listed)]
        return refusals[0] if refusals else Listed(())

    async def caa(self, name: str) -> CAAFacts:
        """
        The records that count for a name.

        @param name: ASCII; a wildcard with its star.
        """
        places = climb(name)
        for owner in places:
            answer = await self._ask(owner, _CAA)
            if isinstance(answer, Broken | Silent):
                return CAAFacts(owner, answer)
            if isinstance(answer, Absent):
                continue
            records, _ = related(answer.answers, owner, _CAA)
            properties = []
            for each in records:
                try:
                    properties.append(parse(getattr(each.payload, "data", b"")))
                except ValueError:
                    continue
            if properties:
                return CAAFacts(owner, tuple(properties))
        return CAAFacts(places[0], ())

    async def proof(self, name: str, zones: tuple[str, ...], value: str | None = None) -> ProofFacts:
        """
        Where the record for dns-01 goes.

        @param name: ASCII; a wildcard with or without its star.
        @param zones: The only ones it may go to; empty: any.
        @param value: The text of a record that is there; L{None}: there is none.
        """
        owner = f"_acme-challenge.{name.removeprefix('*.')}"
        target = await self._target(owner)
        if not isinstance(target, str):
            return ProofFacts(owner, owner, refusal=target, wanted=zones)
        if value is not None:
            return await self._seen(owner, target, zones, value)
        if zones:
            return ProofFacts(owner, target, wanted=zones)
        zone = await self._zone(target)
        if isinstance(zone, str):
            return ProofFacts(owner, target, zone)
        return ProofFacts(owner, target, refusal=None if isinstance(zone, Absent) else zone)

    async def _seen(self, owner: str, target: str, zones: tuple[str, ...], value: str) -> ProofFacts:
        from twisted.names import dns

        answer = await self._ask(owner, dns.TXT)
        isSeen = False
        if isinstance(answer, Broken | Silent):
            return ProofFacts(owner, target, refusal=answer, wanted=zones, isSeen=False)
        if not isinstance(answer, Absent):
            texts, _ = related(answer.answers, owner, dns.TXT)
            isSeen = any(b"".join(each.payload.data) == value.encode("ascii") for each in texts)
        return ProofFacts(owner, target, wanted=zones, isSeen=isSeen)

    async def _target(self, owner: str) -> str | Refusal:
        """
        Follow CNAMEs, one by one: what they lead to need not exist.
        """
        from twisted.names import dns

        name = owner
        for _ in range(_MOST_ALIASES):
            answer = await self._ask(name, dns.CNAME)
            if isinstance(answer, Absent):
                return name
            if isinstance(answer, Broken | Silent):
                refusal: Refusal = answer
                return refusal
            found = [
                each
                for each in answer.answers
                if each.type == dns.CNAME and each.name.name.lower() == name.encode("ascii")
            ]
            if not found:
                return name
            name = found[0].payload.name.name.decode("ascii", "replace").lower()
            if not (name.isascii() and name.isprintable()):
                return Silent(f"{owner} is a CNAME to something that is no name")
        return Silent(f"{owner} leads from CNAME to CNAME, more than {_MOST_ALIASES} times")

    async def _zone(self, name: str) -> str | Refusal:
        from twisted.names import dns

        for place in climb(name):
            answer = await self._ask(place, dns.SOA)
            if isinstance(answer, Broken | Silent):
                refusal: Refusal = answer
                return refusal
            if isinstance(answer, Absent):
                continue
            for each in (*answer.answers, *answer.authority):
                zone: str = each.name.name.decode("ascii", "replace").lower()
                if each.type == dns.SOA and zone and (name == zone or name.endswith(f".{zone}")):
                    return zone
        return Absent()

    async def _texts(self, name: str, kind: int) -> Listed | Refusal:
        from twisted.names import dns

        answer = await self._ask(name, kind)
        if isinstance(answer, Refusal):
            refusal: Refusal = answer
            return refusal
        family = socket.AF_INET if kind == dns.A else socket.AF_INET6
        records, _ = related(answer.answers, name, kind)
        return Listed(tuple(socket.inet_ntop(family, each.payload.address) for each in records))

    async def _ask(self, name: str, kind: int) -> Any:
        """
        @return: A message, or a L{Refusal}.
        """
        from twisted.names import dns

        settings = self._settings()
        try:
            answer = await ask(self._reactor, settings, name, kind)
        except ValueError as why:
            return Silent(str(why))
        except NoAnswer as why:
            if why.code is None:
                return Silent(str(why))
            return await self._whose(settings, name, kind, why.code)
        return Absent() if answer.rCode == dns.ENAME else answer

    async def _whose(self, settings: NameServers, name: str, kind: int, code: int) -> Broken:
        """
        Whether it is the fault of the name, or of the resolver.
        """
        from twisted.names import dns

        word = _CODES.get(code, f"error {code}")
        if code == _SERVFAIL and await self._tells(settings, name, kind, isUnchecked=True):
            return Broken(word, isBogus=True)
        top = name.rpartition(".")[2]
        return Broken(word, isAlive=top != name and await self._tells(settings, top, dns.SOA))

    async def _tells(self, settings: NameServers, name: str, kind: int, *, isUnchecked: bool = False) -> bool:
        try:
            await ask(self._reactor, settings, name, kind, isUnchecked=isUnchecked)
        except NoAnswer:
            return False
        return True
