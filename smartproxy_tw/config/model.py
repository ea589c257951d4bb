"""
What a configuration means, once read: frozen, normalised, complete.

A L{Config} comes from a file (L{smartproxy_tw.config.loading}), from the command
line, or from Python by calling these classes.  It holds no default that depends
on where it was read, no short form and no text that still needs parsing, and it
imports nothing heavy, so that a worker can have one without pydantic.

How a configuration is I{written} is another module's business: the schema.
"""

from __future__ import annotations

from dataclasses import field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from ..facts import Address
from ..values import dataclass
from .application import Application
from .balance import Balance, Check, Checked, Ejection, Health, Sticky, checkedOf
from .filetree import FileTree
from .lasting import RouteTimeouts, WebSocket
from .plugin import Plugin
from .revision import Compress, ErrorPage, Headers, Rewrite
from .security import Cors, Security, SecurityHeaders
from .selection import Branch, Dynamic

__all__ = [
    "AccessLog",
    "Acme",
    "Action",
    "Admin",
    "Application",
    "Authority",
    "Auto",
    "Balance",
    "Block",
    "Branch",
    "CertificateHook",
    "CertificateSource",
    "Challenges",
    "Check",
    "Checked",
    "ClientCertificates",
    "Conditions",
    "Config",
    "Dynamic",
    "DynamicUpdate",
    "Ejection",
    "ExternalAccount",
    "FileTree",
    "Files",
    "Forward",
    "Health",
    "Hook",
    "Internal",
    "KeyType",
    "Lexicon",
    "Limits",
    "Metrics",
    "OwnZones",
    "Plugin",
    "Pool",
    "Preflight",
    "ProxyHeader",
    "ProxyProtocol",
    "Records",
    "Redirect",
    "Respond",
    "Route",
    "RouteTimeouts",
    "Several",
    "Sticky",
    "Target",
    "TLS",
    "TLSPolicy",
    "Timeouts",
    "UpstreamTLS",
    "WebSocket",
    "LETSENCRYPT",
    "LETSENCRYPT_STAGING",
    "checkedOf",
    "twinOf",
]

#: The directory of Let's Encrypt.
LETSENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
#: The directory of Let's Encrypt's staging environment.
LETSENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"

_BALANCE, _HEALTH = Balance(), Health()
_AUTO, _TWIN = "auto:", "rsa:"


@dataclass(frozen=True, slots=True)
class Auto:
    """
    A certificate by ACME.

    @ivar names: All the names that it is to cover, in the order of the route;
        lower-case ASCII, no trailing dot.  The set of names is the identity of
        the certificate: routes with the same set share it.
    @ivar isTwin: Whether it is the second one for its names, with a key of RSA,
        for clients that do not take the first one.
    """

    names: tuple[str, ...]
    isTwin: bool = False

    @property
    def key(self) -> str:
        """
        The identity of the certificate, equal for equal sets of names.
        """
        return (_TWIN if self.isTwin else _AUTO) + ",".join(sorted(self.names))

    @property
    def title(self) -> str:
        """
        What people know it by.
        """
        return ", ".join(self.names) + (" (RSA)" if self.isTwin else "")


def twinOf(key: str) -> str | None:
    """
    The identity of the certificate that is shown to those who do not take one.

    @param key: As L{Auto.key} has it.
    @return: L{None} when it has none, or is itself the second.
    """
    return _TWIN + key.removeprefix(_AUTO) if key.startswith(_AUTO) else None


@dataclass(frozen=True, slots=True)
class Several:
    """
    Certificates by ACME for names that are too many for one, as
    L{smartproxy_tw.config.division} divides them.

    @ivar names: All of them, as in L{Auto}.
    @ivar parts: Each for some of the names.  Where a name is in two of them, the
        later one is shown for it.
    """

    names: tuple[str, ...]
    parts: tuple[Auto, ...]
    _byName: dict[str, Auto] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """
        Know where each name is: it is asked for with every handshake.
        """
        object.__setattr__(self, "_byName", {name: part for part in self.parts for name in part.names})

    def partFor(self, serverName: str | None) -> Auto:
        """
        The one that is shown to a client.

        @param serverName: What it asks for, one of the names or covered by one;
            for anything else the first is as good as any.
        """
        name = serverName or ""
        found = self._byName.get(name) or self._byName.get("*." + name.partition(".")[2])
        return found or self.parts[0]


