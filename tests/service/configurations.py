"""
Configurations that the tests of the service share.
"""

from __future__ import annotations

from collections.abc import Sequence

from smartproxy_tw.config.model import (
    TLS,
    AccessLog,
    Acme,
    Auto,
    CertificateSource,
    Config,
    Respond,
    Route,
)


def route(name: str, source: CertificateSource | None, *, port: int = 443) -> Route:
    """
    A route that answers by itself.
    """
    return Route(
        name=name,
        ports=(port,),
        action=Respond(body="ok"),
        protocol="http",
        domains=tuple(getattr(source, "names", ())),
        tls=None if source is None else TLS("terminate", source),
    )


def configuration(
    stateDir: str,
    *sources: CertificateSource | None,
    port: int = 443,
    bind: Sequence[str] = ("127.0.0.1",),
    acme: Acme | None = None,
    drain: float = 30.0,
) -> Config:
    """
    One route for each source of a certificate.
    """
    from smartproxy_tw.config.model import Timeouts

    return Config(
        routes=tuple(route(f"route{place}", source, port=port) for place, source in enumerate(sources)),
        stateDir=stateDir,
        bind=tuple(bind),
        accessLog=AccessLog("off"),
        acme=acme or Acme(),
        timeouts=Timeouts(drain=drain),
    )


SHOP = Auto(("shop.example",))
BLOG = Auto(("blog.example", "www.blog.example"))
