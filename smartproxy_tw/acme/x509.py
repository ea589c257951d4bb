"""
Keys and certificates as PEM in, PEM out: what an order sends, what a challenge
shows, what a certificate says, and a small authority that signs.

The library that does the work hardly shows through: callers hold bytes,
L{Credential<smartproxy_tw.facts.Credential>} and L{CertificateFacts}.  Times are
POSIX seconds.  Names are in the normal form of
L{Auto.names<smartproxy_tw.config.model.Auto>}, or IP addresses in text form.
Whatever PEM cannot be read is a L{ValueError} that says which.

Import this module where a certificate is touched, not before: it costs time.
"""

from __future__ import annotations

import hashlib
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, PublicKeyAlgorithmOID

from ..facts import TLSALPN01, Credential
from ..values import dataclass

if TYPE_CHECKING:
    from ..config.model import KeyType

__all__ = [
    "ACME_IDENTIFIER",
    "CertificateFacts",
    "Signer",
    "acmeTLS",
    "certificateRequest",
    "checkCredential",
    "describe",
    "leafDER",
    "namesIn",
    "newKey",
    "readRequest",
    "renewalID",
    "requestedKey",
    "selfSigned",
    "serverNameFor",
]

#: id-pe-acmeIdentifier, RFC 8737 section 6.1.
ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")

#: How far the beginning of a validity is set into the past at most, so that
#: clocks that are a little late accept a new certificate.
_BACKDATE = 300.0

#: The lifetime of what nobody is to trust: placeholders, challenge answers.
_PLACEHOLDER_LIFETIME = 30 * 86400.0

#: RFC 5280's upper bound of a common name.
_LONGEST_COMMON_NAME = 64

#: Sizes of RSA keys.
_BITS = {"rsa": 2048, "rsa-3072": 3072}

#: A PEM block (RFC 7468).
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----")

#: So many keys are remembered as valid, 32 bytes each.
_MOST_VALID = 10_000

_PrivateKey = EllipticCurvePrivateKey | RSAPrivateKey

#: The digests of PEM texts of RSA keys that are valid, so that nobody finds that out again: it
#: takes forty milliseconds, in which nobody is served, and an order looks at its key four times.
_valid: set[bytes] = set()


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """
    What a certificate says of itself.

    @ivar names: The names and IP addresses it is for, as its subject
        alternative names have them, lower-case.
    @ivar notBefore: Valid from, POSIX seconds.
    @ivar notAfter: Valid until, POSIX seconds.
    @ivar issuer: The name of who signed it, for people (RFC 4514 text).
    @ivar serial: Its serial number.
    @ivar isRSA: Whether its key is of RSA.
    """

    names: tuple[str, ...]
    notBefore: float
    notAfter: float
    issuer: str
    serial: int
    isRSA: bool = False

    @property
    def lifetime(self) -> float:
        """
        From the first to the last second of its validity, in seconds.
        """
        return self.notAfter - self.notBefore


def newKey(kind: KeyType = "ecdsa") -> bytes:
    """
    Make a private key.

    @param kind: On the curve P-256, made at once; or of RSA, which takes a tenth
        of a second and more, not always the same.
    @return: Unencrypted PEM (PKCS #8).
    """
    bits = _BITS.get(kind)
    if bits is None:
        return _keyPEM(generate_private_key(SECP256R1()))
    key = _keyPEM(rsa.generate_private_key(65537, bits))
    _remember(hashlib.sha256(key).digest())
    return key


def certificateRequest(names: Iterable[str], key: bytes) -> bytes:
    """
    Ask for a certificate, as RFC 8555 section 7.4 wants it.

    @param names: What it is to be for.
    @param key: PEM of the private key that it is to go with.
    @return: A PKCS #10 request in DER.
    """
    private = _loadKey(key)
    builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
    builder = builder.add_extension(_alternativeNames(names), critical=False)
    return builder.sign(private, hashes.SHA256()).public_bytes(Encoding.DER)


def readRequest(request: bytes) -> tuple[str, ...]:
    """
    What a certificate request asks for.

    @param request: PKCS #10 in DER.
    @return: Its names, those of its subject included, sorted.
    @raise ValueError: It is none, or its signature is not by its own key.
    """
    parsed = x509.load_der_x509_csr(request)
    if not parsed.is_signature_valid:
        raise ValueError("The certificate request is not signed by its own key.")
    names = set(_namesOf(parsed.extensions))
    for attribute in parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        names.add(str(attribute.value).lower())
    return tuple(sorted(names))


