"""
What was seen of a name, and what it means for an order: facts in, findings out.

Only what would make an order fail is bad.  That something cannot be reached from here
proves nothing: a router may not lead its own network back to its public address
(hairpin NAT), and a resolver may be the one that fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from .caa import Allowed, Forbidden, Identity, rule
from .facts import (
    Absent,
    Broken,
    CAAFacts,
    Closed,
    Elsewhere,
    Listed,
    NameFacts,
    Ours,
    PortFacts,
    ProofFacts,
    Refusal,
    Silent,
    Stranger,
    Untold,
)
from .findings import Check, Finding, Value

__all__ = ["judge"]

_WORDS = {
    "dns": "its addresses were not found out in time",
    "port": "who answers at its addresses was not found out in time",
    "caa": "its CAA records were not found out in time",
    "records": "where its record for dns-01 goes was not found out in time",
}


def judge(facts: NameFacts, identity: Identity | None) -> tuple[Finding, ...]:
    """
    Judge all that was seen of a name.

    @param facts: That.
    @param identity: The authority and our account there; L{None}: it is not known.
    """
    return tuple(_judged(facts, identity))


def _judged(facts: NameFacts, identity: Identity | None) -> Iterator[Finding]:
    if facts.addresses is not None:
        yield _addresses(facts.name, facts.addresses)
    for each in facts.ports:
        yield _port(facts, each)
    if facts.proof is not None:
        yield _proof(facts.name, facts.proof)
    if facts.caa is not None:
        yield _caa(facts, facts.caa, identity)
    for check in facts.late:
        yield Finding(facts.name, check, "unknown", _WORDS[check])


def _refused(name: str, check: Check, what: str, why: Refusal, remedy: str) -> Finding:
    """
    Something that the DNS did not tell.
    """
    if isinstance(why, Absent):
        return Finding(name, check, "bad", "there is no such name in the DNS (NXDOMAIN)", remedy)
    if isinstance(why, Silent):
        return Finding(name, check, "unknown", f"{what} cannot be had: no resolver tells, {why.reason}")
    if why.isBogus:
        return Finding(
            name,
            check,
            "bad",
            f"{what} cannot be had: the signatures in its zone are wrong (DNSSEC)",
            "compare the DS record at the registrar with the keys of the zone",
        )
    if not why.isAlive:
        return Finding(name, check, "unknown", f"{what} cannot be had: resolvers answer {why.code}")
    return Finding(
        name,
        check,
        "bad",
        f"{what} cannot be had: resolvers answer {why.code}, to other questions they do not",
        "see that all name servers that its zone is delegated to are there and know it",
    )


def _addresses(name: str, found: Listed | Refusal) -> Finding:
    remedy = "add an A or AAAA record that leads to this machine"
    if not isinstance(found, Listed):
        return _refused(name, "dns", "the addresses", found, remedy)
    if not found.values:
        return Finding(name, "dns", "bad", "it has no address in the DNS", remedy)
    return Finding(name, "dns", "well", f"it leads to {', '.join(found.values)}")


def _port(facts: NameFacts, seen: PortFacts) -> Finding:
    where = f"[{seen.address}]:{seen.port}" if ":" in seen.address else f"{seen.address}:{seen.port}"
    kind = "AAAA" if ":" in seen.address else "A"
    value: Value = "unknown"
    remedy = ""
    match seen.answer:
        case Ours():
            return Finding(facts.name, "port", "well", f"this proxy answers at {where}")
        case Stranger(what):
            value, text = "bad", f"{where} is answered by somebody else: {what}"
            remedy = _away(facts, seen, kind)
            if seen.isBehindNAT:
                remedy += " (or it is your router that answers its own network so)"
        case Untold(what):
            text = f"{where} answers ({what}); whether that is this proxy cannot be told from here"
        case Elsewhere(url):
            text = f"{where} sends on to {url}, which the authority follows and this look does not"
        case Closed():
            text = f"nobody listens at {where}"
            if seen.isForwarded:
                text += ", or only what comes from outside is forwarded"
            elif seen.isOwn:
                value, remedy = "bad", f"let the proxy listen there (bind), or correct the {kind} record"
            else:
                text += ", or it is not to be reached from here"
        case _:
            text = f"{where} was not reached from here: {seen.answer.reason}"
            if ip_address(seen.address).is_private:
                text += "; no public authority can reach that address"
    return Finding(facts.name, "port", value, text, remedy)


def _away(facts: NameFacts, seen: PortFacts, kind: str) -> str:
    if facts.addresses is None:
        return f"see that port {seen.port} of that address leads to this proxy"
    if seen.isOwn:
        return f"stop what has port {seen.port} of that address, or let it lead here"
    return (
        f"if {seen.address} is not this machine, correct or remove the {kind} record; if it is, let its port"
        f" {seen.port} lead to this proxy"
    )


def _caa(facts: NameFacts, seen: CAAFacts, identity: Identity | None) -> Finding:
    name = facts.name
    if not isinstance(seen.found, tuple):
        # An authority would not issue, but ours need not be the resolver that fails.
        why = seen.found
        if isinstance(why, Broken) and why.isBogus:
            return _refused(name, "caa", f"the CAA record of {seen.owner}", why, "")
        said = why.reason if isinstance(why, Silent) else why.code if isinstance(why, Broken) else "NXDOMAIN"
        return Finding(
            name,
            "caa",
            "unknown",
            f"the CAA records of {seen.owner} cannot be had here ({said}); no authority issues when it"
            " cannot have them either",
        )
    ruling = rule(seen.found, identity or Identity(), facts.kind, isWildcard=name.startswith("*."))
    if isinstance(ruling, Allowed):
        text = f"CAA of {seen.owner} allows it" if seen.found else "no CAA record forbids it"
        return Finding(name, "caa", "well", text)
    text = f"CAA of {seen.owner}: {ruling.reason}"
    if not isinstance(ruling, Forbidden):
        return Finding(name, "caa", "unknown", text)
    names = identity.names if identity is not None else ()
    remedy = f'add a record there: 0 issue "{names[0]}"' if names else "change the records there"
    return Finding(name, "caa", "bad", text, remedy)


def _proof(name: str, seen: ProofFacts) -> Finding:
    if seen.isSeen:
        return Finding(name, "records", "well", f"a record at {seen.owner} is seen")
    if seen.refusal is not None and not isinstance(seen.refusal, Absent):
        return _refused(name, "records", f"the records of {seen.owner}", seen.refusal, "")
    leads = "" if seen.target == seen.owner else f", which is a CNAME to {seen.target},"
    if seen.wanted and not any(_isIn(seen.target, zone) for zone in seen.wanted):
        zones = " or ".join(seen.wanted)
        remedy = f"let {seen.owner} be a CNAME into {zones}, or change acme.dns"
        if seen.isSeen is not None:
            plain = name.removeprefix("*.")
            remedy = f"let {seen.owner} be a CNAME to {plain}.{seen.wanted[-1]}"
        return Finding(name, "records", "bad", f"{seen.owner}{leads} is not in {zones}", remedy)
    if seen.isSeen is not None:
        return Finding(
            name,
            "records",
            "bad",
            f"a record that the proxy has put at {seen.target} is not seen at {seen.owner}",
            f"see that {' and '.join(seen.wanted)} is delegated to this machine (NS), that acme.dns.listen is"
            " reached from outside, and that the CNAME ends in the very name that is expected",
        )
    if seen.zone is None and not seen.wanted:
        return Finding(
            name,
            "records",
            "bad",
            f"no zone was found that {seen.target} is in",
            "see that its zone is delegated, or give acme.dns.zone",
        )
    return Finding(name, "records", "well", f"a record for it goes into {seen.zone or seen.wanted[0]}")


def _isIn(name: str, zone: str) -> bool:
    return name == zone or name.endswith(f".{zone}")
