"""
Routes as the loader settled them, as plain values for programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..config.expressions import isSecret
from ..config.model import (
    Application,
    Auto,
    Block,
    CertificateSource,
    Conditions,
    Files,
    FileTree,
    Forward,
    Plugin,
    Redirect,
    Respond,
    Route,
    Several,
)
from ..config.runs import runs
from ..config.wards import asked as asking

if TYPE_CHECKING:
    from .explain import Verdict

__all__ = ["entry", "verdict"]


def entry(route: Route, place: int) -> Mapping[str, Any]:
    """
    One route.

    @param place: Its place among all, from 1: what is before others where nothing else
        decides.
    """
    return {
        "name": route.name,
        "line": route.line or None,
        "ports": _ports(route.ports),
        "protocol": route.protocol,
        "match": _match(route),
        "action": _action(route),
        "tls": _tls(route),
        "guards": list(asking(route)),
        "precedence": {
            "priority": route.priority,
            "domain": _mostExact(route.domains),
            "path": _kindOf(route.path),
            "conditions": _count(route.conditions),
            "place": place,
        },
    }


def _match(route: Route) -> Mapping[str, Any]:
    asked = route.conditions
    return {
        "domains": list(route.domains),
        "path": route.path,
        "headers": _named(asked.headers),
        "query": _named(asked.query),
        "method": list(asked.methods),
        "client_ip": list(asked.clients),
        "tls_version": list(asked.tlsVersions),
    }


def _named(some: tuple[tuple[str, tuple[str, ...]], ...]) -> list[Any]:
    """
    What header fields or parameters have to be; C{None} for what is a secret.
    """
    return [{"name": name, "values": None if isSecret(name) else list(texts)} for name, texts in some]


def _count(asked: Conditions) -> int:
    """
    How many conditions there are, as L{Rule<smartproxy_tw.routing.rule.Rule>} counts them.
    """
    single = (asked.methods, asked.clients, asked.tlsVersions)
    return len(asked.headers) + len(asked.query) + sum(map(bool, single))


def verdict(said: Verdict) -> Mapping[str, Any]:
    """
    What one route says to a URL.
    """
    return {"route": said.route.name, "line": said.route.line or None, "reason": said.reason}


def _ports(ports: tuple[int, ...]) -> list[Any]:
    """
    As a configuration has them.
    """
    return [first if first == last else {"from": first, "to": last} for first, last in runs(ports)]


def _mostExact(domains: tuple[str, ...]) -> str:
    if any("*" not in each for each in domains):
        return "exact"
    return "wildcard" if any(each != "*" for each in domains) else "any"


def _kindOf(path: str | None) -> str:
    if path is None:
        return "any"
    if "/:" in path:
        return "pattern"
    return "prefix" if path.endswith("/*") else "exact"


def _action(route: Route) -> Mapping[str, Any]:
    action = route.action
    if isinstance(action, Forward):
        tls = action.tls
        dynamic = [str(each.dynamic) for each in action.groups if each.dynamic is not None]
        return {
            "type": "forward",
            "targets": [str(each) for each in action.targets] + dynamic,
            "weights": [each.weight for each in action.targets],
            "load_balancing": action.balance.algorithm,
            "tls": None if tls is None else {"verify": tls.verify, "server_name": tls.serverName},
        }
    if isinstance(action, Redirect):
        return {"type": "redirect", "status": action.status, "to": action.to}
    if isinstance(action, Respond):
        return {"type": "respond", "status": action.status, "bytes": len(action.body.encode())}
    if isinstance(action, Plugin):
        return {"type": action.name}
    if isinstance(action, FileTree):
        return {"type": "files", "root": action.root}
    if isinstance(action, Application):
        return {"type": "socket", "kind": action.kind, "factory": action.factory}
    assert isinstance(action, Block)
    return {"type": "block", "status": action.status, "reset": action.isReset}


def _tls(route: Route) -> Mapping[str, Any] | None:
    if route.tls is None:
        return None
    certificate = route.tls.certificate
    return {
        "mode": route.tls.mode,
        "certificate": None if certificate is None else _certificate(certificate),
    }


def _certificate(source: CertificateSource | Several) -> Mapping[str, Any]:
    if isinstance(source, Several):
        return {"source": "auto", "names": list(source.names), "keys": [each.key for each in source.parts]}
    if isinstance(source, Files):
        return {"source": "files", "names": [], "keys": [source.key]}
    kind = "auto" if isinstance(source, Auto) else "internal"
    return {"source": kind, "names": list(source.names), "keys": [source.key]}