def requestedKey(request: bytes) -> bytes:
    """
    Whom a certificate is asked for.

    @param request: PKCS #10 in DER.
    @return: The public key, as PEM.
    @raise ValueError: It is none.
    """
    public = x509.load_der_x509_csr(request).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def selfSigned(names: Iterable[str], *, now: float | None = None) -> Credential:
    """
    Make a placeholder that vouches for itself, valid for 30 days.

    @param names: What it claims to be for; may be empty.
    @param now: POSIX seconds; the system's clock when left out.
    """
    private = generate_private_key(SECP256R1())
    wanted = tuple(dict.fromkeys(names)) or ("localhost",)
    builder = _leaf(wanted, private, _PLACEHOLDER_LIFETIME, now)
    builder = builder.issuer_name(_subjectFor(wanted))
    return _credential([builder.sign(private, hashes.SHA256())], private)


def serverNameFor(name: str) -> str:
    """
    The SNI by which the authority asks for a tls-alpn-01 answer.

    @param name: A name, or an IP address, which RFC 8738 section 6 turns into
        its reverse name.
    """
    try:
        return ip_address(name).reverse_pointer
    except ValueError:
        return name


def acmeTLS(name: str, keyAuthorization: str, *, now: float | None = None) -> TLSALPN01:
    """
    Make the certificate that proves a name by RFC 8737.

    @param name: The identifier of the authorization.
    @param keyAuthorization: As L{smartproxy_tw.acme.jose.keyAuthorization}
        gives it.
    @param now: POSIX seconds; the system's clock when left out.
    """
    private = generate_private_key(SECP256R1())
    digest = hashlib.sha256(keyAuthorization.encode("ascii")).digest()
    # The extension's value is an OCTET STRING of 32 bytes: tag 4, length 32.
    proof = x509.UnrecognizedExtension(ACME_IDENTIFIER, b"\x04\x20" + digest)
    builder = _leaf((name,), private, _PLACEHOLDER_LIFETIME, now)
    builder = builder.issuer_name(_subjectFor((name,))).add_extension(proof, critical=True)
    return TLSALPN01(serverNameFor(name), _credential([builder.sign(private, hashes.SHA256())], private))


def describe(chain: bytes) -> CertificateFacts:
    """
    Read what the first certificate of a chain says.

    @param chain: PEM, leaf first.
    @raise ValueError: There is no certificate in it, or one that cannot be
        read.
    """
    return _facts(_loadChain(chain)[0])


def leafDER(chain: bytes) -> bytes:
    """
    The first certificate of a chain as a request to revoke it carries it.

    @param chain: PEM, leaf first.
    @return: DER.
    @raise ValueError: There is no certificate in it, or one that cannot be
        read.
    """
    return _loadChain(chain)[0].public_bytes(Encoding.DER)


def renewalID(chain: bytes) -> str | None:
    """
    What an authority calls a certificate when it is asked for its renewal, or
    told what an order replaces (RFC 9773 section 4.1).

    @param chain: PEM, leaf first.
    @return: L{None} when the certificate does not name the key that signed it.
    @raise ValueError: There is no certificate in it, or one that cannot be
        read.
    """
    leaf = _loadChain(chain)[0]
    try:
        signer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return None
    if signer is None:
        return None
    serial = leaf.serial_number
    # As DER has it: a leading zero where the number would look negative.
    number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    return ".".join(urlsafe_b64encode(each).rstrip(b"=").decode("ascii") for each in (signer, number))


def namesIn(certificate: x509.Certificate) -> tuple[str, ...]:
    """
    The names and IP addresses that a certificate is for.

    @param certificate: One that a handshake gave.
    """
    return _namesOf(certificate.extensions)


def checkCredential(credential: Credential, names: Iterable[str] = ()) -> CertificateFacts:
    """
    Make sure that a chain and a key belong together, link by link, and that
    the certificate is for what is wanted.

    @param credential: What is to be served.
    @param names: Each must be among the certificate's own names, or be
        matched by a wildcard there.
    @return: What the certificate says.  Its validity in time is not judged.
    @raise ValueError: Says what does not fit.
    """
    chain = _loadChain(credential.chain)
    if _publicBytes(chain[0].public_key()) != _publicBytes(_loadKey(credential.key).public_key()):
        raise ValueError("The private key is not the one that the certificate was made for.")
    for below, above in pairwise(chain):
        try:
            below.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature) as why:
            raise ValueError(
                f"In the chain, {below.subject.rfc4514_string() or 'the certificate'} is followed by"
                f" {above.subject.rfc4514_string()}, which did not sign it."
            ) from why
    facts = _facts(chain[0])
    missing = [name for name in names if not _covered(name, facts.names)]
    if missing:
        raise ValueError(f"The certificate is for {', '.join(facts.names)}, not for {', '.join(missing)}.")
    return facts


