"""
The certificates that an authority has signed: whether they are revoked (RFC 8555
section 7.6), when they had better be renewed and by what they were (RFC 9773).
Pure.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..acme.x509 import describe
from ..values import dataclass
from .ledger import AccountEntry, Order, date
from .signed import Refused, SignedRequest, decoded, members

__all__ = ["Archive", "Issued", "identifierOf"]

#: Reasons that are taken, of RFC 5280 section 5.3.1: those that a subscriber can know.
_REASONS = (0, 1, 3, 4, 5)


@dataclass(slots=True)
class Issued:
    """
    A certificate.

    @ivar identifier: As RFC 9773 section 4.1 builds it.
    @ivar account: That it was made for.
    @ivar names: That it is for.
    @ivar key: The public one, PEM.
    @ivar notBefore: POSIX seconds.
    @ivar notAfter: POSIX seconds.
    @ivar reason: Why it was revoked, or L{None}.
    @ivar replacement: The order that is to replace it.
    """

    identifier: str
    serial: int
    account: AccountEntry
    names: tuple[str, ...]
    key: bytes
    notBefore: float
    notAfter: float
    reason: int | None = None
    replacement: Order | None = None


class Archive:
    """
    All of them.

    @ivar window: The fractions of a lifetime between which renewal is suggested.
    """

    def __init__(self, holds: Callable[[AccountEntry, tuple[str, ...]], bool]) -> None:
        """
        @param holds: Whether an account has proved all of some names.
        """
        self._holds = holds
        self._byDER: dict[bytes, Issued] = {}
        self._byIdentifier: dict[str, Issued] = {}
        self.window = (2 / 3, 3 / 4)

    @property
    def revoked(self) -> dict[int, int]:
        """
        Reasons by serial number.
        """
        return {each.serial: each.reason for each in self._byDER.values() if each.reason is not None}

    def keep(self, account: AccountEntry, chain: bytes) -> Issued:
        """
        Remember a certificate.

        @param chain: PEM, its own first.
        """
        certificate = x509.load_pem_x509_certificates(chain)[0]
        kept = Issued(
            identifierOf(certificate),
            certificate.serial_number,
            account,
            describe(chain).names,
            certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            certificate.not_valid_before_utc.timestamp(),
            certificate.not_valid_after_utc.timestamp(),
        )
        self._byDER[certificate.public_bytes(Encoding.DER)] = self._byIdentifier[kept.identifier] = kept
        return kept

    def revoke(self, request: SignedRequest, account: AccountEntry | None) -> None:
        """
        Revoke one.

        @param account: Who asks, or L{None} when the certificate's key does.
        @raise Refused: It is unknown, or revoked, or not for the asker to
            revoke, or the reason is none.
        """
        said = members(request.payload)
        given, reason = said.get("certificate"), said.get("reason", 0)
        found = self._byDER.get(decoded(given)) if isinstance(given, str) else None
        if found is None:
            raise Refused(404, "malformed", "no such certificate was issued here")
        if account is None:
            isAllowed = request.key.as_pem(private=False) == found.key
        else:
            isAllowed = found.account is account or self._holds(account, found.names)
        if not isAllowed:
            raise Refused(403, "unauthorized", "the certificate belongs to somebody else")
        if isinstance(reason, bool) or not isinstance(reason, int) or reason not in _REASONS:
            raise Refused(400, "badRevocationReason", f"{reason!r} is none of {_REASONS}")
        if found.reason is not None:
            raise Refused(400, "alreadyRevoked", "the certificate is revoked already")
        found.reason = reason

    def renewal(self, identifier: str) -> dict[str, Any]:
        """
        When to renew one: as RFC 9773 section 4.2 shows it.

        @raise Refused: It is unknown.
        """
        found = self._byIdentifier.get(identifier)
        if found is None:
            raise Refused(404, "malformed", "no such certificate was issued here")
        lifetime = found.notAfter - found.notBefore
        start, end = (found.notBefore + lifetime * each for each in self.window)
        if found.reason is not None:
            # Over already: section 4.2 has it renewed at once.
            start, end = found.notBefore - 2, found.notBefore - 1
        return {"suggestedWindow": {"start": date(start), "end": date(end)}}

    def replaceable(self, account: AccountEntry, names: set[str], identifier: object) -> Issued:
        """
        Find the certificate that an order is to replace (RFC 9773 section 5).

        @param names: Of the order.
        @raise Refused: It is unknown, of another account, for none of the
            names, or replaced already.
        """
        found = self._byIdentifier.get(identifier) if isinstance(identifier, str) else None
        if found is None:
            raise Refused(404, "malformed", "the certificate to be replaced was not issued here")
        if found.account is not account:
            raise Refused(403, "unauthorized", "the certificate to be replaced belongs to another account")
        if names.isdisjoint(found.names):
            raise Refused(400, "malformed", "the certificate to be replaced is for none of these names")
        if found.replacement is not None and found.replacement.status != "invalid":
            raise Refused(
                409, "alreadyReplaced", f"the certificate is replaced by {found.replacement.url} already"
            )
        return found


def identifierOf(certificate: x509.Certificate) -> str:
    """
    Name a certificate as RFC 9773 section 4.1 does.
    """
    above = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    serial = certificate.serial_number
    # The contents of a DER INTEGER: one zero more where the first bit is set.
    number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    parts = (above.key_identifier or b"", number)
    return ".".join(urlsafe_b64encode(each).rstrip(b"=").decode("ascii") for each in parts)
