"""
The language of configuration files, as pydantic models.

This is what people may write; what it means is the business of
L{smartproxy_tw.config.resolution}.  Names in files are snake_case; the camelCase
of these attributes, which is that of SmartProxy, is accepted too.  Only what
works is here, and each default is that of L{smartproxy_tw.config.model}.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from ..facts import Address
from . import dotted, lastingsection, lexicon, model, names, protection, spoken, spread, targets, texts
from .code import Code
from .contents import Contents
from .document import FromEnvironment
from .matching import (
    Clients,
    Expressions,
    MatchedField,
    Methods,
    TargetMatch,
    TargetTLS,
    Version,
    Versions,
)
from .pluggable import PLUGIN, Pluggable, byKeyOrPlugin, sourceName
from .revisionsection import Compression, ErrorPages, Headers, Rewrite, TemplateText, ValueText
from .section import (
    TAG,
    Claim,
    Domain,
    IPAddresses,
    Networks,
    Nonempty,
    PathText,
    PathTexts,
    Port,
    Seconds,
    Section,
    Whole,
    byKey,
    byShape,
    number,
    shape,
    unique,
)

__all__ = [
    "AccessLog",
    "Acme",
    "Action",
    "Block",
    "CertificateHook",
    "ClientCertificates",
    "DynamicUpdate",
    "ExternalAccount",
    "Fallback",
    "File",
    "Files",
    "Forward",
    "Hook",
    "KeyPair",
    "Lexicon",
    "Limits",
    "Log",
    "Match",
    "Metrics",
    "Passthrough",
    "Pool",
    "OwnZones",
    "PluginAction",
    "PortRange",
    "ProxyHeader",
    "ProxyProtocol",
    "Redirect",
    "Reencrypt",
    "Respond",
    "Route",
    "Site",
    "Socket",
    "SourceTarget",
    "Target",
    "Terminate",
    "Timeouts",
    "UnixTarget",
    "jsonSchema",
]


def _targetKind(value: Any) -> str | None:
    if isinstance(value, dict):
        return TAG + next((key for key in ("unix", "source", "srv") if key in value), "address")
    return shape(value)


def _siteKind(value: Any) -> str | None:
    tag = shape(value)
    return None if tag == TAG + "list" else tag


def _certificateKind(value: Any) -> str | None:
    return TAG + "files" if isinstance(value, dict) else TAG + "word" if isinstance(value, str) else None


class PortRange(Section):
    """
    Ports from one to another, both included.
    """

    first: Port = Field(alias="from", description="The first port.")
    last: Port = Field(alias="to", description="The last port, not below the first.")

    @model_validator(mode="after")
    def _isForward(self) -> PortRange:
        if self.first > self.last:
            raise ValueError(f"runs backwards, from {self.first} to {self.last}: exchange the two")
        return self


_PortItem = Annotated[
    Annotated[Port, Tag(TAG + "number")] | Annotated[PortRange, Tag(TAG + "mapping")],
    byShape("has to be a port number or {from: , to: }"),
]
_Ports = Annotated[
    Annotated[Port, Tag(TAG + "number")]
    | Annotated[PortRange, Tag(TAG + "mapping")]
    | Annotated[list[_PortItem], Field(min_length=1), Tag(TAG + "list")],
    byShape("has to be a port number, {from: , to: } or a list of these"),
]
_Domains = Annotated[
    Annotated[Domain, Tag(TAG + "text")]
    | Annotated[list[Domain], Field(min_length=1), AfterValidator(unique), Tag(TAG + "list")],
    byShape("has to be a name or a list of names"),
]


class Match(Pluggable):
    """
    Which connections and requests a route takes.
    """

    ports: _Ports = Field(
        description="The local ports: a number, a range `{from: 993, to: 995}`, or a list of both. "
        "Any number of routes can share a port."
    )
    domains: _Domains | None = Field(
        default=None,
        description="The names asked for, by SNI or Host: one or a list of exact names, `*.example.com` "
        "(one label), `**.example.com` (any depth), `*` (any name). Without it the route also takes "
        "what comes without a name; with it, never.",
    )
    path: Annotated[str, AfterValidator(texts.routePath)] | None = Field(
        default=None,
        description="The path asked for: exact `/a`, prefix `/a/*`, or with parameters `/users/:id`. "
        "Makes the route speak HTTP.",
    )
    headers: Annotated[dict[MatchedField, Expressions], Field(min_length=1)] | None = Field(
        default=None,
        description="Header fields, all of which the request has to have, by their names in any case: a "
        "text, a glob (`beta-*`, or `*` for any value), a regular expression (`/^beta-[0-9]+$/`), or a list "
        "of which one has to match. Of a field that comes several times one value has to. Makes the "
        "route speak HTTP.",
    )
    query: Annotated[dict[str, Expressions], Field(min_length=1)] | None = Field(
        default=None,
        description="Parameters of the query, as headers; names and values are compared with their "
        "percent encoding undone. Makes the route speak HTTP.",
    )
    method: Methods | None = Field(
        default=None,
        description="The method, or a list of those that are taken: `[GET, HEAD]`. Makes the route speak "
        "HTTP.",
    )
    clientIp: Clients | None = Field(
        default=None,
        description="Who is served: an address, a network in CIDR notation, a range `10.0.0.1-10.0.0.9`, "
        "a glob `10.0.*.*`, or a list of these, of IPv4 and IPv6. For HTTP it is the client that a trusted "
        "proxy speaks for (trusted_proxies).",
    )
    tlsVersion: Versions | None = Field(
        default=None,
        description="The version of TLS that was agreed on, or a list of both, where TLS ends here. Makes "
        "the route speak HTTP.",
    )
    protocol: Literal["http", "tcp"] | None = Field(
        default=None,
        description="What is spoken, inside of TLS where there is TLS. Left out, it is settled so: http "
        "with a path, headers, query, method or tls_version, for redirect, respond, files and socket, and "
        "with http:// or https:// targets or those that speak HTTP/2; tcp with passthrough and for kind: "
        "protocol; http where TLS is terminated or domains are given; tcp otherwise.",
    )


class ProxyHeader(Section):
    """
    A header of the PROXY protocol, in full.
    """

    version: Literal["v1", "v2"] = Field(description="`v1`, a line; or `v2`, binary.")
    tlvs: Annotated[
        list[Literal["authority", "alpn", "ssl", "crc32c"]], Field(min_length=1), AfterValidator(unique)
    ] = Field(
        default_factory=list,
        description="What v2 is to have beside the addresses, where it is known: `authority` (the name asked "
        "for by SNI); where TLS is ended here `alpn` (the protocol that was agreed on) and `ssl` (version, "
        "cipher and the common name of the client's certificate); `crc32c` (a checksum).",
    )

    @model_validator(mode="after")
    def _hasPlace(self) -> Self:
        if self.tlvs and self.version == "v1":
            raise ValueError("has tlvs, for which v1 has no place: use version: v2")
        return self


_ProxyHeader = Annotated[
    Annotated[Literal["v1", "v2", "off"], Tag(TAG + "text")] | Annotated[ProxyHeader, Tag(TAG + "mapping")],
    byShape("has to be v1, v2 or off, or {version: , tlvs: }"),
]
_WEIGHT = (
    "Its share of what there is to do, beside those of the other targets. 0: it has its turn when no other "
    "can be had."
)
_TARGET_HEADER = "As `send_proxy_protocol` of the action, for this target alone."


_FieldName = Annotated[str, AfterValidator(texts.fieldName)]
_FieldValue = Annotated[
    Annotated[str, AfterValidator(texts.fieldValue), Tag(TAG + "text")]
    | Annotated[Whole, Tag(TAG + "number")]
    | Annotated[
        list[Annotated[str, AfterValidator(texts.fieldValue)]], Field(min_length=1), Tag(TAG + "list")
    ],
    byShape("has to be text, a whole number or a list of texts"),
]


def _claimKind(value: Any) -> str:
    return TAG + ("mapping" if isinstance(value, dict) else "claim")


def _host(text: str) -> str:
    return str(dotted.reference(text)) if dotted.isDotted(text) else names.host(text)


def _targetPortText(text: str) -> str:
    if dotted.isDotted(text):
        return str(dotted.reference(text))
    if text != "preserve":
        raise ValueError("has to be a port number, preserve, or python:module.name")
    return text


class _AnyTarget(Section):
    """
    What can be said of one target alone.
    """

    match: TargetMatch | None = Field(
        default=None,
        description="Which requests it is for. Those with a match are asked before those without, which "
        "are for the rest.",
    )
    priority: Annotated[int, Field(ge=-1000000, le=1000000), BeforeValidator(number)] = Field(
        default=0,
        description="Of the targets whose match holds only those with the highest are used.",
    )
    tls: (
        Annotated[
            Annotated[bool, Tag(TAG + "claim")] | Annotated[TargetTLS, Tag(TAG + "mapping")],
            Discriminator(_claimKind),
        ]
        | None
    ) = Field(
        default=None,
        description="`true`: it is spoken to by TLS, its certificate verified; `false`: it is not; or a "
        "mapping. Default: as the action says.",
    )
    headers: dict[_FieldName, _FieldValue] = Field(
        default_factory=dict,
        description="Header fields that requests get on their way to it, in place of those of the same "
        "names; a list repeats the field.",
    )
    sendProxyProtocol: _ProxyHeader | None = Field(default=None, description=_TARGET_HEADER)
    protocol: spoken.Protocol | None = Field(default=None, description=spoken.OWN_DESCRIPTION)


class Target(_AnyTarget):
    """
    A host and a port.
    """

    host: Annotated[
        Annotated[str, AfterValidator(_host), Tag(TAG + "text")]
        | Annotated[
            list[Annotated[str, AfterValidator(names.host)]],
            Field(min_length=1),
            AfterValidator(unique),
            Tag(TAG + "list"),
        ],
        byShape("has to be a name, or a list of names"),
    ] = Field(
        description="A name or an IP address; a list of them is as many targets; or "
        "`python:module.name`, a function that gives one or several for each request."
    )
    port: Annotated[
        Annotated[Port, Tag(TAG + "number")]
        | Annotated[str, AfterValidator(_targetPortText), Tag(TAG + "text")],
        byShape("has to be a port number, preserve, or python:module.name"),
    ] = Field(
        description="Its port; `preserve`: the port that the client connected to; or "
        "`python:module.name`, a function that gives it for each request."
    )
    weight: spread.Weight = Field(default=1, description=_WEIGHT)


class UnixTarget(_AnyTarget):
    """
    A unix socket.
    """

    unix: PathText = Field(description="The path of the socket, relative to the directory of this file.")
    weight: spread.Weight = Field(default=1, description=_WEIGHT)


class SourceTarget(_AnyTarget):
    """
    Targets that somebody else's code knows.
    """

    source: Annotated[str, AfterValidator(sourceName)] = Field(description="The name of a plug-in.")
    settings: dict[str, Any] = Field(default_factory=dict, description="What the plug-in wants to know.")


def _targetText(text: str) -> str:
    if dotted.isDotted(text):
        dotted.reference(text)
    else:
        targets.parse(text)
    return text


_TargetText = Annotated[str, AfterValidator(_targetText), Tag(TAG + "text")]
_TargetPort = Annotated[Port, Tag(TAG + "number")]
_OneTarget = Annotated[
    _TargetText
    | _TargetPort
    | Annotated[Target, Tag(TAG + "address")]
    | Annotated[UnixTarget, Tag(TAG + "unix")]
    | Annotated[SourceTarget, Tag(TAG + "source")]
    | Annotated[spread.Service, Tag(TAG + "srv")],
    Discriminator(
        _targetKind,
        custom_error_type="shape",
        custom_error_message="has to be host:port, unix:/path, a port number, {host: , port: }, {unix: } or "
        "{srv: }, or python:module.name",
    ),
]
_Targets = Annotated[
    _TargetText
    | _TargetPort
    | Annotated[Target, Tag(TAG + "address")]
    | Annotated[UnixTarget, Tag(TAG + "unix")]
    | Annotated[SourceTarget, Tag(TAG + "source")]
    | Annotated[spread.Service, Tag(TAG + "srv")]
    | Annotated[list[_OneTarget], Field(min_length=1), Tag(TAG + "list")],
    Discriminator(
        _targetKind,
        custom_error_type="shape",
        custom_error_message="has to be a target such as 127.0.0.1:3000, or a list of targets",
    ),
]


class KeyPair(Section):
    """
    A certificate in files, read again when they change.
    """

    cert: PathText = Field(
        description="The chain as PEM, leaf first; relative to the directory of this file."
    )
    key: PathText = Field(description="The private key as PEM, not encrypted; may be the same file.")


Certificate = Annotated[
    Annotated[Literal["auto", "internal"], Tag(TAG + "word")] | Annotated[KeyPair, Tag(TAG + "files")],
    Discriminator(
        _certificateKind,
        custom_error_type="shape",
        custom_error_message="has to be auto, internal or {cert: , key: }",
    ),
]

_CERTIFICATE = (
    "`auto`: by ACME, one for all the domains of the route; `internal`: by a local authority in "
    "the state directory; or the paths of PEM files."
)

# Those of Mozilla's intermediate profile that need no parameters of their own.
_Cipher = Literal[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
]


class ClientCertificates(Section):
    """
    That clients are to show a certificate.
    """

    mode: Literal["request", "require"] = Field(
        description="`require`: whoever shows none is refused during the handshake. `request`: it is asked "
        "for, but may be missing. A certificate that is shown and not valid is refused either way."
    )
    caFile: PathText = Field(
        description="PEM bundle of the authorities whose certificates are believed; relative to the "
        "directory of this file."
    )


class _Ended(Section):
    """
    What there is to say wherever TLS ends here.
    """

    certificate: Certificate = Field(default="auto", description=_CERTIFICATE)
    minVersion: Version = Field(default="1.2", description="The lowest version of TLS that is spoken.")
    maxVersion: Version = Field(
        default="1.3", description="The highest version of TLS that is spoken, not below `min_version`."
    )
    ciphers: Annotated[list[_Cipher], Field(min_length=1), AfterValidator(unique)] | None = Field(
        default=None,
        description="Those of TLS 1.2 that are agreed to. Default: all that can be named here. The "
        "ciphers of TLS 1.3 are not chosen.",
    )
    clientCertificates: ClientCertificates | None = Field(
        default=None,
        description="Ask clients for a certificate. Routes with the same name on the same port have to "
        "agree on this, on the versions, on the ciphers and on HTTP/2: there is just one handshake.",
    )
    http2: Claim = Field(
        default=True,
        alias="http2",
        description="Whether HTTP/2 is agreed on with clients that offer it (ALPN).",
    )

    @model_validator(mode="after")
    def _isPossible(self) -> Self:
        if self.minVersion > self.maxVersion:
            raise ValueError(
                f"leaves no version: min_version {self.minVersion} is above max_version {self.maxVersion}"
            )
        if self.ciphers is not None and self.minVersion == "1.3":
            raise ValueError(
                "names ciphers of TLS 1.2, which min_version 1.3 rules out: leave out one of them"
            )
        return self


class Passthrough(Section):
    """
    TLS goes on untouched; the SNI decides where to.
    """

    mode: Literal["passthrough"] = Field(description="TLS is not ended here.")


class Terminate(_Ended):
    """
    TLS ends here.
    """

    mode: Literal["terminate"] = Field(description="TLS ends here; the target is spoken to without.")


class Reencrypt(_Ended):
    """
    TLS ends here and begins again.
    """

    mode: Literal["terminate-and-reencrypt"] = Field(
        description="TLS ends here; the target is spoken to by TLS of its own, its certificate verified."
    )
    serverName: Annotated[str, AfterValidator(names.host)] | None = Field(
        default=None,
        description="The name that the target is asked for and has to prove. Default: the host of the "
        "target.",
    )
    insecureSkipVerify: Claim = Field(
        default=False, description="Believe any certificate of the target. Whoever sits between can read all."
    )
    caFile: PathText | None = Field(
        default=None, description="PEM bundle to trust for the target in place of the system's."
    )


_ForwardTLS = Annotated[
    Annotated[Passthrough, Tag(TAG + "passthrough")]
    | Annotated[Terminate, Tag(TAG + "terminate")]
    | Annotated[Reencrypt, Tag(TAG + "terminate-and-reencrypt")],
    byKey("mode", "passthrough, terminate or terminate-and-reencrypt was expected"),
]
_AnswerTLS = Annotated[
    Annotated[Terminate, Tag(TAG + "terminate")],
    byKey("mode", "only terminate is possible for this type of action"),
]
_BlockTLS = Annotated[
    Annotated[Passthrough, Tag(TAG + "passthrough")] | Annotated[Terminate, Tag(TAG + "terminate")],
    byKey("mode", "passthrough or terminate was expected, nothing else is possible for this type of action"),
]
_TLS = "What becomes of TLS from the client. Left out, the route takes plain connections only."


_POOL = model.Pool()


class Pool(Section):
    """
    How many connections to each target there may be, and what becomes of those
    who find none free: they wait, in the order in which they came, and whatever
    comes free at any target goes to the first.  Each worker process counts its
    own.
    """

    connections: Annotated[int, Field(ge=1, le=1000000), BeforeValidator(number)] = Field(
        description="Connections to each target at a time, those that are kept for the next request "
        "included. Without `pool` there may be any number, and nobody waits."
    )
    queue: Annotated[int, Field(ge=0, le=1000000), BeforeValidator(number)] = Field(
        default=_POOL.queue,
        description="Requests, or connections that are not HTTP, that may wait for one; beyond: 503, or "
        "a close.",
    )
    wait: Seconds = Field(
        default=_POOL.wait, description="Seconds that anybody may wait; after that: 503, or a close."
    )


class Forward(Section):
    """
    Hand requests, or bytes, to targets.
    """

    type: Literal["forward"] = Field(description="Forward to targets.")
    targets: _Targets = Field(
        description="One or a list: `127.0.0.1:3000`, `app:preserve`, `unix:/run/app.sock`, a port number of "
        "this machine, `srv:_http._tcp.app.example` (of SRV records), `{host: , port: }`, `{unix: }` "
        "or `{srv: }`. Also `http://app:3000` and `https://app:8443`, which speak HTTP, the latter by "
        "verified TLS. `python:module.name` is a function that gives them for each request."
    )
    decisionTimeout: Seconds | None = Field(
        default=None,
        description="For how long a function that gives targets may let a request wait, in seconds; then it "
        "is answered with 504. Default: 5.",
    )
    loadBalancing: spread.Balance = Field(
        default="round-robin",
        description="Which target is next: `round-robin`, `least-connections`, `ip-hash`, "
        "`random-two-choices`, or a mapping with more to say.",
    )
    health: spread.Health = Field(
        default_factory=spread.Health, description="How it is known which targets can be had."
    )
    pool: Pool | None = Field(
        default=None, description="Bounds the connections to each target. Default: no bound."
    )
    sendProxyProtocol: _ProxyHeader = Field(
        default="off",
        description="Whether each connection to a target begins with the client's address, by the PROXY "
        "protocol: `v1`, `v2`, or a mapping for what v2 is to have beside it. The target has to expect it "
        "(`accept-proxy`, `listen … proxy_protocol`). Such a connection is for one request, or one tunnel, "
        "and no other client's. `off`: no.",
    )
    protocol: spoken.Protocol = Field(default="http/1.1", description=spoken.DESCRIPTION)
    tls: _ForwardTLS | None = Field(default=None, description=_TLS)


class Redirect(Section):
    """
    Answer with another address.
    """

    type: Literal["redirect"] = Field(description="Redirect.")
    to: Annotated[str, AfterValidator(texts.location)] = Field(
        description="Where to: a URL in which blanks are filled in, such as `{domain}` (the name asked for), "
        "`{path}` (here with its query) and `{port}` (the local port): `https://{domain}{path}`."
    )
    status: Annotated[Literal[301, 302, 303, 307, 308], BeforeValidator(number)] = Field(
        default=308,
        description="308 and 301 are permanent, 307, 302 and 303 are not; 308 and 307 keep the method.",
    )
    tls: _AnswerTLS | None = Field(default=None, description=_TLS)


_TemplateValue = Annotated[
    Annotated[ValueText, Tag(TAG + "text")]
    | Annotated[Whole, Tag(TAG + "number")]
    | Annotated[list[ValueText], Field(min_length=1), Tag(TAG + "list")],
    byShape("has to be text, a whole number or a list of texts"),
]


class Respond(Section):
    """
    Answer with a response of one's own.
    """

    type: Literal["respond"] = Field(description="Respond.")
    status: Annotated[int, Field(ge=200, le=599), BeforeValidator(number)] = Field(
        default=200, description="The status code."
    )
    headers: dict[_FieldName, _TemplateValue] = Field(
        default_factory=dict,
        description="Header fields by name; a list repeats the field. Not Date, Content-Length, Connection "
        "and Transfer-Encoding, which are set by the proxy. Blanks such as `{client_ip}` are filled in.",
    )
    body: TemplateText = Field(
        default="",
        description="The body, sent as UTF-8. Blanks are filled in. None with status 204 and 304.",
    )
    tls: _AnswerTLS | None = Field(default=None, description=_TLS)


class PluginAction(Section):
    """
    What somebody else's code does; all other keys are its settings.
    """

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="The name of a plug-in.")
    tls: _AnswerTLS | None = Field(default=None, description=_TLS)


class Block(Section):
    """
    Refuse: an answer over HTTP, a close otherwise.
    """

    type: Literal["block"] = Field(description="Block.")
    status: Annotated[int, Field(ge=400, le=599), BeforeValidator(number)] = Field(
        default=403, description="The status code over HTTP."
    )
    body: str | None = Field(
        default=None,
        description="What is said, as UTF-8. Default: the status in words over HTTP, otherwise nothing.",
    )
    reset: Claim = Field(
        default=False,
        description="Break the connection in place of an answer, by a reset where TCP has not ended "
        "elsewhere.",
    )
    tls: _BlockTLS | None = Field(default=None, description=_TLS)


class Files(Contents):
    """
    Answer with the files below a directory.
    """

    tls: _AnswerTLS | None = Field(default=None, description=_TLS)


class Socket(Code):
    """
    Hand requests, or bytes, to Python code in this process.
    """

    tls: _BlockTLS | None = Field(default=None, description=_TLS)


Action = Annotated[
    Annotated[Forward, Tag(TAG + "forward")]
    | Annotated[Redirect, Tag(TAG + "redirect")]
    | Annotated[Respond, Tag(TAG + "respond")]
    | Annotated[Files, Tag(TAG + "files")]
    | Annotated[Socket, Tag(TAG + "socket")]
    | Annotated[Block, Tag(TAG + "block")]
    | Annotated[PluginAction, Tag(PLUGIN)],
    byKeyOrPlugin(
        "type",
        ("forward", "redirect", "respond", "files", "socket", "block"),
        "forward, redirect, respond, files, socket or block was expected",
    ),
]


class Route(Section):
    """
    A rule: what it takes, and what becomes of it.  The route that takes a
    connection or request is the one with the highest priority; among equals the
    one with the most specific domain, then path, then the one that asks for more; then the
    first in the file.
    """

    name: Annotated[str, AfterValidator(texts.name)] | None = Field(
        default=None,
        description="For logs, unique in the configuration. Default: made from what the route matches.",
    )
    match: Match = Field(description="Which connections and requests it takes.")
    action: Action = Field(
        description="What becomes of them; its `type` says which of the kinds below it is."
    )
    priority: Annotated[int, Field(ge=-1000000, le=1000000), BeforeValidator(number)] = Field(
        default=0, description="Higher is asked first."
    )
    enabled: Claim = Field(default=True, description="`false`: as if the route were not there.")
    headers: Headers | None = Field(
        default=None,
        description="What becomes of header fields. Makes the route speak HTTP, as what follows.",
    )
    rewrite: Rewrite | None = Field(
        default=None, description="What targets are asked for in place of what clients have asked for."
    )
    compress: Compression = Field(
        default=False,
        description="Whether answers are compressed, for clients that take it. `true`: as the defaults below "
        "have it.",
    )
    errorPages: ErrorPages | None = Field(
        default=None,
        description="What errors look like, by status: `404`, or `4xx` and `5xx`; a file, `{body: }`, or a "
        "list of both in several media types. `from: proxy` (the default) replaces the answers that the "
        "proxy itself gives, `from: all` those of targets too.",
    )
    security: protection.Security | None = Field(
        default=None, description="Who may use it, and how much. Default: everybody, all they like."
    )
    cors: protection.Cors | None = Field(
        default=None, description="Which other origins browsers let use it. Default: what the target says."
    )
    securityHeaders: protection.Advice | None = Field(
        default=None,
        description="What browsers are told to be careful about: `true` for what suits most, or a mapping. "
        "Default: nothing.",
    )
    limits: protection.RouteLimits | None = Field(
        default=None, description="How much of something it takes. Default: as `limits` of the whole file."
    )
    timeouts: lastingsection.RouteTimeouts | None = Field(default=None, description=lastingsection.TIMEOUTS)
    websocket: lastingsection.WebSocketOption | None = Field(
        default=None, description=lastingsection.WEBSOCKET
    )


class Site(Section):
    """
    A name that is served by HTTPS: the short form.
    """

    to: _Targets = Field(
        description="Where its requests go: one target or a list, as in `targets` of a forward. `https://` "
        "targets are spoken to by verified TLS."
    )
    loadBalancing: spread.Balance = Field(
        default="round-robin",
        description="Which target is next: `round-robin`, `least-connections`, `ip-hash`, "
        "`random-two-choices`, or a mapping with more to say.",
    )
    health: spread.Health = Field(
        default_factory=spread.Health, description="How it is known which targets can be had."
    )
    www: Literal["redirect", "none"] = Field(
        default="none",
        description="`redirect`: www.NAME gets a certificate of its own and redirects to NAME, path "
        "and query kept.",
    )
    certificate: Certificate = Field(
        default="auto",
        description="`auto`: by ACME; `internal`: by a local authority in the state directory; or the "
        "paths of PEM "
        "files (which have to cover www.NAME too where it redirects).",
    )
    headers: Headers | None = Field(
        default=None, description="What becomes of header fields, as for a route; so is what follows."
    )
    rewrite: Rewrite | None = Field(
        default=None, description="What targets are asked for in place of what clients have asked for."
    )
    compress: Compression = Field(
        default=False, description="Whether answers are compressed, for clients that take it."
    )
    errorPages: ErrorPages | None = Field(default=None, description="What errors look like, by status.")
    security: protection.Security | None = Field(
        default=None, description="Who may use it, and how much. Default: everybody, all they like."
    )
    cors: protection.Cors | None = Field(
        default=None, description="Which other origins browsers let use it. Default: what the target says."
    )
    securityHeaders: protection.Advice | None = Field(
        default=None, description="What browsers are told to be careful about. Default: nothing."
    )
    limits: protection.RouteLimits | None = Field(
        default=None, description="How much of something it takes. Default: as `limits` of the whole file."
    )
    timeouts: lastingsection.RouteTimeouts | None = Field(default=None, description=lastingsection.TIMEOUTS)
    websocket: lastingsection.WebSocketOption | None = Field(
        default=None, description=lastingsection.WEBSOCKET
    )


def _siteName(text: str) -> str:
    # As it is written: that two come to the same is seen where they are resolved.
    names.pattern(text)
    return text


_SiteName = Annotated[str, AfterValidator(_siteName)]
_SiteValue = Annotated[
    _TargetText | _TargetPort | Annotated[Site, Tag(TAG + "mapping")],
    Discriminator(
        _siteKind,
        custom_error_type="shape",
        custom_error_message="has to be a target such as 127.0.0.1:3000, or {to: , www: , certificate: }",
    ),
]


class AccessLog(Section):
    """
    One line for each request, or for each connection that is not HTTP.
    """

    format: Literal["combined", "json", "logfmt", "off"] = Field(
        default=model.AccessLog().format,
        description="`combined` (as Apache has it), `json` or `logfmt`, which have more, or `off`.",
    )
    file: PathText = Field(
        default=model.AccessLog().file,
        description="`stdout`, or a path relative to the directory of this file.",
    )


class Log(Section):
    """
    The log of events.
    """

    format: Literal["text", "json"] = Field(
        default="text", description="`text`: readable lines; `json`: one object a line."
    )


_TIMEOUTS = model.Timeouts()
_LIMITS = model.Limits()
_ACME = model.Acme()


class Timeouts(Section):
    """
    How long to wait, in seconds.
    """

    head: Seconds = Field(
        default=_TIMEOUTS.head,
        description="For the first bytes, a TLS handshake and a whole request head: absolute, however "
        "slowly it comes.",
    )
    connect: Seconds = Field(
        default=_TIMEOUTS.connect, description="For a connection to a target, TLS included."
    )
    idle: Seconds = Field(
        default=_TIMEOUTS.idle,
        description="For the answer of a target (504), and for the next byte of an answer or of a tunnel.",
    )
    keepAlive: Seconds = Field(
        default=_TIMEOUTS.keepAlive,
        description="For the next request on a kept connection; then it is closed.",
    )
    body: Seconds = Field(
        default=_TIMEOUTS.body,
        description="For the body of a request to begin to come as fast as limits.min_rate has it; "
        "slower: 408.",
    )
    write: Seconds = Field(
        default=_TIMEOUTS.write,
        description="For a client that takes nothing of an answer, or less than limits.min_rate has it; "
        "then its connection is broken off.",
    )
    drain: Seconds = Field(
        default=_TIMEOUTS.drain, description="For requests in flight when the process stops."
    )
    drainStreams: Seconds = Field(
        default=_TIMEOUTS.drainStreams,
        description="For tunnels and WebSockets after an upgrade: the process before lives on for them. "
        "At a stop they have `drain`.",
    )


class Limits(Section):
    """
    How much of something is taken.
    """

    headBytes: Annotated[int, Field(ge=1024, le=1048576), BeforeValidator(number)] = Field(
        default=_LIMITS.headBytes, description="Bytes of a request head; beyond: 431."
    )
    urlBytes: Annotated[int, Field(ge=256, le=1048576), BeforeValidator(number)] = Field(
        default=_LIMITS.urlBytes, description="Bytes of a request target; beyond: 414. Not above head_bytes."
    )
    connections: Annotated[int, Field(ge=1, le=10000000), BeforeValidator(number)] = Field(
        default=_LIMITS.connections,
        description="Client connections at a time. With several `workers` each takes an equal share, "
        "rounded up.",
    )
    bodyBytes: Annotated[int, Field(ge=0), BeforeValidator(number)] = Field(
        default=_LIMITS.bodyBytes, description="Bytes of a request body; beyond: 413. 0: any number."
    )
    minRate: Annotated[int, Field(ge=0, le=1048576), BeforeValidator(number)] = Field(
        default=_LIMITS.minRate,
        description="Bytes a second, on average, that a client has to send of a body and to take of an "
        "answer. What it was faster counts for half a minute at most; what the target is slower does not "
        "count. 0: as slowly as it likes.",
    )
    streams: Annotated[int, Field(ge=1, le=10000), BeforeValidator(number)] = Field(
        default=_LIMITS.streams,
        description="Requests at a time on one connection of HTTP/2; further ones wait at the client.",
    )
    heldBytes: Annotated[int, Field(ge=65536), BeforeValidator(number)] = Field(
        default=_LIMITS.heldBytes,
        description="Bytes of request bodies that are kept in memory at a time, because Python code wants "
        "them whole (`type: socket`), in each process; beyond: 503.",
    )


def _listener(text: str) -> str:
    texts.listener(text)
    return text


_Listener = Annotated[
    Annotated[Port, Tag(TAG + "number")] | Annotated[str, AfterValidator(_listener), Tag(TAG + "text")],
    byShape("has to be an IP address with a port, or a port"),
]


class Admin(Section):
    """
    How the running proxy is spoken to.
    """

    socket: PathText | None = Field(
        default=None,
        description="The path of the unix socket, in a directory that nobody else may write to, relative to "
        "the directory of this file. Default: `admin.sock` in the state directory.",
    )
    listen: _Listener | None = Field(
        default=None,
        description="An IP address and a port, `127.0.0.1:2019`, or a port of this machine alone, where the "
        "proxy is spoken to by plain HTTP as well, by who has the token. Default: nowhere.",
    )
    token: Nonempty | None = Field(
        default=None,
        description="What has to be shown there (`Authorization: Bearer TOKEN`), at least 32 characters: "
        "from the environment, as in `${ADMIN_TOKEN}`, rather than written here.",
    )
    tokenFile: PathText | None = Field(
        default=None, description="A file that holds just the token, in place of token."
    )
    allowRemote: Claim = Field(
        default=False,
        description="That `listen` may be an address that other machines reach, although nothing is "
        "encrypted there and whoever reads along has the token.",
    )

    @model_validator(mode="after")
    def _isGuarded(self) -> Self:
        tokens = (self.token is not None) + (self.tokenFile is not None)
        if tokens != (self.listen is not None):
            raise ValueError(
                "needs listen, and the token that has to be shown there: either token_file or token"
            )
        if self.token is not None:
            # Not quoted: it is a secret.
            texts.bearerToken(self.token)
        if self.listen is None:
            if "allowRemote" in self.model_fields_set:
                raise ValueError("has allow_remote, which means nothing without listen")
        elif not self.allowRemote and not texts.isLoopback(texts.listener(str(self.listen))[0]):
            raise ValueError(
                f"listens on {self.listen}, where other machines reach it and nothing is encrypted: choose"
                " 127.0.0.1, or say allow_remote: true if that is meant"
            )
        return self


_Admin = Annotated[
    Annotated[Literal["off"], Tag(TAG + "text")] | Annotated[Admin, Tag(TAG + "mapping")],
    byShape("has to be off, or {socket: }"),
]


class Metrics(Section):
    """
    Where figures are told to whoever asks, in the format of Prometheus.
    """

    listen: _Listener = Field(
        description="An IP address with a port, such as `127.0.0.1:9100`; a port alone is on this machine "
        "only. It answers `GET /metrics` and nothing else, to everybody who can connect.",
    )


_PROXY_PROTOCOL = model.ProxyProtocol((), ())


class ProxyProtocol(Section):
    """
    Where a load balancer in front says first, by a header of the PROXY protocol
    (version 1 or 2), which client it speaks for.  That client's address is then the
    one that counts, for everything.
    """

    ports: _Ports | None = Field(
        default=None,
        description="The local ports: a number, a range `{from: 8000, to: 8010}`, or a list of both. "
        "Default: all.",
    )
    senders: Networks = Field(
        alias="from",
        description="Addresses and networks (`10.0.0.0/8`), one or a list, who are believed. From anybody "
        "else no header is taken, and connections without one are served as what they are.",
    )
    mode: Literal["require", "accept"] = Field(
        default=_PROXY_PROTOCOL.mode,
        description="`require`: without a header they are turned away; `accept`: they are served as what "
        "they are, once their first bytes show that there is none, or nothing has come for `timeout`.",
    )
    timeout: Seconds = Field(
        default=_PROXY_PROTOCOL.timeout, description="How long the header may take, in seconds."
    )


class ExternalAccount(Section):
    """
    What binds the account to one that an authority knows already.
    """

    keyId: Nonempty = Field(description="What the authority calls the key.")
    hmacKey: Nonempty | None = Field(
        default=None,
        description="The key itself, in base64url, as the authority gave it: from the environment, as in "
        "`${EAB_HMAC_KEY}`, rather than written here.",
    )
    hmacKeyFile: PathText | None = Field(
        default=None, description="A file that holds just the key, in place of hmac_key."
    )

    @model_validator(mode="after")
    def _hasOneKey(self) -> Self:
        if (self.hmacKey is None) == (self.hmacKeyFile is None):
            raise ValueError("needs the key that belongs to key_id: either hmac_key_file or hmac_key")
        return self


def _server(text: str) -> str:
    texts.nameServer(text)
    return text


def _serverAddress(text: str) -> str:
    if not names.isAddress(texts.nameServer(text)[0]):
        raise ValueError("is no IP address: names cannot be looked up here")
    return text


_Server = Annotated[str, AfterValidator(_server)]
_ServerAddress = Annotated[str, AfterValidator(_serverAddress)]
_ServerAddresses = Annotated[
    Annotated[_ServerAddress, Tag(TAG + "text")]
    | Annotated[list[_ServerAddress], Field(min_length=1), AfterValidator(unique), Tag(TAG + "list")],
    byShape("has to be an IP address, perhaps with a port, or a list of them"),
]
_DYNAMIC = model.DynamicUpdate(Address("", 0))
_RECORDS = model.Records()


class _Records(Section):
    zone: Annotated[str, AfterValidator(names.host)] | None = Field(
        default=None, description="The zone that records belong to. Default: the one that the name is in."
    )
    resolvers: _ServerAddresses | None = Field(
        default=None,
        description="Who is asked for the zone of a name, and whether a CNAME leads elsewhere: IP "
        "addresses, with a port if it is not 53. Default: the resolvers of the system.",
    )
    nameServers: _ServerAddresses | None = Field(
        default=None,
        description="Which servers have to answer with a record before the authority is told of it, "
        "likewise. Default: all servers of the zone.",
    )
    patience: Seconds = Field(
        default=_RECORDS.patience, description="How long that may take until it counts as failed, in seconds."
    )


class Hook(_Records):
    """
    Records are put into the DNS by a program of yours, which is run for each record
    that is to be added, and again when it is to be removed.
    """

    type: Literal["exec"] = Field(description="By a program.")
    command: Annotated[list[Nonempty], Field(min_length=1)] = Field(
        description="The program, by its absolute path or found by PATH, and its arguments; never a shell "
        "command line. What it is to do is in its environment: SMARTPROXY_ACTION (`present` or `cleanup`), "
        "SMARTPROXY_RECORD (the name of the TXT record), SMARTPROXY_VALUE (its text), SMARTPROXY_DOMAIN (the "
        "name to be proved)."
    )
    timeout: Seconds = Field(
        default=model.Hook(("",)).timeout, description="How long it may run until it is ended, in seconds."
    )


class OwnZones(Section):
    """
    Records are answered by the proxy itself, as the name server of zones that are
    there for nothing else. Nobody is asked and nothing has to be changed anywhere.
    """

    type: Literal["zone"] = Field(description="By a name server of its own.")
    zones: Annotated[
        list[Annotated[str, AfterValidator(names.host)]], Field(min_length=1), AfterValidator(unique)
    ] = Field(
        description="The zones that are delegated to it: `_acme-challenge.NAME` itself, or any other, such "
        "as `proofs.example.com`, to which `_acme-challenge.NAME` refers by a CNAME to "
        "`NAME.proofs.example.com`."
    )
    name: Annotated[str, AfterValidator(names.host)] = Field(
        description="The name of this name server, as the delegation has it (NS)."
    )
    listen: _ServerAddresses = Field(
        description="The IP addresses that it answers on by UDP and TCP, one or a list, with a port if it is "
        "not 53; `0.0.0.0` or `::` for all of them."
    )


class DynamicUpdate(_Records):
    """
    Records are put into the DNS by dynamic updates (RFC 2136), which BIND, Knot,
    PowerDNS and others take.
    """

    type: Literal["rfc2136"] = Field(description="By dynamic updates.")
    server: _Server = Field(
        description="The primary server of the zone: an IP address or a name, with a port if it is not 53. "
        "It is spoken to by TCP."
    )
    keyName: Annotated[str, AfterValidator(names.host)] | None = Field(
        default=None, description="What the server calls the key that updates are signed with (TSIG)."
    )
    keyAlgorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1"] = Field(
        default="hmac-sha256", description="What the key is for, as the server has it."
    )
    keySecret: Nonempty | None = Field(
        default=None,
        description="The key itself, in base64: from the environment, as in `${TSIG_KEY}`, rather than "
        "written here.",
    )
    keySecretFile: PathText | None = Field(
        default=None, description="A file that holds just the key, in place of key_secret."
    )
    ttl: Annotated[int, Field(ge=0, le=86400), BeforeValidator(number)] = Field(
        default=_DYNAMIC.ttl, description="Of the records, in seconds."
    )

    @model_validator(mode="after")
    def _hasOneKey(self) -> Self:
        secrets = (self.keySecret is not None) + (self.keySecretFile is not None)
        if secrets != (self.keyName is not None):
            raise ValueError(
                "needs key_name, and the key that belongs to it: either key_secret_file or key_secret"
            )
        if self.keySecret is not None:
            # Not quoted: it is a secret.
            texts.sharedSecret(self.keySecret)
        return self


def _provider(text: str) -> str:
    if not re.fullmatch("[a-z0-9]+", text):
        raise ValueError("is no provider: a word in small letters was expected, such as cloudflare")
    return text


def _optionNamed(options: Any) -> Any:
    """
    Secrets come from elsewhere; this is before they are read, as they lose where they
    come from then.
    """
    if isinstance(options, dict):
        for name, value in options.items():
            if not re.fullmatch("[a-z0-9]+(_[a-z0-9]+)*", str(name)):
                raise ValueError(f"has {str(name)!a}: options are written as auth_token is")
            if lexicon.isSecret(str(name)) and not isinstance(value, FromEnvironment):
                # Not quoted: it is a secret.
                raise ValueError(
                    f'has {name}, which is a secret: take it from the environment, as in "${{NAME}}", or'
                    " name a file that has it in option_files"
                )
    return options


def _optionValue(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_OptionValue = Annotated[
    Annotated[str, Field(min_length=1), Tag(TAG + "text")] | Annotated[bool, Tag(TAG + "claim")],
    Discriminator(
        lambda value: TAG + ("claim" if isinstance(value, bool) else "text"),
    ),
    BeforeValidator(_optionValue),
]


class Lexicon(_Records):
    """
    Records are put into the DNS by a provider of DNS that the library dns-lexicon knows:
    Cloudflare, Route 53, Gandi, Hetzner, OVH and some ninety more.
    """

    type: Literal["lexicon"] = Field(description="By dns-lexicon.")
    provider: Annotated[str, AfterValidator(_provider)] = Field(
        description="What the provider is called there, for instance `cloudflare`."
    )
    options: Annotated[dict[str, _OptionValue], BeforeValidator(_optionNamed)] = Field(
        default_factory=dict,
        description="What the provider wants to know, by the names that the options have there, with "
        "underscores, for instance `auth_token`. Secrets come from the environment, as in `${DNS_TOKEN}`.",
    )
    optionFiles: dict[str, PathText] = Field(
        default_factory=dict, description="For further options a file that holds just the value."
    )
    ttl: Annotated[int, Field(ge=1, le=86400), BeforeValidator(number)] | None = Field(
        default=None,
        description="Of the records, in seconds. Default: that of dns-lexicon, which every provider takes.",
    )
    timeout: Seconds = Field(
        default=model.Lexicon("").timeout, description="How long one change may take, in seconds."
    )


_EventName = Literal["issued", "renewed", "failed"]
_HOOK = model.CertificateHook(("",))


class CertificateHook(Section):
    """
    A program of yours that is run when something has happened to certificates by ACME.
    """

    command: Annotated[list[Nonempty], Field(min_length=1)] = Field(
        description="The program, by its absolute path or found by PATH, and its arguments; never a shell "
        "command line. What has happened is in its environment, and as JSON on its standard input: "
        "SMARTPROXY_EVENT, SMARTPROXY_NAMES, SMARTPROXY_FILE, SMARTPROXY_EXPIRES, SMARTPROXY_SERIAL, "
        "SMARTPROXY_PROBLEM, SMARTPROXY_NEXT_ATTEMPT."
    )
    events: Annotated[
        Annotated[_EventName, Tag(TAG + "text")]
        | Annotated[list[_EventName], Field(min_length=1), AfterValidator(unique), Tag(TAG + "list")],
        byShape("has to be issued, renewed or failed, or a list of them"),
    ] = Field(
        default=list(_HOOK.events),
        description="After what it is run, one or a list: `issued`, the first certificate for just these "
        "names, or the first that this command is told of; `renewed`, one that follows; `failed`, an order "
        "that came to nothing.",
    )
    names: Annotated[
        Annotated[Domain, Tag(TAG + "text")]
        | Annotated[list[Domain], Field(min_length=1), AfterValidator(unique), Tag(TAG + "list")],
        byShape("has to be a name or a list of names"),
    ] = Field(
        default_factory=list,
        description="Only for certificates that are for one of these, one or a list, each as the routes have "
        "it. Default: for all.",
    )
    timeout: Seconds = Field(
        default=_HOOK.timeout,
        description="How long it may run until it is killed, with all that it has started, in seconds.",
    )


class Fallback(Section):
    """
    Another authority.
    """

    directory: Annotated[str, AfterValidator(texts.directory)] = Field(
        description="As `directory` of `acme`; each authority once."
    )
    email: Annotated[str, AfterValidator(texts.email)] | None = Field(
        default=None, description="Where this one may write to. Default: as `email` of `acme`."
    )
    caFile: PathText | None = Field(default=None, description="As `ca_file` of `acme`.")
    externalAccount: ExternalAccount | None = Field(
        default=None, description="As `external_account` of `acme`."
    )
    profile: Nonempty | None = Field(default=None, description="As `profile` of `acme`.")


_PREFLIGHT = model.Preflight()
_Mode = Literal["advisory", "strict", "off"]


class Preflight(Section):
    """
    Whether it is looked beforehand if an order can succeed.
    """

    mode: _Mode = Field(
        default=_PREFLIGHT.mode,
        description="`advisory`: beside the order, and what is in the way is told; `strict`: before it, and "
        "no order is placed while something is in the way; `off`: not at all.",
    )
    resolvers: _ServerAddresses | None = Field(
        default=None,
        description="Who is asked about names: IP addresses, with a port if it is not 53. For machines whose "
        "own resolvers answer otherwise than the world's. Default: those of `dns`, else those of the system.",
    )
    httpPort: Port = Field(
        default=_PREFLIGHT.httpPort,
        description="The port that the authority comes to for http-01. Only a private authority, for tests, "
        "comes to another one than 80.",
    )
    tlsPort: Port = Field(
        default=_PREFLIGHT.tlsPort,
        description="The port that the authority comes to for tls-alpn-01; likewise 443.",
    )


class Acme(Section):
    """
    Where certificates are had automatically, and how names are proved.  Asking
    for one agrees to the terms of the authority.
    """

    email: Annotated[str, AfterValidator(texts.email)] | None = Field(
        default=None, description="Where the authority may write to."
    )
    directory: Annotated[str, AfterValidator(texts.directory)] = Field(
        default="letsencrypt",
        validate_default=True,
        description="`letsencrypt`, `letsencrypt-staging` or the URL of a directory; https, on this "
        "machine also http.",
    )
    caFile: PathText | None = Field(
        default=None,
        description="PEM bundle to trust for the HTTPS of the directory in place of the system's; for "
        "private "
        "authorities.",
    )
    externalAccount: ExternalAccount | None = Field(
        default=None,
        description="What binds the account to one that you have with the authority (external account "
        "binding), for authorities that demand it.",
    )
    profile: Nonempty | None = Field(
        default=None,
        description="The kind of certificate to ask for, one that the authority lists in its directory. "
        "Default: `shortlived` for IP addresses where it lists that, otherwise what it gives by itself.",
    )
    challenges: (
        Annotated[
            list[Literal["http-01", "tls-alpn-01", "dns-01"]], Field(min_length=1), AfterValidator(unique)
        ]
        | None
    ) = Field(
        default=None,
        description="How names may be proved, the preferred way first; of those that the authority offers "
        "for a name. Wildcards can be proved by dns-01 only. "
        "Default: `[http-01, tls-alpn-01]`, and dns-01 where there is `dns`.",
    )
    dns: (
        Annotated[
            Annotated[DynamicUpdate, Tag(TAG + "rfc2136")]
            | Annotated[Hook, Tag(TAG + "exec")]
            | Annotated[Lexicon, Tag(TAG + "lexicon")]
            | Annotated[OwnZones, Tag(TAG + "zone")],
            byKey("type", "rfc2136, lexicon, exec or zone was expected"),
        ]
        | None
    ) = Field(default=None, description="How records are put into the DNS, for dns-01.")
    preflight: Annotated[
        Annotated[_Mode, Tag(TAG + "text")] | Annotated[Preflight, Tag(TAG + "mapping")],
        byShape("has to be advisory, strict or off, or a mapping"),
    ] = Field(
        default=_PREFLIGHT.mode,
        description="Whether it is looked beforehand if an order can succeed: `advisory` (beside the order, "
        "and what is in the way is told), `strict` (before it, and no order is placed while something is in "
        "the way), `off`; or a mapping.",
    )
    keyType: model.KeyType = Field(
        default=_ACME.keyType,
        description="What the keys of the certificates are: `ecdsa`, on P-256, which every browser of "
        "today takes; `rsa` (2048 bits) or `rsa-3072`, for clients that know nothing else, at many "
        "times the work for each handshake; `both`: two certificates for the same names, `ecdsa` and "
        "`rsa`, of which a client gets the one that it takes, for two orders instead of one. What is "
        "there keeps its key until it is renewed.",
    )
    fallbacks: list[Fallback] = Field(
        default_factory=list,
        description="Other authorities, asked in this order for a certificate that the one before cannot "
        "give.",
    )
    hooks: list[CertificateHook] = Field(
        default_factory=list,
        description="Programs of yours that are run after a certificate was issued or renewed, or after an "
        "order failed; one after another for each certificate.",
    )
    httpPort: Port = Field(
        default=_ACME.httpPort,
        description="The local port where http-01 is answered and where `sites` redirect to https. The "
        "authority "
        "connects to 80: another number needs something in front that forwards 80 to it.",
    )
    tlsPort: Port = Field(
        default=_ACME.tlsPort,
        description="The local port where tls-alpn-01 is answered and where `sites` are served; "
        "likewise 443.",
    )


class File(Section):
    """
    A whole configuration.
    """

    include: PathTexts = Field(
        default_factory=list,
        description="Other files whose `routes` and `sites` are added to those of this one, and whose "
        "other settings "
        "count as if they stood here; each setting may stand in one file only. One or a list, relative "
        "to the "
        "directory of this file; `*` stands for any part of a name.",
    )
    bind: IPAddresses | None = Field(
        default=None,
        description="The IP addresses that every port is bound on, one or a list. Default: all, IPv4 "
        "and IPv6.",
    )
    stateDir: PathText | None = Field(
        default=None,
        description="The directory for accounts, certificates and the local authority, relative to the "
        "directory of "
        "this file. Default: $STATE_DIRECTORY (systemd), else /var/lib/smartproxy for root, else "
        "$XDG_STATE_HOME/smartproxy or ~/.local/state/smartproxy.",
    )
    workers: Annotated[
        Annotated[Annotated[int, Field(ge=1, le=256), BeforeValidator(number)], Tag(TAG + "number")]
        | Annotated[Literal["auto"], Tag(TAG + "text")],
        byShape("has to be a number, or auto"),
    ] = Field(
        default=1,
        description="How many processes move bytes: with 1 the one that was started, otherwise so many "
        "beside it, which share the ports. `auto` is one for each CPU that may be used.",
    )
    accessLog: AccessLog = Field(default_factory=AccessLog, description="Where each request leaves its line.")
    admin: _Admin = Field(
        default_factory=Admin,
        description="The unix socket by which commands such as `smartproxy status` speak to the running "
        "proxy: only root and the user who runs it may. `off`: there is none.",
    )
    metrics: Metrics | None = Field(
        default=None,
        description="Where Prometheus has its figures from; the admin socket has them in any case. Default: "
        "nowhere else.",
    )
    log: Log = Field(default_factory=Log, description="How events are written.")
    timeouts: Timeouts = Field(default_factory=Timeouts, description="How long things may take.")
    limits: Limits = Field(default_factory=Limits, description="How much is taken.")
    trustedProxies: Networks = Field(
        default_factory=list,
        description="Addresses and networks (`10.0.0.0/8`), one or a list, whose X-Forwarded-For and "
        "similar fields "
        "are believed. From all others these fields are removed.",
    )
    proxyProtocol: ProxyProtocol | None = Field(
        default=None,
        description="Where a load balancer in front sends the client's address by the PROXY protocol. "
        "Default: nowhere.",
    )
    requestId: Claim = Field(
        default=True,
        description="Every request goes to its target with an X-Request-ID of its own, which the json access "
        "log has too, and the answers that the proxy gives in place of a failed target. One that came is "
        "believed from trusted_proxies only. false: that field is passed on like any other.",
    )
    errorPages: ErrorPages | None = Field(
        default=None,
        description="As `error_pages` of a route, for all of them and for what no route takes.",
    )
    pythonPath: PathTexts | None = Field(
        default=None,
        description="Directories, one or a list, where modules that are named here (`python:module.name`) "
        "are looked for, after those where Python looks by itself; relative to the directory of this file. "
        "Default: the directory of this file.",
    )
    http2PriorKnowledge: Claim = Field(
        default=False,
        alias="http2_prior_knowledge",
        description="Whether clients may speak HTTP/2 on ports without TLS, by just beginning with it "
        "(RFC 9113 section 3.3), as gRPC and load balancers do. With TLS it is agreed on by ALPN: see "
        "`http2` there.",
    )
    watch: Claim = Field(
        default=False,
        description="Read the configuration again whenever one of its files has changed, as on SIGHUP. "
        "A file that is wrong changes nothing.",
    )
    acme: Acme = Field(default_factory=Acme, description="Where certificates are had automatically.")
    defaults: protection.Defaults = Field(
        default_factory=protection.Defaults,
        description="What routes and sites ask for that do not say otherwise.",
    )
    sites: dict[_SiteName, _SiteValue] = Field(
        default_factory=dict,
        description="Names that are served by HTTPS with a certificate, and redirected to it from "
        "plain HTTP. The "
        "value is a target such as `127.0.0.1:3000`, or a mapping.",
    )
    routes: list[Route] = Field(default_factory=list, description="The rules, in full.")


class _Generator(GenerateJsonSchema):
    """
    JSON Schema of what can be written, rather than of what pydantic makes of it.
    """

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """
        No option takes null: None is only how a model says that it was left out.
        """
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """
        For the same reason None is no default.
        """
        made = super().default_schema(schema)
        if made.get("default", 0) is None:
            del made["default"]
        return made

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """
        Plug-ins are of one machine, and have a language of their own.
        """
        choices = {tag: each for tag, each in schema["choices"].items() if tag != PLUGIN}
        return super().tagged_union_schema({**schema, "choices": choices})

    def field_title_should_be_set(self, schema: Any) -> bool:
        """
        The names of fields say enough.
        """
        return False


def _tidied(value: Any) -> Any:
    """
    The same with every description on one line.
    """
    if isinstance(value, list):
        return [_tidied(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: _tidied(item) for key, item in value.items()}
    if isinstance(made.get("description"), str):
        made["description"] = " ".join(made["description"].split())
    return made


def jsonSchema() -> dict[str, Any]:
    """
    The language as JSON Schema (2020-12), for editors and other programs.

    @return: A schema with every option in snake_case, its type, bounds, default
        and meaning.  What depends on several options, on the environment or on
        files is for C{smartproxy check} to say.
    """
    made: dict[str, Any] = _tidied(File.model_json_schema(by_alias=True, schema_generator=_Generator))
    made["title"] = "smartproxy configuration"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
