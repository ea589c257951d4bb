"""
What can be seen of a name from here: frozen values, without what they mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..values import dataclass

if TYPE_CHECKING:
    from .caa import Property

__all__ = [
    "Absent",
    "Broken",
    "CAAFacts",
    "Closed",
    "Elsewhere",
    "Listed",
    "NameFacts",
    "Ours",
    "PortFacts",
    "ProofFacts",
    "Refusal",
    "Silent",
    "Stranger",
    "Unreached",
    "Untold",
]


@dataclass(frozen=True, slots=True)
class Listed:
    """
    The DNS has answered.

    @ivar values: What it has of the kind, or nothing: the name is there and has none.
    """

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Absent:
    """
    There is no such name (NXDOMAIN).
    """


@dataclass(frozen=True, slots=True)
class Broken:
    """
    A resolver has answered that it cannot answer.

    @ivar code: What it says, for instance C{"SERVFAIL"}.
    @ivar isBogus: Whether it gives the answer when it is told not to mind DNSSEC.
    @ivar isAlive: Whether it answers to other questions, so that the fault is
        with the name.
    """

    code: str
    isBogus: bool = False
    isAlive: bool = False


@dataclass(frozen=True, slots=True)
class Silent:
    """
    No resolver has answered.

    @ivar reason: What the last one did.
    """

    reason: str


#: Why nothing is listed.
Refusal = Absent | Broken | Silent


@dataclass(frozen=True, slots=True)
class Ours:
    """
    This proxy answered.
    """


@dataclass(frozen=True, slots=True)
class Stranger:
    """
    Somebody else answered.

    @ivar what: What is known of who; no control characters.
    """

    what: str


@dataclass(frozen=True, slots=True)
class Untold:
    """
    Somebody answered, and could not be asked for what only this proxy has.

    @ivar what: As of L{Stranger}.
    """

    what: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """
    Whoever answered sends to another name, which is not followed from here.

    @ivar url: Where; no control characters.
    """

    url: str


@dataclass(frozen=True, slots=True)
class Closed:
    """
    The connection was refused.
    """


@dataclass(frozen=True, slots=True)
class Unreached:
    """
    There was no connection, or no whole answer.

    @ivar reason: Why.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class PortFacts:
    """
    One address of a name.

    @ivar address: An IP address.
    @ivar port: Where the authority would come to.
    @ivar isOwn: Whether it is one of this machine's own.
    @ivar isBehindNAT: Whether this machine goes there from a private address, and it
        is a public one.
    @ivar answer: Who is there.
    @ivar isForwarded: Whether the proxy itself listens on another port, to which
        something in front of it is to forward this one.
    """

    address: str
    port: int
    isOwn: bool
    isBehindNAT: bool
    answer: Ours | Stranger | Untold | Elsewhere | Closed | Unreached
    isForwarded: bool = False


@dataclass(frozen=True, slots=True)
class CAAFacts:
    """
    The records that count for a name (RFC 8659 section 3).

    @ivar owner: Where they are: at the name, or at the nearest one above it; the name
        itself where there are none.
    @ivar found: They; or why they could not be had.
    """

    owner: str
    found: tuple[Property, ...] | Refusal


@dataclass(frozen=True, slots=True)
class ProofFacts:
    """
    Where a record for dns-01 would go.

    @ivar owner: C{_acme-challenge} below the name.
    @ivar target: Where CNAMEs lead from there; L{owner} where there are none.
    @ivar zone: The zone that it is in; L{None}: it was not found, or not looked for.
    @ivar refusal: Why nothing is known; L{None}: it is.
    @ivar wanted: The zones that the proxy answers for itself, or the one that it is told
        to use; empty: any.
    @ivar isSeen: Whether a record that the proxy itself answers was seen by the
        resolvers; L{None}: none was put there.
    """

    owner: str
    target: str
    zone: str | None = None
    refusal: Refusal | None = None
    wanted: tuple[str, ...] = ()
    isSeen: bool | None = None


@dataclass(frozen=True, slots=True)
class NameFacts:
    """
    All that was seen of one name.

    @ivar name: As it will stand in the certificate.
    @ivar kind: How it would be proved.
    @ivar addresses: Of both families; L{None}: they do not matter.
    @ivar ports: Each address.
    @ivar caa: L{None}: no such records apply to it, or they were not had in time.
    @ivar proof: For dns-01.
    @ivar late: What was not seen because time was up.
    """

    name: str
    kind: Literal["http-01", "tls-alpn-01", "dns-01"]
    addresses: Listed | Refusal | None = None
    ports: tuple[PortFacts, ...] = ()
    caa: CAAFacts | None = None
    proof: ProofFacts | None = None
    late: tuple[Literal["dns", "port", "caa", "records"], ...] = ()
