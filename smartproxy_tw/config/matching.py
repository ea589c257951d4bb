"""
What can be asked for in a configuration, as pydantic models: the C{match} of a route, and what
it has in common with that of a target.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field

from . import clients, texts
from .expressions import expression
from .pluggable import Pluggable
from .ports import Ports
from .section import TAG, Domains, OneOrMore, byShape

__all__ = [
    "Clients",
    "Expressions",
    "Match",
    "MatchedField",
    "Methods",
    "Version",
    "Versions",
]


def _client(text: str) -> str:
    return clients.client(text).text


def _expression(text: str) -> str:
    expression(text)
    return text


def _version(value: Any) -> Any:
    """
    Without quotes a version reads as a number.
    """
    return str(value) if type(value) is float else value


def _matchedField(text: str) -> str:
    # As it was written, so that two spellings of one name do not become one key here.
    texts.matchedField(text)
    return text


MatchedField = Annotated[str, AfterValidator(_matchedField)]
Client = Annotated[str, AfterValidator(_client)]
Clients = Annotated[
    OneOrMore[Client], byShape("has to be an address, a network, a range, a glob or a list of these")
]
Expression = Annotated[str, AfterValidator(_expression)]
Expressions = Annotated[
    OneOrMore[Expression],
    byShape("has to be a text (numbers in quotes), a glob, a /regular expression/ or a list of these"),
]
Method = Annotated[str, AfterValidator(texts.method)]
Methods = Annotated[OneOrMore[Method], byShape("has to be a method or a list of methods")]
Version = Annotated[Literal["1.2", "1.3"], BeforeValidator(_version)]
Versions = Annotated[
    OneOrMore[Version],
    Discriminator(
        lambda value: TAG + ("list" if isinstance(value, list) else "text"),
    ),
]


class Match(Pluggable):
    """
    Which connections and requests a route takes.
    """

    ports: Ports = Field(
        description="The local ports: a number, a range `{from: 993, to: 995}`, or a list of both. "
        "Any number of routes can share a port."
    )
    domains: Domains | None = Field(
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
