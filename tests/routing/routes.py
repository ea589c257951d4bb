"""
Short ways to write routes for tests of routing.
"""

from __future__ import annotations

from typing import Any

from smartproxy_tw.config.model import TLS, Auto, Config, Forward, Internal, Respond, Route, Target

__all__ = [
    "PASSTHROUGH",
    "TERMINATE",
    "configure",
    "forward",
    "http",
    "https",
    "passthrough",
    "tcp",
    "tlsTCP",
]

PASSTHROUGH = TLS("passthrough")
TERMINATE = TLS("terminate", Internal(()))

forward = Forward((Target("127.0.0.1", 3000),))


def configure(*routes: Route, **more: Any) -> Config:
    """
    A configuration with these routes.
    """
    return Config(routes, "/var/lib/example", **more)


def _certified(name: str, domains: tuple[str, ...], more: dict[str, Any]) -> TLS:
    tls = more.pop("tls", None)
    assert tls is None or isinstance(tls, TLS)
    return tls or TLS("terminate", Auto(domains) if domains else Internal((name,)))


def http(name: str, *domains: str, port: int = 80, path: str | None = None, **more: Any) -> Route:
    """
    A route for plain HTTP.
    """
    ports = more.pop("ports", (port,))
    return Route(name, ports, more.pop("action", Respond()), "http", domains, path, **more)


def https(name: str, *domains: str, port: int = 443, path: str | None = None, **more: Any) -> Route:
    """
    A route for HTTP over TLS that ends here.
    """
    tls = _certified(name, domains, more)
    return http(name, *domains, port=port, path=path, tls=tls, **more)


def passthrough(name: str, *domains: str, port: int = 443, **more: Any) -> Route:
    """
    A route that leaves TLS alone.
    """
    ports = more.pop("ports", (port,))
    return Route(name, ports, more.pop("action", forward), "tcp", domains, tls=PASSTHROUGH, **more)


def tlsTCP(name: str, *domains: str, port: int = 443, **more: Any) -> Route:
    """
    A route that ends TLS for any protocol.
    """
    return Route(name, (port,), forward, "tcp", domains, tls=_certified(name, domains, more), **more)


def tcp(name: str, *domains: str, port: int = 25, **more: Any) -> Route:
    """
    A plain TCP route.
    """
    ports = more.pop("ports", (port,))
    return Route(name, ports, more.pop("action", forward), "tcp", domains, **more)
