"""
Where a record belongs, and who has it: the zone of a name, what a CNAME leads to
(RFC 8555 section 8.4 has the authority follow it), the servers of a zone and
what each of them answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from ..facts import Address
from .errors import RecordFailed, ServerSilent

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name
    from dns.rdatatype import RdataType

__all__ = ["Ask", "Lookup", "systemResolvers"]

#: Asks one server.
Ask = Callable[["Message", Address], Awaitable["Message"]]

#: A name that leads on and on is given up after so many steps.
_MOST_ALIASES = 8


def systemResolvers(file: str = "/etc/resolv.conf") -> tuple[Address, ...]:
    """
    Who answers for this machine; none when that cannot be read.
    """
    from dns.exception import DNSException
    from dns.resolver import Resolver

    try:
        found = Resolver(filename=file)
    except (DNSException, OSError):
        return ()
    return tuple(Address(str(each), found.port) for each in found.nameservers)


class Lookup:
    """
    Finds out.
    """

    def __init__(self, ask: Ask, resolvers: Sequence[Address]) -> None:
        """
        @param ask: Asks one server.
        @param resolvers: Who knows the DNS, in this order.
        """
        self._ask = ask
        self._resolvers = tuple(resolvers)

    async def aliased(self, owner: str) -> str:
        """
        Follow CNAMEs.

        @param owner: A name.
        @return: The one that has the records, or would have.
        @raise RecordFailed: Nobody could be asked, or there is no end.
        """
        from dns.name import from_text
        from dns.rdatatype import CNAME

        name = from_text(owner)
        for _ in range(_MOST_ALIASES):
            answer = await self._resolve(name, CNAME)
            found = next((each for each in answer.answer if each.name == name and each.rdtype == CNAME), None)
            if found is None:
                return name.to_text(omit_final_dot=True)
            name = next(iter(found)).target
        raise RecordFailed(f"{owner} leads from CNAME to CNAME, more than {_MOST_ALIASES} times")

    async def zone(self, owner: str) -> str:
        """
        @param owner: A name, which need not exist.
        @return: The zone that it is in.
        @raise RecordFailed: Nobody could be asked, or nobody knows.
        """
        from dns.name import from_text, root
        from dns.rdatatype import SOA

        name: Name = from_text(owner)
        while name != root:
            answer = await self._resolve(name, SOA)
            for each in (*answer.answer, *answer.authority):
                if each.rdtype == SOA and each.name != root and name.is_subdomain(each.name):
                    return each.name.to_text(omit_final_dot=True)
            name = name.parent()
        raise RecordFailed(f"no zone was found that {owner} is in; give acme.dns.zone")

    async def servers(self, zone: str) -> dict[str, tuple[Address, ...]]:
        """
        @param zone: A zone.
        @return: The addresses of each of its name servers, by name.
        @raise RecordFailed: Nobody could be asked, or there are none.
        """
        from dns.name import from_text
        from dns.rdatatype import AAAA, NS, A

        answer = await self._resolve(from_text(zone), NS)
        found: dict[str, tuple[Address, ...]] = {}
        for records in (each for each in answer.answer if each.rdtype == NS):
            for record in records:
                addresses: list[Address] = []
                for kind in (A, AAAA):
                    told = await self._resolve(record.target, kind)
                    addresses += [
                        Address(each.address, 53)
                        for some in told.answer
                        if some.rdtype == kind
                        for each in some
                    ]
                found[record.target.to_text(omit_final_dot=True)] = tuple(addresses)
        if not any(found.values()):
            raise RecordFailed(f"the zone {zone} has no name server with an address")
        return found

    async def texts(self, owner: str, server: Address) -> frozenset[str]:
        """
        @param owner: A name.
        @param server: Whom to ask, and nobody else.
        @return: The texts that it has there.
        @raise ServerSilent: It did not answer, or refused to.
        """
        from dns.message import make_query
        from dns.name import from_text
        from dns.rcode import NOERROR, NXDOMAIN, to_text
        from dns.rdatatype import TXT

        name = from_text(owner)
        answer = await self._ask(make_query(name, TXT, flags=0, use_edns=True), server)
        if answer.rcode() not in (NOERROR, NXDOMAIN):
            raise ServerSilent(f"{server} answers {to_text(answer.rcode())}")
        return frozenset(
            b"".join(record.strings).decode("ascii", "replace")
            for each in answer.answer
            if each.name == name and each.rdtype == TXT
            for record in each
        )

    async def _resolve(self, name: Name, kind: RdataType) -> Message:
        from dns.message import make_query
        from dns.rcode import NOERROR, NXDOMAIN, to_text

        why: list[str] = []
        for server in self._resolvers:
            try:
                answer = await self._ask(make_query(name, kind, use_edns=True), server)
            except ServerSilent as silent:
                why.append(str(silent))
                continue
            if answer.rcode() in (NOERROR, NXDOMAIN):
                return answer
            why.append(f"{server} answers {to_text(answer.rcode())}")
        said = "; ".join(why) or "there is none"
        raise RecordFailed(f"no resolver knows of {name.to_text(omit_final_dot=True)}: {said}")
