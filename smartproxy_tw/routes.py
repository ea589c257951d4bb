"""
Routes by what they are for, for programs that make their configuration in Python.

Each function here gives frozen L{Route<smartproxy_tw.config.model.Route>} values, held to
the very checks that a file is held to: what is wrong is a L{RouteError} that names the
argument.  Where targets are expected there may be what files have (a text, a port,
a mapping), a L{Target<smartproxy_tw.config.model.Target>}, or a function of the facts, itself or by its
name: see L{smartproxy_tw.actions.decision}.

    >>> from smartproxy_tw.routes import completeHTTPSServer
    >>> [route.name for route in completeHTTPSServer("shop.example", "127.0.0.1:3000")]
    ['shop.example', 'shop.example (to HTTPS)']
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, replace
from typing import Any, Literal, TypedDict, Unpack

from .config.dotted import PREFIX, Reference
from .config.model import Config, Files, Forward, ProxyHeader, Route, Target

__all__ = [
    "Asked",
    "AskedBesides",
    "Certificate",
    "Forwarded",
    "ForwardedBesides",
    "RouteError",
    "Sent",
    "TargetLike",
    "api",
    "clone",
    "completeHTTPSServer",
    "dynamic",
    "http",
    "httpsPassthrough",
    "httpsTerminate",
    "loadBalancer",
    "merge",
    "offsetPortMapping",
    "portMapping",
    "redirectToHTTPS",
    "together",
    "webSocket",
]

#: What can be a target.
TargetLike = str | int | Target | Reference | Callable[[Any], Any] | Mapping[str, Any]

#: Where a certificate can come from.
Certificate = Literal["auto", "internal"] | Files

#: What a function that is handed in is called while the rest is read.
_GIVEN = "given"


class RouteError(ValueError):
    """
    A route that cannot be; the text is the whole message, a line for each mistake.

    @ivar problems: For each mistake the argument, as far as it is one's, and what is wrong.
    """

    def __init__(self, maker: str, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__(
            "\n".join(f"{maker}(): {where}{': ' if where else ''}{what}" for where, what in problems)
        )
        self.problems = tuple(problems)


class AskedBesides(TypedDict, total=False):
    """
    What every function here takes besides.

    @ivar name: Of the route; by default made from what it matches.
    @ivar headers: Names, and what a value has to match, one or several, as in files; likewise
        those that follow.
    @ivar query: Likewise.
    @ivar methods: Those that are taken.
    @ivar clients: Who is served.
    @ivar tlsVersions: As C{match.tls_version} in files.
    @ivar priority: Higher is asked first.
    @ivar timeouts: What a route in a file has under that name, with the keys that are used there;
        likewise all that follow.
    @ivar webSocket: C{websocket}: how long WebSockets last, and whose pages may open them.
    @ivar limits: How long bodies may be.
    @ivar security: Who may use it, and how much.
    @ivar cors: Whose pages may.
    @ivar securityHeaders: C{security_headers}.
    @ivar headerChanges: C{headers}, which are other than the ones above: what is changed in those
        of requests and answers.
    @ivar rewrite: What is changed in paths and queries.
    @ivar compress: What is compressed.
    @ivar errorPages: C{error_pages}.
    """

    name: str
    headers: Mapping[str, str | Sequence[str]]
    query: Mapping[str, str | Sequence[str]]
    methods: Sequence[str]
    clients: Sequence[str]
    tlsVersions: str | Sequence[str]
    priority: int
    timeouts: Mapping[str, Any]
    webSocket: Mapping[str, Any]
    limits: Mapping[str, Any]
    security: Mapping[str, Any]
    cors: Mapping[str, Any]
    securityHeaders: str | Mapping[str, Any]
    headerChanges: Mapping[str, Any]
    rewrite: Mapping[str, Any]
    compress: bool | Mapping[str, Any]
    errorPages: Mapping[Any, Any]


class Sent(TypedDict, total=False):
    """
    What the functions that forward take besides, as an C{action} of files has it.

    @ivar loadBalancing: C{load_balancing}: who is next, whose target a client has.
    @ivar health: Which targets are looked at, and which are passed over.
    @ivar pool: How many connections there may be to a target, and who waits.
    @ivar protocol: How HTTP is spoken to targets.
    @ivar sendProxyProtocol: C{send_proxy_protocol}: whether targets are told who the client is.
    @ivar tls: Further keys of C{tls}, where TLS ends here: C{min_version}, C{ciphers},
        C{client_certificates}, C{server_name} and so on.
    """

    loadBalancing: str | Mapping[str, Any]
    health: Mapping[str, Any]
    pool: Mapping[str, Any]
    protocol: Literal["http/1.1", "h2", "h2c", "auto"]
    sendProxyProtocol: str | Mapping[str, Any]
    tls: Mapping[str, Any]


class Asked(AskedBesides, total=False):
    """
    The same, where the path is not an argument of its own.

    @ivar path: As C{match.path} in files.
    """

    path: str


class Forwarded(Asked, Sent, total=False):
    """
    Both: what is asked for, and how it goes on.
    """


class ForwardedBesides(AskedBesides, Sent, total=False):
    """
    The same, where the path is not an argument of its own.
    """


#: What an argument is called in a file, below C{match}, in the route, and below C{action}.
_MATCHED = {
    "path": "path",
    "headers": "headers",
    "query": "query",
    "methods": "method",
    "clients": "client_ip",
    "tlsVersions": "tls_version",
}
_KEPT = {
    "name": "name",
    "priority": "priority",
    "timeouts": "timeouts",
    "webSocket": "websocket",
    "limits": "limits",
    "security": "security",
    "cors": "cors",
    "securityHeaders": "security_headers",
    "headerChanges": "headers",
    "rewrite": "rewrite",
    "compress": "compress",
    "errorPages": "error_pages",
}
_SENT = {
    "loadBalancing": "load_balancing",
    "health": "health",
    "pool": "pool",
    "protocol": "protocol",
    "sendProxyProtocol": "send_proxy_protocol",
}

#: Where in a file each argument stands.
_PLACES = {
    "match.ports": "ports",
    "match.domains": "domains",
    **{f"match.{theirs}": ours for ours, theirs in _MATCHED.items()},
    **{f"action.{theirs}": ours for ours, theirs in _SENT.items()},
    **{theirs: ours for ours, theirs in _KEPT.items()},
    "action.targets": "targets",
    "action.tls.certificate": "certificate",
    "action.decision_timeout": "timeout",
    "action.status": "status",
    "action.to": "httpsPort",
    "action.tls": "tls",
}


class _Making:
    """
    One call of one function.
    """

    def __init__(self, maker: str, byDNS: bool = False) -> None:
        self._maker = maker
        self._byDNS = byDNS
        self._given: list[Callable[[Any], Any]] = []

    def refuse(self, argument: str, what: str) -> RouteError:
        """
        What to raise for a mistake that is found here.
        """
        return RouteError(self._maker, [(argument, what)])

    def targets(self, written: TargetLike | Sequence[TargetLike]) -> Any:
        """
        As a file has them.
        """
        if isinstance(written, Sequence) and not isinstance(written, str):
            return [self._target(each) for each in written]
        return self._target(written)

    def _target(self, written: TargetLike) -> Any:
        if isinstance(written, str | int):
            return written
        if isinstance(written, Target):
            header = {"send_proxy_protocol": _header(written.proxyHeader)} if written.proxyHeader else {}
            if written.protocol != "http/1.1":
                header["protocol"] = written.protocol
            if written.port == 0:
                return {"unix": written.host, **header}
            return {"host": written.host, "port": written.port or "preserve", **header}
        if isinstance(written, Mapping):
            return {key: self._named(value) for key, value in written.items()}
        if not isinstance(written, Reference) and not callable(written):
            raise self.refuse("targets", f"{written!r} can be no target")
        return self._named(written)

    def _named(self, value: Any) -> Any:
        if isinstance(value, Reference):
            return str(value)
        if not callable(value):
            return value
        self._given.append(value)
        return f"{PREFIX}{_GIVEN}.n{len(self._given) - 1}"

    def route(
        self, ports: Any, domains: Any, action: dict[str, Any], asked: Mapping[str, Any], **more: Any
    ) -> Route:
        """
        Read it.

        @param more: Further keys of C{match}.
        @raise RouteError: Something is wrong with it.
        """
        isForward = action["type"] == "forward"
        known = {*_MATCHED, *_KEPT, *((*_SENT, "tls") if isForward else ())}
        unknown = [each for each in asked if each not in known]
        if unknown:
            raise RouteError(self._maker, [(each, "is no argument of it") for each in unknown])
        action = {**action, **{_SENT[key]: _plain(asked[key]) for key in asked.keys() & _SENT.keys()}}
        if "tls" in asked:
            action["tls"] = self._tls(action.get("tls"), asked["tls"])
        match: dict[str, Any] = {"ports": ports, **more}
        if domains is not None:
            match["domains"] = _plain(domains)
        for ours, theirs in _MATCHED.items():
            if ours in asked:
                value: Any = asked[ours]
                if isinstance(value, Mapping):
                    value = {**match.get(theirs, {}), **{key: _plain(each) for key, each in value.items()}}
                match[theirs] = _plain(value)
        written: dict[str, Any] = {"match": match, "action": action}
        written.update({theirs: asked[ours] for ours, theirs in _KEPT.items() if ours in asked})
        (found,) = self._read({"routes": [written], "admin": "off"}).routes
        return self._filled(replace(found, line=0))

    def _tls(self, own: Mapping[str, Any] | None, further: Any) -> Mapping[str, Any]:
        if own is None or own["mode"] == "passthrough":
            raise self.refuse("tls", "needs TLS that ends here")
        taken = own.keys() & dict(further).keys()
        if taken:
            raise self.refuse(f"tls.{min(taken)}", "is an argument of its own")
        return {**own, **further}

    def _read(self, whole: dict[str, Any]) -> Config:
        # Reading needs pydantic, which a program that has files only may never need here.
        from .config.errors import ConfigError
        from .config.loading import loads

        if self._byDNS:
            zone = {"type": "zone", "zones": ["zone.invalid"], "name": "ns.invalid", "listen": "127.0.0.1:53"}
            whole["acme"] = {"dns": zone}
        try:
            text = json.dumps(whole)
        except (TypeError, ValueError) as why:
            raise self.refuse("", f"has an argument of a wrong kind: {why}") from None
        try:
            return loads(text.replace("${", "$${"), "json", os.getcwd(), environ={"STATE_DIRECTORY": "/"})
        except ConfigError as why:
            raise RouteError(
                self._maker, [(_argument(each.path), each.message) for each in why.problems]
            ) from None

    def _filled(self, route: Route) -> Route:
        action = route.action
        if not self._given or not isinstance(action, Forward):
            return route
        branches = tuple(replace(each, forward=self._forward(each.forward)) for each in action.branches)
        return replace(route, action=replace(self._forward(action), branches=branches))

    def _forward(self, forward: Forward) -> Forward:
        dynamic = forward.dynamic
        if dynamic is None:
            return forward
        found = {each: self._meant(getattr(dynamic, each)) for each in ("decide", "host", "port")}
        return replace(forward, dynamic=replace(dynamic, **found))

    def _meant(self, value: Any) -> Any:
        room, _, number = value.name.partition(".n") if isinstance(value, Reference) else ("", "", "")
        return self._given[int(number)] if room == _GIVEN else value


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | Mapping) else list(value)


def _header(header: ProxyHeader) -> Any:
    found: dict[str, Any] = {"version": f"v{header.version}"}
    return {**found, "tlvs": list(header.tlvs)} if header.tlvs else found


def _argument(path: str) -> str:
    bare = path.removeprefix("routes[0]").removeprefix(".")
    for place, name in _PLACES.items():
        if bare == place or bare.startswith((f"{place}.", f"{place}[")):
            return name + bare[len(place) :]
    return bare


def _certificate(certificate: Certificate) -> Any:
    if isinstance(certificate, Files):
        return {"cert": certificate.certificate, "key": certificate.privateKey}
    return certificate


def http(
    domains: str | Sequence[str] | None,
    targets: TargetLike | Sequence[TargetLike],
    *,
    ports: int | Sequence[int] = 80,
    **asked: Unpack[Forwarded],
) -> Route:
    """
    Plain HTTP, forwarded.

    @param domains: The names asked for, as C{match.domains}; L{None}: whatever is asked for.
    @param targets: Where to: one, or several that take turns.
    @param ports: Where it is served.
    @raise RouteError: It cannot be; likewise of those that follow.
    """
    making = _Making("http")
    action = {"type": "forward", "targets": making.targets(targets)}
    return making.route(_plain(ports), domains, action, asked, protocol="http")


def httpsTerminate(
    domains: str | Sequence[str] | None,
    targets: TargetLike | Sequence[TargetLike],
    *,
    ports: int | Sequence[int] = 443,
    certificate: Certificate = "auto",
    reencrypt: bool = False,
    byDNS: bool = False,
    **asked: Unpack[Forwarded],
) -> Route:
    """
    HTTPS that ends here, forwarded.

    @param domains: As of L{http}; with C{certificate="auto"} there have to be some.
    @param targets: As of L{http}.
    @param ports: Where it is served.
    @param certificate: C{"auto"}: by ACME; C{"internal"}: by the local authority; or files.
    @param reencrypt: Whether the targets are spoken to by verified TLS, too.
    @param byDNS: Whether names can be proved by dns-01, so that there can be wildcards.
    """
    making = _Making("httpsTerminate", byDNS)
    return _terminated(making, domains, targets, ports, certificate, reencrypt, asked)


def _terminated(
    making: _Making,
    domains: str | Sequence[str] | None,
    targets: TargetLike | Sequence[TargetLike],
    ports: int | Sequence[int],
    certificate: Certificate,
    reencrypt: bool,
    asked: Mapping[str, Any],
    **match: Any,
) -> Route:
    tls = {
        "mode": "terminate-and-reencrypt" if reencrypt else "terminate",
        "certificate": _certificate(certificate),
    }
    action = {"type": "forward", "targets": making.targets(targets), "tls": tls}
    return making.route(_plain(ports), domains, action, asked, **match)


def httpsPassthrough(
    domains: str | Sequence[str] | None,
    targets: TargetLike | Sequence[TargetLike],
    *,
    ports: int | Sequence[int] = 443,
    **asked: Unpack[Forwarded],
) -> Route:
    """
    TLS that goes on untouched, by the name that is asked for.

    @param domains: As of L{http}.
    @param targets: As of L{http}.
    @param ports: Where it is served.
    """
    making = _Making("httpsPassthrough")
    action = {"type": "forward", "targets": making.targets(targets), "tls": {"mode": "passthrough"}}
    return making.route(_plain(ports), domains, action, asked)


def redirectToHTTPS(
    domains: str | Sequence[str] | None,
    *,
    ports: int | Sequence[int] = 80,
    httpsPort: int = 443,
    status: Literal[301, 302, 303, 307, 308] = 308,
    **asked: Unpack[Asked],
) -> Route:
    """
    Plain HTTP, sent to the same address by HTTPS.

    @param domains: As of L{http}.
    @param ports: Where it is served.
    @param httpsPort: Where HTTPS is served, as clients see it.
    @param status: Of the answer.
    """
    making = _Making("redirectToHTTPS")
    if not isinstance(httpsPort, int) or not 0 < httpsPort < 65536:
        raise making.refuse("httpsPort", f"{httpsPort!r} is no port")
    port = "" if httpsPort == 443 else f":{httpsPort}"
    action = {"type": "redirect", "to": f"https://{{domain}}{port}{{path}}", "status": status}
    return making.route(_plain(ports), domains, action, asked)


def completeHTTPSServer(
    domains: str | Sequence[str],
    targets: TargetLike | Sequence[TargetLike],
    *,
    port: int = 443,
    httpPort: int = 80,
    certificate: Certificate = "auto",
    reencrypt: bool = False,
    byDNS: bool = False,
    **asked: Unpack[Forwarded],
) -> tuple[Route, Route]:
    """
    HTTPS that ends here, forwarded, and plain HTTP that is sent there.

    @param domains: As of L{httpsTerminate}.
    @param targets: As of L{http}.
    @param port: Where HTTPS is served.
    @param httpPort: Where plain HTTP is.
    @param certificate: As of L{httpsTerminate}, as those that follow.
    @return: The two, in this order.
    """
    name = asked.get("name") or (domains if isinstance(domains, str) else domains[0])
    making = _Making("completeHTTPSServer", byDNS)
    secure: Forwarded = {**asked, "name": name}
    first = _terminated(making, domains, targets, port, certificate, reencrypt, secure)
    to: Asked = {"name": f"{name} (to HTTPS)", "priority": asked.get("priority", 0)}
    return first, redirectToHTTPS(domains, ports=httpPort, httpsPort=port, **to)


def loadBalancer(
    domains: str | Sequence[str] | None,
    targets: Sequence[TargetLike],
    *,
    ports: int | Sequence[int] | None = None,
    certificate: Certificate | None = None,
    reencrypt: bool = False,
    byDNS: bool = False,
    **asked: Unpack[Forwarded],
) -> Route:
    """
    Several targets that take turns; one that cannot be reached is passed over.

    @param domains: As of L{http}.
    @param targets: At least two.
    @param ports: Where it is served; by default 443 with a certificate, and 80 without.
    @param certificate: As of L{httpsTerminate}; L{None}: plain HTTP.
    """
    making = _Making("loadBalancer", byDNS)
    if isinstance(targets, str | int | Target | Reference) or callable(targets) or len(targets) < 2:
        raise making.refuse("targets", "needs at least two: use http or httpsTerminate for one")
    return _served(making, domains, targets, ports, certificate, reencrypt, asked)


def _served(
    making: _Making,
    domains: str | Sequence[str] | None,
    targets: TargetLike | Sequence[TargetLike],
    ports: int | Sequence[int] | None,
    certificate: Certificate | None,
    reencrypt: bool,
    asked: Mapping[str, Any],
    **match: Any,
) -> Route:
    if certificate is not None:
        secure: int | Sequence[int] = 443 if ports is None else ports
        return _terminated(making, domains, targets, secure, certificate, reencrypt, asked, **match)
    if reencrypt:
        raise making.refuse("reencrypt", "needs a certificate: there is no TLS that could end here")
    action = {"type": "forward", "targets": making.targets(targets)}
    return making.route(
        80 if ports is None else _plain(ports), domains, action, asked, protocol="http", **match
    )


def api(
    path: str,
    targets: TargetLike | Sequence[TargetLike],
    *,
    domains: str | Sequence[str] | None = None,
    ports: int | Sequence[int] | None = None,
    certificate: Certificate | None = None,
    reencrypt: bool = False,
    byDNS: bool = False,
    **asked: Unpack[ForwardedBesides],
) -> Route:
    """
    All that is below a path.

    @param path: Where it begins: C{/api}, which takes C{/api/x} too; or a pattern with C{*} or
        C{:name}, as it is.
    @param targets: As of L{http}.
    @param domains: As of L{http}.
    @param ports: As of L{loadBalancer}, as those that follow.
    """
    making = _Making("api", byDNS)
    pattern = path if "*" in path or "/:" in path else path.rstrip("/") + "/*"
    told: Forwarded = {**asked, "path": pattern}
    return _served(making, domains, targets, ports, certificate, reencrypt, told)


def webSocket(
    domains: str | Sequence[str] | None,
    targets: TargetLike | Sequence[TargetLike],
    *,
    ports: int | Sequence[int] | None = None,
    certificate: Certificate | None = None,
    reencrypt: bool = False,
    byDNS: bool = False,
    **asked: Unpack[Forwarded],
) -> Route:
    """
    Requests to speak WebSocket (RFC 6455), and no others.

    @param domains: As of L{http}.
    @param targets: As of L{http}.
    @param ports: As of L{loadBalancer}, as those that follow.
    """
    making = _Making("webSocket", byDNS)
    upgrade = {"Upgrade": "/^(?i:websocket)$/"}
    return _served(making, domains, targets, ports, certificate, reencrypt, asked, headers=upgrade)


def portMapping(
    ports: int | Sequence[int], targets: TargetLike | Sequence[TargetLike], **asked: Unpack[Forwarded]
) -> Route:
    """
    Every connection to a port, whatever it speaks.

    @param ports: Where it is served.
    @param targets: As of L{http}; C{"host:preserve"} has the same port as was connected to.
    """
    making = _Making("portMapping")
    action = {"type": "forward", "targets": making.targets(targets)}
    return making.route(_plain(ports), None, action, asked, protocol="tcp")


def offsetPortMapping(
    ports: Iterable[int], host: str, offset: int, **asked: Unpack[Forwarded]
) -> tuple[Route, ...]:
    """
    Every connection to some ports, to the ports of a host that are so much higher.

    @param ports: Where it is served, for instance C{range(8000, 8010)}.
    @param host: Where to.
    @param offset: What is added to the port; may be negative.
    @return: One route for each port.
    """
    making = _Making("offsetPortMapping")
    numbers = list(ports)
    if not numbers:
        raise making.refuse("ports", "is empty: at least one is needed")
    found: list[Route] = []
    for port in numbers:
        if not 0 < port + offset < 65536:
            raise making.refuse("offset", f"leads from port {port} to {port + offset}, which is none")
        action = {"type": "forward", "targets": {"host": host, "port": port + offset}}
        told: Forwarded = {**asked}
        if "name" in asked:
            told["name"] = f"{asked['name']} {port}"
        found.append(making.route(port, None, action, told, protocol="tcp"))
    return tuple(found)


def dynamic(
    domains: str | Sequence[str] | None,
    decide: Reference | str | Callable[[Any], Any],
    *,
    ports: int | Sequence[int] | None = None,
    certificate: Certificate | None = None,
    reencrypt: bool = False,
    byDNS: bool = False,
    timeout: float | None = None,
    **asked: Unpack[Forwarded],
) -> Route:
    """
    HTTP to what a function gives for each request.

    @param domains: As of L{http}.
    @param decide: The function; or its name, C{package.module.name}, which works with several
        workers too.
    @param ports: As of L{loadBalancer}, as those that follow.
    @param timeout: For how long an answer that comes later is waited for, in seconds.
    """
    making = _Making("dynamic", byDNS)
    if isinstance(decide, str):
        decide = Reference(decide.removeprefix(PREFIX))
    elif not isinstance(decide, Reference) and not callable(decide):
        raise making.refuse("decide", f"{decide!r} is no function")
    route = _served(making, domains, decide, ports, certificate, reencrypt, asked)
    action = route.action
    if timeout is None or not isinstance(action, Forward) or action.dynamic is None:
        return route
    if not 0 < timeout <= 604800:
        raise making.refuse("timeout", f"{timeout!r} has to be above 0 and at most 604800 seconds")
    return replace(route, action=replace(action, dynamic=replace(action.dynamic, timeout=float(timeout))))


def clone(route: Route, name: str, **changes: Any) -> Route:
    """
    The same under another name.  Functions in it are the very same ones.

    @param changes: Fields of L{Route<smartproxy_tw.config.model.Route>} that are to be others.
    @raise RouteError: There is no such field.
    """
    unknown = sorted(changes.keys() - {each.name for each in fields(Route)})
    if unknown:
        raise RouteError("clone", [(each, "is no field of a route") for each in unknown])
    return replace(route, name=name, **changes)


def merge(base: Route, over: Route) -> Route:
    """
    One route of two: what the second says, and where it says nothing, the first.  Functions in
    them are the very same ones.

    @param over: A field that has its default says nothing.  Its name, ports, action and
        protocol are always said.
    """
    said: dict[str, Any] = {}
    for each in fields(Route):
        value = getattr(over, each.name)
        default = each.default if each.default is not MISSING else each.default_factory
        if default is MISSING or value != default:
            said[each.name] = value
    return replace(base, **said)


def together(*parts: Route | Iterable[Route]) -> tuple[Route, ...]:
    """
    Several routes, and groups of routes, as one, in their order; of two with the same name the
    later one has the place of the earlier one.

    @raise RouteError: They contradict one another, as C{smartproxy check} would say.
    """
    from .config.checks import Placed, conflicts
    from .config.document import Mark

    found: dict[str, Route] = {}
    for part in parts:
        for route in (part,) if isinstance(part, Route) else part:
            found[route.name] = route
    routes = tuple(found.values())
    nowhere = Mark("", 0, 0)
    placed = [Placed(route, ("routes", index), nowhere) for index, route in enumerate(routes)]
    problems = [(routes[int(path[1])].name, message) for path, message in conflicts(placed)]
    if problems:
        raise RouteError("together", problems)
    return routes