class Signer:
    """
    A certificate authority: a key, the certificate that vouches for it, and
    what it signs.  It keeps no record and no clock of its own; serial numbers
    are random.

    @ivar credential: Its own chain, its own certificate first and a root
        last, and its key.
    """

    def __init__(self, chain: list[x509.Certificate], private: _PrivateKey) -> None:
        """
        Use L{create} or L{fromPEM} instead.
        """
        self._chain = chain
        self._private = private
        self.credential = _credential(chain, private)

    @classmethod
    def create(
        cls,
        commonName: str,
        *,
        lifetime: float = 3650 * 86400.0,
        pathLength: int = 1,
        now: float | None = None,
    ) -> Signer:
        """
        Make a root.

        @param commonName: What people will see it called; at most 64
            characters.
        @param lifetime: Of its certificate, in seconds.
        @param pathLength: How many further authorities may stand between it
            and a leaf (RFC 5280 section 4.2.1.9).
        @param now: POSIX seconds; the system's clock when left out.
        """
        private = generate_private_key(SECP256R1())
        subject = _called(commonName)
        builder = _authority(subject, private, lifetime, pathLength, now).issuer_name(subject)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(private.public_key()), critical=False
        )
        return cls([builder.sign(private, hashes.SHA256())], private)

    @classmethod
    def fromPEM(cls, chain: bytes, key: bytes) -> Signer:
        """
        Take up an authority that was made before.

        @param chain: PEM of its certificate, followed by those above it.
        @param key: PEM of its private key, EC or RSA.
        @raise ValueError: Either cannot be read, they do not belong together,
            or the certificate is not one that may sign others.
        """
        checkCredential(Credential(chain, key))
        certificates = _loadChain(chain)
        try:
            constraints = certificates[0].extensions.get_extension_for_class(x509.BasicConstraints).value
        except x509.ExtensionNotFound:
            constraints = None
        if constraints is None or not constraints.ca:
            raise ValueError("The certificate is not one of an authority: it may not sign others.")
        return cls(certificates, _loadKey(key))

    @property
    def root(self) -> bytes:
        """
        PEM of what others are to trust: the last certificate of its chain.
        """
        return self._chain[-1].public_bytes(Encoding.PEM)

    def delegate(
        self, commonName: str, *, lifetime: float = 1825 * 86400.0, now: float | None = None
    ) -> Signer:
        """
        Make an authority that signs leaves on behalf of this one.

        @param commonName: What people will see it called.
        @param lifetime: Of its certificate, in seconds; never beyond ours.
        @param now: POSIX seconds; the system's clock when left out.
        """
        private = generate_private_key(SECP256R1())
        builder = _authority(_called(commonName), private, lifetime, 0, now, latest=self._notAfter)
        return Signer([self._signed(builder), *self._chain], private)

    def issue(self, names: Iterable[str], *, lifetime: float, now: float | None = None) -> Credential:
        """
        Make a key and a certificate for a TLS server.

        @param names: What it is for: names, wildcards, IP addresses in text
            form; at least one.
        @param lifetime: Its validity from now on, in seconds; never beyond
            our own certificate's.
        @param now: POSIX seconds; the system's clock when left out.
        @return: The chain without the root, and the key.
        @raise ValueError: There are no names, or one cannot be in a
            certificate.
        """
        private = generate_private_key(SECP256R1())
        builder = _leaf(tuple(names), private, lifetime, now, latest=self._notAfter)
        return _credential([self._signed(builder), *self._intermediates], private)

    def sign(
        self, request: bytes, names: Iterable[str], *, lifetime: float, now: float | None = None
    ) -> bytes:
        """
        Make a certificate for a key that is somebody else's.

        @param request: PKCS #10 in DER; only its key is used, whether its
            names are due to the asker is for the caller to judge.
        @param names: What the certificate is for; at least one.
        @param lifetime: As in L{issue}.
        @param now: POSIX seconds; the system's clock when left out.
        @return: The chain without the root, as PEM.
        @raise ValueError: The request cannot be read, or as in L{issue}.
        """
        public = x509.load_der_x509_csr(request).public_key()
        builder = _leaf(tuple(names), public, lifetime, now, latest=self._notAfter)
        return _chainPEM([self._signed(builder), *self._intermediates])

    @property
    def _notAfter(self) -> float:
        return self._chain[0].not_valid_after_utc.timestamp()

    @property
    def _intermediates(self) -> list[x509.Certificate]:
        return [each for each in self._chain if each.issuer != each.subject]

    def _signed(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        issuer = self._chain[0]
        try:
            above = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above)
        except x509.ExtensionNotFound:
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._private.public_key())
        builder = builder.issuer_name(issuer.subject).add_extension(identifier, critical=False)
        return builder.sign(self._private, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as why:
        raise ValueError(f"{name!r} cannot stand in a certificate: names there are ASCII (IDNA).") from why


def _alternativeNames(names: Iterable[str]) -> x509.SubjectAlternativeName:
    wanted = tuple(dict.fromkeys(names))
    if not wanted:
        raise ValueError("A certificate needs at least one name.")
    return x509.SubjectAlternativeName([_general(name) for name in wanted])


def _namesOf(extensions: x509.Extensions) -> tuple[str, ...]:
    try:
        found = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses: list[IPv4Address | IPv6Address] = [
        each
        for each in found.get_values_for_type(x509.IPAddress)
        if isinstance(each, IPv4Address | IPv6Address)
    ]
    names = [name.lower() for name in found.get_values_for_type(x509.DNSName)]
    return (*names, *(str(address) for address in addresses))


def _covered(name: str, offered: tuple[str, ...]) -> bool:
    return name in offered or ("*." + name.partition(".")[2]) in offered


def _called(commonName: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, commonName)])


