"""
Who the peer is: what OpenSSL has against its certificate, and whether it is one
for the name that the peer was connected by.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from OpenSSL import SSL, crypto

from ..facts import CertificateFacts

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["commonNameOf", "noteDistrust", "reasonOf", "shownBy", "verifyPeer", "versionOf"]

#: What OpenSSL has against a certificate (X509_STORE_CTX_get_error(3)), where operators meet it.
_DISTRUST = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed",
    19: "its root is not among the trusted ones",
    20: "its issuer is not among the trusted ones, or an intermediate certificate was left out",
    21: "its issuer is not among the trusted ones",
    23: "it was revoked",
    26: "it is not meant for this use (extended key usage)",
    66: "its key is too weak",
    68: "its signature is too weak",
}

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def noteDistrust(
    connection: SSL.Connection, certificate: crypto.X509, why: int, depth: int, isGood: int
) -> bool:
    """
    Keep OpenSSL's verdict, and why it came to it, which its error does not say.
    """
    if not isGood:
        connection.set_app_data(_DISTRUST.get(why, f"verification error {why}"))
    return bool(isGood)


def verifyPeer(connection: SSL.Connection, host: str) -> None:
    """
    Hold the certificate that a target has shown against the name it was
    connected by (RFC 9525).  The chain was verified in the handshake.

    @param host: A name or an IP address.
    @raise ValueError: It is a certificate for something else.
    """
    from service_identity import CertificateError, VerificationError
    from service_identity.pyopenssl import verify_hostname, verify_ip_address

    try:
        if ":" in host or host.replace(".", "").isdigit():
            verify_ip_address(connection, host)
        else:
            verify_hostname(connection, host)
    except (VerificationError, CertificateError) as error:
        raise ValueError(f"its certificate is not for {host}") from error


def shownBy(connection: SSL.Connection) -> CertificateFacts | None:
    """
    The certificate that the peer has shown.

    @return: L{None} when none was shown.
    """
    certificate = connection.get_peer_certificate()
    if certificate is None:
        return None
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    shown = certificate.to_cryptography()
    try:
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        beside = ",".join(f"{type(each).__name__.removesuffix('Name')}:{_text(each)}" for each in names)
    except (
        x509.ExtensionNotFound,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,  # an address of X.400 or a name of EDI (RFC 5280 section 4.2.1.6)
        ValueError,
    ):
        beside = ""
    return CertificateFacts(
        shown.subject.rfc4514_string(), beside, shown.fingerprint(SHA256()).hex(), f"{shown.serial_number:x}"
    )


def _text(name: x509.GeneralName) -> str:
    """
    A name beside the subject.  Of those that are no text a name of a directory is as RFC 4514 writes it, as
    the subject is, and one that is known by a number is that, with its bytes as it writes those.
    """
    from cryptography import x509

    if isinstance(name, x509.DirectoryName):
        # A comma within a value as RFC 4514 section 3 has it too: who cuts all the names at their commas
        # takes nothing in it for a name of its own.
        return _ESCAPED.sub(
            lambda found: r"\2C" if found[1] == "," else found[0], name.value.rfc4514_string()
        )
    if isinstance(name, x509.RegisteredID):
        return name.value.dotted_string
    if isinstance(name, x509.OtherName):
        return f"{name.type_id.dotted_string}=#{name.value.hex()}"
    return str(name.value)


def versionOf(connection: SSL.Connection) -> str:
    """
    The version of TLS that was agreed on.

    @return: For instance C{"1.3"}.
    """
    return connection.get_protocol_version_name().removeprefix("TLSv")


def commonNameOf(connection: SSL.Connection) -> str | None:
    """
    The common name of the certificate that the peer has shown.

    @return: Empty where it has none, or one that is longer than a common name may
        be (64, X.520); L{None} when no certificate was shown.
    """
    certificate = connection.get_peer_certificate()
    if certificate is None:
        return None
    name = certificate.get_subject().CN or ""
    return name if len(name) <= 64 else ""


def reasonOf(error: Exception) -> str:
    """
    @return: OpenSSL's own words for what went wrong, without its codes.
    """
    if isinstance(error, SSL.Error | crypto.Error) and error.args and isinstance(error.args[0], list):
        return "; ".join(str(entry[-1]) for entry in error.args[0] if entry) or "OpenSSL does not say why"
    return str(error).split("\n", 1)[0] or type(error).__name__