@dataclass(frozen=True, slots=True)
class Internal:
    """
    A certificate by the local authority in the state directory.

    @ivar names: As in L{Auto}; wildcards are possible.  Empty for a route
        without domains: one is made for C{localhost} and the loopback
        addresses.
    """

    names: tuple[str, ...]

    @property
    def key(self) -> str:
        """
        The identity of the certificate, equal for equal sets of names.
        """
        return "internal:" + ",".join(sorted(self.names))


@dataclass(frozen=True, slots=True)
class Files:
    """
    A certificate and its key in PEM files, read again when they change.

    @ivar certificate: Absolute path of the chain, leaf first.
    @ivar privateKey: Absolute path of the key; may be the same file.
    """

    certificate: str
    privateKey: str

    @property
    def key(self) -> str:
        """
        The identity of the certificate: its two paths.
        """
        return f"files:{self.certificate},{self.privateKey}"


#: Where a certificate comes from.
CertificateSource = Auto | Internal | Files


@dataclass(frozen=True, slots=True)
class ClientCertificates:
    """
    That clients are to show a certificate, and which are believed.

    @ivar mode: C{"request"}: whoever has one shows it, and a bad one is
        refused; C{"require"}: whoever has none is refused too.
    @ivar caFile: Absolute path of a PEM bundle: who may have signed them.
    """

    mode: Literal["request", "require"]
    caFile: str


@dataclass(frozen=True, slots=True)
class TLSPolicy:
    """
    What a handshake has to be like.

    @ivar lowest: The lowest version of TLS that is spoken.
    @ivar highest: The highest one, not below L{lowest}.
    @ivar ciphers: Those of TLS 1.2 that are agreed to, by OpenSSL's names;
        empty: those of Mozilla's intermediate profile.  TLS 1.3 has its own.
    @ivar clients: L{None}: no certificate is asked for.
    @ivar http2: Whether HTTP/2 is agreed on with who offers it.
    """

    lowest: Literal["1.2", "1.3"] = "1.2"
    highest: Literal["1.2", "1.3"] = "1.3"
    ciphers: tuple[str, ...] = ()
    clients: ClientCertificates | None = None
    http2: bool = True


@dataclass(frozen=True, slots=True)
class TLS:
    """
    What a route does with TLS from the client.

    @ivar mode: C{"passthrough"}: the bytes go to the target untouched.
        C{"terminate"}: TLS ends here.
    @ivar certificate: L{None} just with C{"passthrough"}.
    @ivar policy: What the handshake has to be like where TLS ends here.
    """

    mode: Literal["passthrough", "terminate"]
    certificate: CertificateSource | Several | None = None
    policy: TLSPolicy = field(default_factory=TLSPolicy)

    @property
    def sources(self) -> tuple[CertificateSource, ...]:
        """
        Where its certificates come from: one for most routes.
        """
        if isinstance(self.certificate, Several):
            return self.certificate.parts
        return () if self.certificate is None else (self.certificate,)

    def sourceFor(self, serverName: str | None) -> CertificateSource | None:
        """
        Where the one comes from that is shown to a client.

        @param serverName: What it asks for.
        """
        if isinstance(self.certificate, Several):
            return self.certificate.partFor(serverName)
        return self.certificate