def _subjectFor(names: tuple[str, ...]) -> x509.Name:
    # For people only: what counts are the alternative names (RFC 6125).
    short = next((name for name in names if len(name) <= _LONGEST_COMMON_NAME), None)
    return _called(short) if short else x509.Name([])


def _builder(
    subject: x509.Name,
    public: CertificatePublicKeyTypes,
    lifetime: float,
    now: float | None,
    latest: float | None,
) -> x509.CertificateBuilder:
    if lifetime <= 0:
        raise ValueError(f"A certificate cannot live for {lifetime} seconds.")
    begin = time.time() if now is None else now
    end = begin + lifetime if latest is None else min(begin + lifetime, latest)
    # A twentieth at most, so that renewal by fraction works for certificates
    # of minutes too.
    start = begin - min(_BACKDATE, lifetime / 20)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(int(start), UTC))
        .not_valid_after(datetime.fromtimestamp(int(end), UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _leaf(
    names: tuple[str, ...],
    key: CertificatePublicKeyTypes | _PrivateKey,
    lifetime: float,
    now: float | None,
    latest: float | None = None,
) -> x509.CertificateBuilder:
    public = key.public_key() if isinstance(key, _PrivateKey) else key
    alternatives = _alternativeNames(names)
    subject = _subjectFor(names)
    return (
        _builder(subject, public, lifetime, now, latest)
        # RFC 5280 section 4.2.1.6: critical when nothing else names the subject.
        .add_extension(alternatives, critical=not list(subject))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )


def _authority(
    subject: x509.Name,
    private: _PrivateKey,
    lifetime: float,
    pathLength: int,
    now: float | None,
    latest: float | None = None,
) -> x509.CertificateBuilder:
    return (
        _builder(subject, private.public_key(), lifetime, now, latest)
        .add_extension(x509.BasicConstraints(ca=True, path_length=pathLength), critical=True)
        .add_extension(_usage(signs=True), critical=True)
    )


def _usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _facts(certificate: x509.Certificate) -> CertificateFacts:
    return CertificateFacts(
        names=_namesOf(certificate.extensions),
        notBefore=certificate.not_valid_before_utc.timestamp(),
        notAfter=certificate.not_valid_after_utc.timestamp(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=certificate.serial_number,
        isRSA=certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5,
    )


def _loadChain(chain: bytes) -> list[x509.Certificate]:
    # The library passes over a block without an end.
    rest = _BLOCK.sub(b"", chain)
    if b"-----" in rest or rest.rstrip().endswith(b"-"):
        raise ValueError("The PEM text is cut in the midst of a certificate.")
    try:
        return x509.load_pem_x509_certificates(chain)
    except ValueError as why:
        raise ValueError(f"No certificate can be read from the PEM text: {why}") from why


def _remember(digest: bytes) -> None:
    if len(_valid) >= _MOST_VALID:
        _valid.clear()
    _valid.add(digest)


def _loadKey(key: bytes) -> _PrivateKey:
    digest = hashlib.sha256(key).digest()
    try:
        private = load_pem_private_key(key, password=None, unsafe_skip_rsa_key_validation=digest in _valid)
    except (ValueError, TypeError) as why:
        raise ValueError(f"No private key can be read from the PEM text: {why}") from why
    if not isinstance(private, _PrivateKey):
        raise ValueError("The private key is neither EC nor RSA.")
    if isinstance(private, RSAPrivateKey) and digest not in _valid:
        _remember(digest)
    return private


def _publicBytes(public: CertificatePublicKeyTypes) -> bytes:
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _keyPEM(private: _PrivateKey) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _chainPEM(chain: Iterable[x509.Certificate]) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in chain)


def _credential(chain: Iterable[x509.Certificate], private: _PrivateKey) -> Credential:
    return Credential(_chainPEM(chain), _keyPEM(private))
