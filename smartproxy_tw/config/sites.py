"""
The short form: a name, and where its requests go.

A site becomes ordinary routes: HTTPS on C{acme.tls_port}, a redirect to it from
plain HTTP on C{acme.http_port}, and, when asked for, the same two for
C{www.NAME}, redirecting to the name itself.  C{www.NAME} has a certificate of
its own, so that a www record that is missing never delays the site.

Redirects go to port 443 of the name, whatever C{acme.tls_port} is: where a public
authority issues, or files are used, 443 leads here.  Only where nobody but this
machine or its neighbours can be meant (a local certificate, a directory on the
loopback interface) the redirect names C{acme.tls_port}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any, Literal

from ..values import dataclass
from . import texts
from .model import (
    TLS,
    Acme,
    Action,
    Auto,
    CertificateSource,
    Files,
    Forward,
    Internal,
    Redirect,
    Route,
)

__all__ = ["Site", "expand"]


@dataclass(frozen=True, slots=True)
class Site:
    """
    What the short form says.

    @ivar name: A normal form of L{names.pattern}.
    @ivar forward: Where its requests go.
    @ivar hasWWW: Whether C{www.NAME} redirects here.
    @ivar certificate: Where certificates come from.
    @ivar line: Where the site stands in its file.
    @ivar asked: What else its requests and answers are to undergo, as fields of L{Route}; not those
        that are redirected to it.
    """

    name: str
    forward: Forward
    hasWWW: bool = False
    certificate: Literal["auto", "internal"] | Files = "auto"
    line: int = 0
    asked: Mapping[str, Any] = field(default_factory=dict)


def _source(site: Site, name: str) -> CertificateSource:
    if isinstance(site.certificate, Files):
        return site.certificate
    return Auto((name,)) if site.certificate == "auto" else Internal((name,))


def _port(site: Site, acme: Acme) -> str:
    """
    What a redirect has to put behind the name.
    """
    isLocal = site.certificate == "internal" or (
        site.certificate == "auto" and texts.isOnLoopback(acme.directory)
    )
    return f":{acme.tlsPort}" if isLocal and acme.tlsPort != 443 else ""


def expand(site: Site, acme: Acme) -> tuple[Route, ...]:
    """
    The routes that a site stands for.

    @param site: The site.
    @param acme: For its ports, and for whom the directory serves.
    @return: Two routes, or four.
    """
    port = _port(site, acme)

    def route(name: str, domain: str, action: Action, isTLS: bool) -> Route:
        return Route(
            name=name,
            ports=(acme.tlsPort if isTLS else acme.httpPort,),
            action=action,
            protocol="http",
            domains=(domain,),
            tls=TLS("terminate", _source(site, domain)) if isTLS else None,
            line=site.line,
        )

    toHTTPS = Redirect(f"https://{{domain}}{port}{{path}}")
    made = [
        replace(route(site.name, site.name, site.forward, isTLS=True), **site.asked),
        route(f"{site.name} (to https)", site.name, toHTTPS, isTLS=False),
    ]
    if site.hasWWW:
        www = f"www.{site.name}"
        toSite = Redirect(f"https://{site.name}{port}{{path}}")
        made.append(route(www, www, toSite, isTLS=True))
        made.append(route(f"{www} (to https)", www, toSite, isTLS=False))
    return tuple(made)