@dataclass(frozen=True, slots=True)
class UpstreamTLS:
    """
    How a target is spoken to by TLS (the mode C{terminate-and-reencrypt}).

    @ivar serverName: The name sent as SNI and verified; L{None}: the host of
        the target (an IP address is verified as one, and no SNI is sent).
    @ivar verify: Whether the certificate of the target must be valid for that
        name.  False only where the file says C{insecure_skip_verify: true}.
    @ivar caFile: Absolute path of a PEM bundle to trust in place of the
        system's, or L{None}.
    """

    serverName: str | None = None
    verify: bool = True
    caFile: str | None = None


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """
    What a target is told of the client before everything else, by the PROXY protocol.

    @ivar version: 1 or 2.
    @ivar tlvs: Further facts, where they are known, in this order; version 1 has no place
        for any.  C{"authority"}: the name asked for by SNI; C{"alpn"}: the protocol agreed on where
        TLS is ended here; C{"ssl"}: version, cipher and the common name of the client's
        certificate, likewise; C{"crc32c"}: a checksum.
    """

    version: Literal[1, 2]
    tlvs: tuple[Literal["authority", "alpn", "ssl", "crc32c"], ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """
    One place that bytes can go to.

    @ivar host: A name or an IP address without brackets, or the absolute path
        of a unix socket.
    @ivar port: 1..65535; L{None}: the port that the client connected to
        (C{preserve}); 0 for a unix socket.
    @ivar proxyHeader: What it is told of each client; L{None}: nothing.
    @ivar weight: Its share, beside those of the others; 0: it has its turn when no other
        can be had.
    @ivar isService: Whether the host is the name of SRV records (RFC 2782), which say
        what there is, and at which ports; there is no port then.
    @ivar protocol: How HTTP is spoken to it.  C{h2}: HTTP/2, which it has to agree to by
        ALPN; C{h2c}: HTTP/2 without TLS, which it is known to speak; C{auto}: what it
        prefers by ALPN.
    """

    host: str
    port: int | None
    proxyHeader: ProxyHeader | None = None
    weight: int = 1
    isService: bool = False
    protocol: Literal["http/1.1", "h2", "h2c", "auto"] = "http/1.1"

    def __str__(self) -> str:
        if self.isService:
            return f"srv:{self.host}"
        if self.port == 0:
            return f"unix:{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{'preserve' if self.port is None else self.port}"


@dataclass(frozen=True, slots=True)
class Pool:
    """
    How many connections to targets there may be, and what becomes of those who
    find none free.  Each process counts its own.

    @ivar connections: To each target at a time, in use or kept; L{None}: any
        number, and nobody ever waits.
    @ivar queue: How many may wait for one: 503 beyond.
    @ivar wait: How long, in seconds: 503 after that.
    """

    connections: int | None = None
    queue: int = 1000
    wait: float = 5.0


@dataclass(frozen=True, slots=True)
class Forward:
    """
    Hand the request, or the bytes, to a target.

    @ivar targets: At least one, unless they are worked out.  With branches: all of theirs.
    @ivar tls: L{None} for plain connections to the targets.
    @ivar pool: See L{Pool}.
    @ivar dynamic: How they are worked out; L{None}: they are C{targets}.
    @ivar branches: How one is chosen where they are not all alike.
    @ivar balance: Which of them is next.
    @ivar health: Which of them can be had.
    """

    targets: tuple[Target, ...]
    tls: UpstreamTLS | None = None
    pool: Pool = Pool()
    balance: Balance = _BALANCE
    health: Health = _HEALTH
    dynamic: Dynamic | None = None
    branches: tuple[Branch, ...] = ()

    @property
    def groups(self) -> tuple[Forward, ...]:
        """
        Those whose targets are all alike: its branches, or itself.
        """
        return tuple(branch.forward for branch in self.branches) or (self,)

    @property
    def isPlain(self) -> bool:
        """
        Whether targets simply take turns, and nothing is known of them but whether they
        do what they should.
        """
        return (
            self.balance == _BALANCE
            and self.health == _HEALTH
            and not any(each.isService or each.weight != self.targets[0].weight for each in self.targets)
        )


@dataclass(frozen=True, slots=True)
class Redirect:
    """
    Answer with another address.

    @ivar to: A text with blanks for the Location field, see L{smartproxy_tw.config.blanks}; here
        C{{path}} is the path with its query.
    @ivar status: 301, 302, 303, 307 or 308.
    """

    to: str
    status: int = 308


@dataclass(frozen=True, slots=True)
class Respond:
    """
    Answer with a response of one's own.

    @ivar status: 200..599.
    @ivar headers: Pairs of name and value, a text with blanks, checked by the loader; Date,
        Content-Length, Connection and Transfer-Encoding are ours to set and
        never among them.
    @ivar body: A text with blanks, encoded as UTF-8.  Empty for 204 and 304.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """
    Refuse: an answer over HTTP, a close otherwise.

    @ivar status: 400..599.
    @ivar body: What is said, encoded as UTF-8; L{None}: the status in words over HTTP,
        otherwise nothing.
    @ivar isReset: Whether the connection is broken in place of that.
    """

    status: int = 403
    body: str | None = None
    isReset: bool = False


#: What a route does.
Action = Forward | Redirect | Respond | FileTree | Application | Block | Plugin


@dataclass(frozen=True, slots=True)
class Conditions:
    """
    What a route asks for beyond ports, domains and path; all of it has to hold.

    @ivar headers: Names of header fields, in lower case, each with what one of its
        values has to match one of: see L{smartproxy_tw.config.expressions}.  Only with
        the protocol C{http}, as all others but C{clients}.
    @ivar query: The same for parameters of the query, whose case matters.
    @ivar methods: The method is one of these; empty: any.
    @ivar clients: The client is one of these, see L{smartproxy_tw.config.clients}; empty:
        anybody.
    @ivar tlsVersions: TLS, which ends here, is of one of these versions; empty: of any.
    @ivar plugins: What somebody else's code looks at.
    """

    headers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    query: tuple[tuple[str, tuple[str, ...]], ...] = ()
    methods: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    tlsVersions: tuple[Literal["1.2", "1.3"], ...] = ()
    plugins: tuple[Plugin, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """
    One rule: what it takes, and what becomes of it.

    @ivar name: Unique among the routes.
    @ivar ports: The local ports it listens on, ascending, without repetition.
    @ivar domains: Patterns of names: exact (C{shop.example}), one label
        (C{*.shop.example}), any depth (C{**.shop.example}), any name (C{*});
        lower-case ASCII (IDNA), no trailing dot.  Empty: also connections and
        requests without a name.
    @ivar path: C{None}, exact C{/a}, prefix C{/a/*}, or with parameters
        C{/u/:id}.  Only with the protocol C{http}.
    @ivar protocol: What it speaks inside of TLS, if any; settled by the loader.
    @ivar tls: L{None} when it takes plain connections.
    @ivar priority: Higher is asked first.
    @ivar line: Where it begins in its file, counted from 1; 0 when there is
        none.
    @ivar conditions: What else it asks for.
    @ivar headers: What becomes of header fields.  Only with the protocol C{http}, as what follows.
    @ivar rewrite: What targets are asked for in place of what came.
    @ivar compress: Which answers are compressed.
    @ivar errorPages: Of the pages that fit, the first is taken.
    @ivar security: Who may use it, and how much; L{None}: everybody may, and all they like.
    @ivar cors: Which other origins browsers let use it; L{None}: its answers and those of its
        target stand as they are.
    @ivar securityHeaders: What browsers are told to be careful about; L{None}: nothing.
    @ivar bodyBytes: In place of L{Limits.bodyBytes}, or L{None}.
    @ivar timeouts: How long it waits, or L{None}: as L{Config.timeouts} has it.
    @ivar webSocket: Who may open WebSockets; L{None}: whoever its target agrees with.
    """

    name: str
    ports: tuple[int, ...]
    action: Action
    protocol: Literal["http", "tcp"]
    domains: tuple[str, ...] = ()
    path: str | None = None
    tls: TLS | None = None
    priority: int = 0
    line: int = 0
    conditions: Conditions = Conditions()
    headers: Headers | None = None
    rewrite: Rewrite | None = None
    compress: Compress | None = None
    errorPages: tuple[ErrorPage, ...] = ()
    security: Security | None = None
    cors: Cors | None = None
    securityHeaders: SecurityHeaders | None = None
    bodyBytes: int | None = None
    timeouts: RouteTimeouts | None = None
    webSocket: WebSocket | None = None


@dataclass(frozen=True, slots=True)
class AccessLog:
    """
    One line for each request, or for each connection that is not HTTP.

    @ivar format: C{"combined"}, C{"json"}, C{"logfmt"} or C{"off"}.
    @ivar file: An absolute path, or C{"stdout"}.
    """

    format: Literal["combined", "json", "logfmt", "off"] = "combined"
    file: str = "stdout"


@dataclass(frozen=True, slots=True)
class Admin:
    """
    How the running proxy is spoken to by whoever runs it.

    @ivar socket: The absolute path of the unix socket.
    @ivar listen: Where it is spoken to by TCP as well, by who has the token; L{None}:
        nowhere.  Where others reach it somebody has said that this is meant.
    @ivar token: That token.
    @ivar tokenFile: Absolute path of a file with just that, in place of it.
    """

    socket: str
    listen: Address | None = None
    token: str | None = field(default=None, repr=False)
    tokenFile: str | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """
    How long to wait, in seconds.

    @ivar head: For the first bytes, a TLS handshake, a whole request head:
        absolute, from the first moment it is waited for.
    @ivar connect: For a connection to a target, TLS included.
    @ivar idle: For the target's answer (504), for the next byte of it or of a
        tunnel.
    @ivar drain: For requests in flight when the process stops.
    @ivar drainStreams: For tunnels and WebSockets when another process has taken
        over.
    @ivar keepAlive: For the next request on a kept connection.
    @ivar body: For the body of a request to begin to come as fast as
        L{Limits.minRate} has it.
    @ivar write: For a client that takes nothing of what it asked for.
    """

    head: float = 10.0
    connect: float = 5.0
    idle: float = 300.0
    drain: float = 30.0
    drainStreams: float = 3600.0
    keepAlive: float = 75.0
    body: float = 5.0
    write: float = 30.0


@dataclass(frozen=True, slots=True)
class Limits:
    """
    How much of something is taken.

    @ivar headBytes: Of a request head: 431 beyond.
    @ivar urlBytes: Of a request target: 414 beyond.
    @ivar bodyBytes: Of a request body, chunks undone: 413 beyond.  0: any
        number.
    @ivar minRate: Bytes a second that a client has to send of a body (408),
        and to take of an answer.  0: whatever it likes.
    @ivar connections: Client connections at a time; shared by the workers.
    @ivar streams: Requests at a time on one connection of HTTP/2.
    @ivar heldBytes: Of request bodies, and of messages of WebSockets, that are kept whole at a
        time, for code that wants them so, in each process; 503 or 1013 beyond.
    """

    headBytes: int = 65536
    urlBytes: int = 8192
    connections: int = 20000
    bodyBytes: int = 0
    minRate: int = 240
    streams: int = 100
    heldBytes: int = 1 << 28


#: How names may be proved.
Challenges = tuple[Literal["http-01", "tls-alpn-01", "dns-01"], ...]


@dataclass(frozen=True, slots=True)
class Records:
    """
    What is common to all ways into the DNS: where records belong, and when they
    count as there.

    @ivar zone: To which the records belong, or L{None}: it is looked for.
    @ivar resolvers: Asked where that is, and what CNAME leads elsewhere; IP
        addresses.  Empty: those of the system.
    @ivar nameServers: Which have to answer with a record before the authority is
        told of it; IP addresses.  Empty: all that the zone names.
    @ivar patience: How long that may take, in seconds.
    """

    zone: str | None = field(default=None, kw_only=True)
    resolvers: tuple[Address, ...] = field(default=(), kw_only=True)
    nameServers: tuple[Address, ...] = field(default=(), kw_only=True)
    patience: float = field(default=120.0, kw_only=True)


@dataclass(frozen=True, slots=True)
class Hook(Records):
    """
    Records are put into the DNS by a program.

    @ivar command: The program, by absolute path or found by PATH, and its
        arguments; no shell has a part in it.
    @ivar timeout: How long it may run, in seconds.
    """

    command: tuple[str, ...]
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class OwnZones:
    """
    Records are answered by the proxy itself, as the name server of zones that are
    there for nothing else.

    @ivar zones: Their names; lower-case ASCII, no trailing dot.
    @ivar name: What the delegation calls this name server, likewise.
    @ivar listen: IP addresses and ports, of UDP and TCP.
    """

    zones: tuple[str, ...]
    name: str
    listen: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class DynamicUpdate(Records):
    """
    Records are put into the DNS by dynamic updates (RFC 2136), signed with a key
    (TSIG, RFC 8945) unless it has none.  Of secret and file there is exactly one
    where there is a key.

    @ivar server: The primary server of the zone; a name or an IP address.
    @ivar keyName: What the server calls the key.
    @ivar keyAlgorithm: For instance C{hmac-sha256}.
    @ivar keySecret: The key, base64; a secret.
    @ivar keySecretFile: Absolute path of a file with just that.
    @ivar ttl: Of the records, in seconds.
    """

    server: Address
    keyName: str | None = None
    keyAlgorithm: str = "hmac-sha256"
    keySecret: str | None = field(default=None, repr=False)
    keySecretFile: str | None = None
    ttl: int = 60


@dataclass(frozen=True, slots=True)
class Lexicon(Records):
    """
    Records are put into the DNS by a provider that dns-lexicon knows.

    @ivar provider: What it is called there.
    @ivar options: What that one wants to know, by the names of its options;
        secrets among them.
    @ivar optionFiles: For further options the absolute path of a file with the
        value.
    @ivar ttl: Of the records, in seconds; L{None}: whatever the library takes.
    @ivar timeout: How long one change may take, in seconds.
    """

    provider: str
    options: tuple[tuple[str, str | bool], ...] = field(default=(), repr=False)
    optionFiles: tuple[tuple[str, str], ...] = ()
    ttl: int | None = None
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class CertificateHook:
    """
    A program that is run when something has happened to certificates by ACME.

    @ivar command: The program, by absolute path or found by PATH, and its
        arguments; no shell has a part in it.
    @ivar events: After which of them.
    @ivar names: Only for certificates for one of these; empty: for all.
    @ivar timeout: How long it may run, in seconds.
    """

    command: tuple[str, ...]
    events: tuple[Literal["issued", "renewed", "failed", "expiring"], ...] = ("issued", "renewed")
    names: tuple[str, ...] = ()
    timeout: float = 120.0


#: What the key of a certificate is: EC on P-256, or RSA of 2048 or 3072 bits; or
#: there are two certificates, C{ecdsa} and C{rsa}.
KeyType = Literal["ecdsa", "rsa", "rsa-3072", "both"]


@dataclass(frozen=True, slots=True)
class ExternalAccount:
    """
    An account that was made with an authority by other means than ACME, to
    which the ACME account is to be bound (RFC 8555 section 7.3.4).  Of key and
    file there is exactly one.

    @ivar keyID: What the authority calls the MAC key.
    @ivar hmacKey: The MAC key as the authority gave it, base64url; a secret.
    @ivar hmacKeyFile: Absolute path of a file with just that.
    """

    keyID: str
    hmacKey: str | None = field(default=None, repr=False)
    hmacKeyFile: str | None = None


@dataclass(frozen=True, slots=True)
class Authority:
    """
    Whom to ask for certificates, as who, and for what kind.

    @ivar email: For the account, or L{None}.
    @ivar directory: URL of the directory (RFC 8555 section 7.1.1).
    @ivar caFile: Absolute path of a PEM bundle to trust for the directory's
        own HTTPS in place of the system's, or L{None}.
    @ivar external: What a new account is to be bound to, or L{None}.
    @ivar profile: The kind of certificate to ask for, by the authority's own
        word for it, or L{None}: see L{smartproxy_tw.acme.profiles}.
    @ivar keyType: What the keys of its certificates are.
    """

    email: str | None = None
    directory: str = LETSENCRYPT
    caFile: str | None = None
    external: ExternalAccount | None = field(default=None, kw_only=True)
    profile: str | None = field(default=None, kw_only=True)
    keyType: KeyType = field(default="ecdsa", kw_only=True)


@dataclass(frozen=True, slots=True)
class Preflight:
    """
    Whether it is looked beforehand if an order can succeed.

    @ivar mode: C{"advisory"}: beside the order, and what is bad is told.
        C{"strict"}: before it, and while something is bad none is placed.
        C{"off"}: not at all.
    @ivar resolvers: Who is asked about names; IP addresses.  Empty: those of
        C{Acme.dns} where it has some, or else of the system.
    @ivar httpPort: Where the authority comes to for http-01.
    @ivar tlsPort: Where the authority comes to for tls-alpn-01.
    """

    mode: Literal["advisory", "strict", "off"] = "advisory"
    resolvers: tuple[Address, ...] = ()
    httpPort: int = 80
    tlsPort: int = 443


@dataclass(frozen=True, slots=True)
class Acme(Authority):
    """
    Whom to ask for certificates, and how to prove a name.

    @ivar fallbacks: Whom else to ask, in this order, when that one gives none.
    @ivar challenges: In order of preference; with dns-01 there is C{dns}.
    @ivar dns: How records are put into the DNS, or L{None}.
    @ivar preflight: See L{Preflight}.
    @ivar httpPort: Where http-01 is served; the authority connects to 80, so
        another number needs a forwarding in front.
    @ivar tlsPort: Where tls-alpn-01 is served; likewise 443.
    @ivar hooks: Programs to run afterwards, in this order.
    """

    challenges: Challenges = ("http-01", "tls-alpn-01")
    httpPort: int = 80
    tlsPort: int = 443
    fallbacks: tuple[Authority, ...] = field(default=(), kw_only=True)
    dns: DynamicUpdate | Hook | Lexicon | OwnZones | None = field(default=None, kw_only=True)
    hooks: tuple[CertificateHook, ...] = field(default=(), kw_only=True)
    preflight: Preflight = field(default=Preflight(), kw_only=True)

    def port(self, kind: Literal["http-01", "tls-alpn-01", "dns-01"]) -> int | None:
        """
        Where a kind of challenge is served.

        @param kind: One of L{challenges}.
        @return: The local port; L{None} for dns-01, which needs none.
        """
        return {"http-01": self.httpPort, "tls-alpn-01": self.tlsPort}.get(kind)


@dataclass(frozen=True, slots=True)
class Metrics:
    """
    Where figures are told to whoever asks.

    @ivar listen: An address and a port.
    """

    listen: Address


@dataclass(frozen=True, slots=True)
class ProxyProtocol:
    """
    Where whoever stands in front says first, by a header of the PROXY protocol, for
    whom it speaks.

    @ivar ports: The local ports, ascending, without repetition.
    @ivar senders: Who is believed; from anybody else no header is taken.
    @ivar mode: C{"require"}: those who are believed have to send one; C{"accept"}: they
        may.
    @ivar timeout: How long the header may take, in seconds.
    """

    ports: tuple[int, ...]
    senders: tuple[IPv4Network | IPv6Network, ...]
    mode: Literal["require", "accept"] = "require"
    timeout: float = 5.0


@dataclass(frozen=True, slots=True)
class Config:
    """
    Everything that a SmartProxy needs to know.

    @ivar routes: In the order of the file; those that are switched off are
        left out.
    @ivar stateDir: Absolute path of the directory for accounts, certificates
        and the local authority.
    @ivar bind: IP addresses that every port is bound on; empty: all of them,
        IPv4 and IPv6.
    @ivar trustedProxies: Peers whose forwarded fields are believed.
    @ivar proxyProtocol: Where the PROXY protocol is spoken, and by whom; L{None}:
        nowhere.
    @ivar requestID: Whether each request goes to its target with an
        identifier (X-Request-ID).
    @ivar workers: How many processes move bytes, from 1: with 1 it is this very
        one.  C{"auto"}: one for each CPU that this process may use.
    @ivar logFormat: Of the event log.
    @ivar admin: How it is spoken to while it runs; L{None}: not at all.
    @ivar metrics: Where Prometheus has its figures from, besides there; L{None}:
        nowhere.
    @ivar http2PriorKnowledge: Whether HTTP/2 may be begun on ports without TLS.
    @ivar watch: Whether its files are watched, and it is read again when they change.
    @ivar pythonPath: Absolute paths of directories where modules that it names are looked
        for, after those where Python looks by itself.
    @ivar source: The file it was read from, absolute, or L{None}.
    @ivar files: All files that it was read from, absolute.
    @ivar patterns: Absolute paths with wildcards, as L{glob} has them: which further
        files would belong to it.
    @ivar errorPages: Where no route takes a request; those that routes have are in the routes.
    """

    routes: tuple[Route, ...]
    stateDir: str
    bind: tuple[str, ...] = ()
    accessLog: AccessLog = field(default_factory=AccessLog)
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits = field(default_factory=Limits)
    trustedProxies: tuple[IPv4Network | IPv6Network, ...] = ()
    workers: int | Literal["auto"] = 1
    acme: Acme = field(default_factory=Acme)
    requestID: bool = True
    logFormat: Literal["text", "json"] = "text"
    admin: Admin | None = None
    metrics: Metrics | None = None
    watch: bool = False
    proxyProtocol: ProxyProtocol | None = None
    pythonPath: tuple[str, ...] = field(default=(), compare=False)
    http2PriorKnowledge: bool = False
    source: str | None = None
    files: tuple[str, ...] = field(default=(), compare=False)
    patterns: tuple[str, ...] = field(default=(), compare=False)
    errorPages: tuple[ErrorPage, ...] = ()

    @property
    def autoCertificates(self) -> tuple[Auto, ...]:
        """
        The certificates to be had by ACME, each identity once, in the order of
        the routes.
        """
        found: dict[str, Auto] = {}
        for route in self.routes:
            for source in () if route.tls is None else route.tls.sources:
                if isinstance(source, Auto):
                    found.setdefault(source.key, source)
        return tuple(found.values())

    @property
    def pageFiles(self) -> tuple[str, ...]:
        """
        The files that error pages were read from, each once.
        """
        pages = [*self.errorPages, *(page for route in self.routes for page in route.errorPages)]
        files = [form.file for page in pages for form in page.forms if form.file is not None]
        return tuple(dict.fromkeys(files))

    @property
    def challenges(self) -> Challenges:
        """
        The challenges that can be answered, in order of preference: those
        whose port is among L{ports}, and dns-01.
        """
        ports = (*self.ports, None)
        return tuple(kind for kind in self.acme.challenges if self.acme.port(kind) in ports)

    @property
    def ports(self) -> tuple[int, ...]:
        """
        Every port to listen on, ascending: those of the routes and, where
        certificates are wanted by ACME, the port of the preferred challenge
        and that of http-01, routes or not.  The port of tls-alpn-01 as second
        choice is not bound for its own sake.
        """
        wanted = {port for route in self.routes for port in route.ports}
        if self.autoCertificates:
            for place, kind in enumerate(self.acme.challenges):
                port = self.acme.port(kind)
                if port is not None and (place == 0 or kind == "http-01"):
                    wanted.add(port)
        return tuple(sorted(wanted))
