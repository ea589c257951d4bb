"""
The frozen words that all rooms share: where somebody is, what is known of a
connection, of a request, and what a challenge or a credential consists of.

Nothing here does anything.  Each value states its normal form once, at the
field, so that no reader normalises again.  What is made for every connection is
a named tuple: a frozen dataclass takes three times as long to make.  Where that is
hot it is C{made} by what a named tuple's own function in Python calls.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from .interfaces import IFilter

__all__ = [
    "Account",
    "Address",
    "Amendment",
    "AnswerHead",
    "CertificateFacts",
    "Challenge",
    "ConnectionFacts",
    "Credential",
    "DNS01",
    "Evidence",
    "HTTP01",
    "RequestFacts",
    "TLSALPN01",
    "Verdict",
    "WorkerFacts",
    "made",
]

#: Makes a named tuple of its class and a tuple of all its fields.
made: Any = tuple.__new__


class Address(NamedTuple):
    """
    One end of a TCP connection, or a unix socket.

    @ivar host: An IP address in its shortest text form (an IPv4-mapped IPv6
        address appears as IPv4), or the path of a unix socket.
    @ivar port: 1..65535, or 0 for a unix socket.
    """

    host: str
    port: int

    def __str__(self) -> str:
        if self.port == 0:
            return f"unix:{self.host}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class CertificateFacts(NamedTuple):
    """
    The certificate that a client has shown, and that was verified.

    @ivar subject: Whom it is for, as RFC 4514 writes names; empty where it has no subject.
    @ivar names: The names beside that, with a comma between them: C{DNS:a.example}.
        Those of directories are as the subject, but for commas within values, which are C{\\2C}.
    @ivar fingerprint: Its SHA-256, in hexadecimal digits, lower-case.
    @ivar serial: Its serial number, likewise.
    """

    subject: str
    names: str
    fingerprint: str
    serial: str


class ConnectionFacts(NamedTuple):
    """
    What is known of a connection once its first bytes were read.

    @ivar port: The local port that accepted it, 1..65535.
    @ivar client: Who connected; where a header of the PROXY protocol was believed,
        whom that speaks of.
    @ivar serverName: The SNI of its ClientHello, lower-case ASCII without a
        trailing dot; L{None} when there was none, or no TLS.
    @ivar alpn: The protocols the ClientHello offered, in its order.
    @ivar isTLS: Whether the first bytes were a TLS ClientHello.
    @ivar clientSubject: Whom the verified certificate of the client is for, as
        RFC 4514 writes names (C{CN=alice,O=Example}); L{None} when none was
        asked for or shown.
    @ivar server: What the client connected to by that header; L{None} where there
        was none: the socket knows.
    @ivar certificate: The one that the client has shown, or L{None}.
    """

    port: int
    client: Address
    serverName: str | None = None
    alpn: tuple[bytes, ...] = ()
    isTLS: bool = False
    clientSubject: str | None = None
    server: Address | None = None
    certificate: CertificateFacts | None = None


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """
    What is known of one HTTP request when it is routed.

    @ivar connection: The connection that it came by.
    @ivar method: As sent, for instance C{"GET"}.
    @ivar host: The name that the client asked for, from the Host field or the
        absolute target: lower-case ASCII, no port, no trailing dot; an IPv6
        literal without its brackets.  Empty when HTTP/1.0 sent none.
    @ivar path: The path with its dot segments resolved and nothing decoded;
        begins with C{"/"}, or is C{"*"}.
    @ivar query: What follows the first C{"?"}, or C{""}.
    @ivar client: The address of whom the request is from: behind a trusted peer
        (C{trusted_proxies}) whom that speaks for, or else who has connected.  An IP address in
        its shortest text form.
    @ivar requestID: What it goes on with as X-Request-ID; empty where none is given.
    @ivar changesTo: The protocol that the connection is to change to (Upgrade, or RFC 8441), in
        lower case; empty: none.
    """

    connection: ConnectionFacts
    method: str
    host: str
    path: str
    query: str = ""
    client: str = ""
    requestID: str = ""
    changesTo: str = ""


class AnswerHead(NamedTuple):
    """
    The head of an answer, and what becomes of its body.

    @ivar status: 200..599.
    @ivar fields: Whole header lines, each with its CR LF, without Content-Length,
        Connection and Transfer-Encoding, which the data path sets.
    @ivar length: Of the body as it goes to the client, in bytes; L{None} when that is
        not known.  For an answer to HEAD, that which GET would have.
    @ivar filters: What the body goes through, the first one first.  With any,
        C{length} is that of what comes out.
    @ivar isOurs: Whether the proxy has given the answer itself, and no target, no code of others and no
        server that was asked.
    @ivar barred: Each says of a name, in lower case, whether such a field does not go on where it
        stands behind the body.
    """

    status: int
    fields: bytes
    length: int | None
    filters: tuple[IFilter, ...] = ()
    isOurs: bool = False
    barred: tuple[Callable[[bytes], bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Amendment:
    """
    What goes upstream in place of what came.

    @ivar target: The path with its query, as bytes of a request line (RFC 9112 section
        3.2.1), or L{None} for the one that came.
    @ivar removed: Names of header fields that do not go on, in lower case.  Not Host, nor
        what frames a body; those of the proxy's own are beyond reach.
    @ivar fields: Header lines that are added after that, each with its CR LF.
    @ivar host: What the Host field has, or L{None} for what came.
    @ivar isBarred: Says of a name, in lower case, whether a body is refused that such a field stands
        behind, besides those of C{removed}.
    """

    target: bytes | None = None
    removed: frozenset[bytes] = frozenset()
    fields: bytes = b""
    host: bytes | None = None
    isBarred: Callable[[bytes], bool] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Credential:
    """
    What a TLS server shows and proves.

    @ivar chain: The certificate and those that vouch for it, as PEM, leaf
        first.
    @ivar key: The private key of the leaf, as unencrypted PEM.  Never logged:
        it has no part in C{repr}.
    """

    chain: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """
    Who we are to a certificate authority.

    @ivar key: The account's private key (EC on P-256 or P-384, or RSA), as unencrypted PEM.
    @ivar url: The account's URL (RFC 8555 section 7.3), or L{None} while the
        key has been made and saved but the authority has not answered yet:
        registering again with the same key finds the same account.
    @ivar nextKey: The key that the account is just being given (RFC 8555 section
        7.3.5), likewise; L{None} when it is known that it has L{key}.
    """

    key: bytes = field(repr=False)
    url: str | None = None
    nextKey: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HTTP01:
    """
    An answer that RFC 8555 section 8.3 has us serve over plain HTTP.

    @ivar name: The identifier being proved, lower-case ASCII.
    @ivar token: The last segment of the path, base64url.
    @ivar keyAuthorization: The body of the answer.
    """

    name: str
    token: str
    keyAuthorization: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TLSALPN01:
    """
    An answer that RFC 8737 has us serve to a ClientHello that offers just
    C{acme-tls/1}.

    @ivar name: The identifier being proved, lower-case ASCII; for an IP
        address (RFC 8738) its reverse name, as the SNI will have it.
    @ivar credential: The self-signed certificate with the acmeIdentifier
        extension, and its key.
    """

    name: str
    credential: Credential


@dataclass(frozen=True, slots=True)
class DNS01:
    """
    An answer that RFC 8555 section 8.4 has us put into the DNS.  There may be
    several at one name at a time: a name and the wildcard below it share it.

    @ivar name: The identifier being proved, lower-case ASCII, without C{*.}.
    @ivar value: The text of the TXT record.
    @ivar token: Of the challenge, base64url; with L{keyAuthorization} for those
        who make the text themselves.
    @ivar keyAuthorization: What the text is the digest of.
    """

    name: str
    value: str
    token: str = field(default="", compare=False, repr=False)
    keyAuthorization: str = field(default="", compare=False, repr=False)

    @property
    def owner(self) -> str:
        """
        Where the authority begins to look for the record.
        """
        return f"_acme-challenge.{self.name}"


#: Either kind of answer that the data path serves.
Challenge = HTTP01 | TLSALPN01

#: Whatever an authority may look at.
Evidence = Challenge | DNS01


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """
    One process of the data path.

    @ivar number: Of its place, from 1.
    @ivar process: Its number in the system; L{None}: there is none just now.
    @ivar state: C{starting}: it is being told everything.  C{serving}: it accepts
        connections.  C{leaving}: it finishes what it has, and accepts none.
        C{vacant}: the place waits for another one.
    """

    number: int
    process: int | None
    state: Literal["starting", "serving", "leaving", "vacant"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What checks have found of a target.

    @ivar isHealthy: Whether it may be sent something.
    @ivar reason: What the last check has seen, for people.
    @ivar since: Since when that is so, POSIX seconds.
    """

    isHealthy: bool
    reason: str
    since: float
