"""
Which authorities may issue for a name: CAA records (RFC 8659), and which account and
which challenge they allow (RFC 8657).

In goes the data of records as it came, and who would issue; out comes whether that is
allowed.  What makes no sense forbids, as it does for an authority; nothing but
L{ValueError} escapes from reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..values import dataclass

__all__ = ["Allowed", "Forbidden", "Identity", "Property", "Undecided", "climb", "parse", "rule"]

#: What is understood, or is of no concern to a certificate for a server: a critical
#: record of another kind forbids all.
_KNOWN = frozenset({"issue", "issuewild", "iodef", "issuemail"})

_TAG = re.compile(rb"[A-Za-z0-9]{1,255}")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PARAMETER = re.compile(rf"({_LABEL})[ \t]*=[ \t]*([\x21-\x3a\x3c-\x7e]*)")


@dataclass(frozen=True, slots=True)
class Property:
    """
    One record.

    @ivar tag: Lower-case.
    @ivar value: As it came; bytes beyond ASCII are escaped.
    @ivar isCritical: Whether who does not know the tag must not issue.
    """

    tag: str
    value: str
    isCritical: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """
    Who would issue, and to whom.

    @ivar names: By which the authority knows itself in such records
        (C{caaIdentities}, RFC 8555 section 7.1.1), lower-case; empty where it does not say.
    @ivar account: The URL of the account; L{None}: there is none yet.
    """

    names: tuple[str, ...] = ()
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """
    It may be issued.
    """


@dataclass(frozen=True, slots=True)
class Forbidden:
    """
    It may not.

    @ivar reason: Why, for people.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Undecided:
    """
    That depends on what is not known here.

    @ivar reason: On what, for people.
    """

    reason: str


def climb(name: str) -> tuple[str, ...]:
    """
    Where records for a name may be, the nearest first (RFC 8659 section 3); the first
    that has any is the one that counts.

    @param name: ASCII, in normal form; a wildcard is looked up without its star.
    """
    labels = name.removeprefix("*.").split(".")
    return tuple(".".join(labels[index:]) for index in range(len(labels)))


def parse(data: bytes) -> Property:
    """
    Read a record (RFC 8659 section 4.1).

    @param data: As it came.
    @raise ValueError: It is none.
    """
    if len(data) < 2 or len(data) < 2 + data[1]:
        raise ValueError("a CAA record is cut off")
    tag = data[2 : 2 + data[1]]
    if not _TAG.fullmatch(tag):
        raise ValueError("a CAA record has a tag that is none")
    value = data[2 + data[1] :].decode("ascii", "backslashreplace")
    return Property(tag.decode("ascii").lower(), value, bool(data[0] & 0x80))


def rule(
    properties: Sequence[Property], identity: Identity, kind: str, *, isWildcard: bool
) -> Allowed | Forbidden | Undecided:
    """
    Whether an authority may issue.

    @param properties: The records that count.
    @param identity: The authority, and our account there.
    @param kind: The challenge that would prove the name.
    @param isWildcard: Whether the name is one.
    """
    for each in properties:
        if each.isCritical and each.tag not in _KNOWN:
            return Forbidden(f"its critical property {each.tag!r} is known to no authority")
    wild = [each for each in properties if each.tag == "issuewild"]
    counting = wild if isWildcard and wild else [each for each in properties if each.tag == "issue"]
    if not counting:
        return Allowed()
    rulings = [_one(each, identity, kind) for each in counting]
    for kindOf in (Allowed, Undecided):
        for ruling in rulings:
            if isinstance(ruling, kindOf):
                return ruling
    # Whoever names us and refuses all the same has the better reason.
    told = [each for each in rulings if isinstance(each, Forbidden) and each.reason]
    return told[0] if told else Forbidden(_others(counting, identity))


def _others(counting: Iterable[Property], identity: Identity) -> str:
    issuers = sorted({issuer for each in counting if (issuer := _issuer(each.value))})
    allowed = f"only {' and '.join(issuers)} may issue" if issuers else "nobody may issue"
    return allowed + (f", and this authority is {' or '.join(identity.names)}" if identity.names else "")


def _one(each: Property, identity: Identity, kind: str) -> Allowed | Forbidden | Undecided:
    issuer = _issuer(each.value)
    parameters = _parameters(each.value)
    if not issuer or parameters is None:
        return Forbidden("")
    if not identity.names:
        return Undecided(f"{issuer} may issue, and the authority does not say whether it is that")
    if issuer not in identity.names:
        return Forbidden("")
    methods = [value for tag, value in parameters if tag == "validationmethods"]
    if any(kind not in value.split(",") for value in methods):
        return Forbidden(f"{issuer} may issue by {' and '.join(methods)} only, and {kind} is used")
    accounts = [value for tag, value in parameters if tag == "accounturi"]
    if len(accounts) > 1:
        return Forbidden(f"{issuer} may issue to two accounts at once, which is never so")
    if accounts and identity.account is None:
        return Undecided(f"{issuer} may issue to {accounts[0]} only, and there is no account yet")
    if accounts and accounts[0] != identity.account:
        return Forbidden(f"{issuer} may issue to {accounts[0]} only, and the account is {identity.account}")
    return Allowed()


def _issuer(value: str) -> str:
    """
    @return: Lower-case; empty where nobody is named, or what cannot be one.
    """
    issuer = value.partition(";")[0].strip(" \t")
    return issuer.lower() if _DOMAIN.fullmatch(issuer) else ""


def _parameters(value: str) -> list[tuple[str, str]] | None:
    """
    @return: Tags in lower-case; L{None}: they make no sense (RFC 8659 section 4.2).
    """
    found: list[tuple[str, str]] = []
    text = value.partition(";")[2].strip(" \t")
    for part in text.split(";") if text else ():
        if not part.strip(" \t"):
            # Many end with one more semicolon, and authorities mind it not.
            continue
        match = _PARAMETER.fullmatch(part.strip(" \t"))
        if match is None:
            return None
        found.append((match[1].lower(), match[2]))
    return found
