"""
What is wrong with routes that are each right in themselves.

Takes routes as the model has them, so that a file, the command line and Python
callers are held to the same rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..values import dataclass
from . import names
from .document import Mark, Path
from .model import Auto, CertificateSource, Conditions, Internal, Redirect, Route, TLSPolicy

__all__ = ["Placed", "certificateProblem", "conflicts", "demands", "serverNameProblem"]


@dataclass(frozen=True, slots=True)
class Placed:
    """
    A route, and where it was written.

    @ivar route: The route.
    @ivar path: Where to say that it is wrong.
    @ivar mark: Where it begins.
    """

    route: Route
    path: Path
    mark: Mark

    def __str__(self) -> str:
        where = f" (line {self.mark.line} of {self.mark.file})" if self.mark.line else ""
        return f"'{self.route.name}'{where}"


def certificateProblem(source: CertificateSource, *, byDNS: bool = False) -> str | None:
    """
    Why a certificate cannot be had.

    @param source: Where it should come from.
    @param byDNS: Whether names can be proved by dns-01.
    @return: A message that says what to do, or L{None}.
    """
    if isinstance(source, Auto):
        if not source.names:
            return (
                "a certificate by ACME (auto) needs domains to ask for: "
                "add them to match, or use internal or {cert: , key: }"
            )
        for name in source.names:
            why = names.certifiable(name, byDNS=byDNS)
            if why is not None:
                return (
                    f"a certificate by ACME (auto) cannot be had: {name} {why}: "
                    "list the host names one by one, or use internal or {cert: , key: }"
                )
    elif isinstance(source, Internal):
        for name in source.names:
            if name == "*" or name.startswith("**."):
                return f"an internal certificate cannot name {name}: use *.name or the host names one by one"
    return None


def serverNameProblem(domains: Sequence[str]) -> str | None:
    """
    Why TLS connections cannot be told apart by a name: a client that connects to
    an IP address sends none (RFC 6066 section 3).

    @param domains: Of a route with TLS.
    @return: A message that says what to do, or L{None}.
    """
    address = next((each for each in domains if names.isAddress(each)), None)
    if address is None:
        return None
    return (
        f"{address} never comes as a server name, which cannot be an IP address: use a route without domains"
    )


def conflicts(placed: Sequence[Placed]) -> Iterator[tuple[Path, str]]:
    """
    What routes do to one another.

    @param placed: All of them, in the order of the file.
    @return: Where something is wrong, and what.
    """
    told: set[Path] = set()
    for check in (_names, _layers, _shadows):
        for path, message in check([each for each in placed if each.path not in told]):
            told.add(path)
            yield path, message
    for each in placed:
        if _isLoop(each.route):
            yield each.path, "redirects to itself without end: 'to' is what this route takes"


def _names(placed: Sequence[Placed]) -> Iterator[tuple[Path, str]]:
    first: dict[str, Placed] = {}
    for each in placed:
        other = first.setdefault(each.route.name, each)
        if other is not each:
            yield each.path, f"two routes have one name, {other}: names have to be unique"


def _layer(route: Route) -> str:
    """
    What is done with TLS, as far as it has to be known before the handshake is
    over.
    """
    if route.tls is None:
        return ""
    if route.tls.mode == "passthrough":
        return "passthrough"
    return f"terminate, {route.protocol} inside{demands(route.tls.policy)}"


def demands(policy: TLSPolicy) -> str:
    """
    What is demanded of a handshake beyond the defaults, in words.

    @return: Empty, or begins with a comma.
    """
    found = []
    if (policy.lowest, policy.highest) != ("1.2", "1.3"):
        found.append(f"only TLS {policy.lowest}")
    if policy.ciphers:
        found.append("ciphers " + " ".join(policy.ciphers))
    if policy.clients is not None:
        demanded = {"request": "requested", "require": "required"}[policy.clients.mode]
        found.append(f"client certificates {demanded}, by {policy.clients.caFile}")
    return "".join(f", {each}" for each in found)


class _Ports:
    """
    Sets of ports as whole numbers with a bit for each: a range of all ports is 8
    KiB, and what is common to two of them is one operation.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], int] = {}

    def of(self, route: Route) -> int:
        """
        The ports of a route.
        """
        ports = route.ports
        if ports not in self._known:
            digits = bytearray(8192)
            for port in ports:
                digits[port >> 3] |= 1 << (port & 7)
            self._known[ports] = int.from_bytes(digits, "little")
        return self._known[ports]


def _lowest(ports: int) -> int:
    return (ports & -ports).bit_length() - 1


def _layers(placed: Sequence[Placed]) -> Iterator[tuple[Path, str]]:
    """
    One name on one port cannot be both passed through and terminated, nor
    terminated in two ways: that is decided by the ClientHello, which has no
    path and no protocol inside.
    """
    ports = _Ports()
    # For each domain and layer the ports that it is on, and the routes that say so.
    known: dict[tuple[str, tuple[str, ...]], dict[str, tuple[int, list[Placed]]]] = {}
    for each in placed:
        if each.route.tls is None:
            continue
        mine, layer = ports.of(each.route), _layer(each.route)
        clash: tuple[str, int, Placed] | None = None
        # Routes for other clients are others: those who connect are known when the ClientHello is.
        clients = each.route.conditions.clients if each.route.protocol == "tcp" else ()
        for domain in each.route.domains or ("",):
            layers = known.setdefault((domain, clients), {})
            for other, (theirs, routes) in layers.items():
                if other != layer and mine & theirs and clash is None:
                    first = next(route for route in routes if ports.of(route.route) & mine)
                    clash = domain, _lowest(mine & ports.of(first.route)), first
            before, routes = layers.get(layer, (0, []))
            layers[layer] = (before | mine, [*routes, each] if mine & ~before else routes)
        if clash is not None:
            domain, port, first = clash
            whom = domain or "connections without a name"
            yield (
                each.path,
                (
                    f"says {layer} for {whom} on port {port}, "
                    f"but {first} says {_layer(first.route)}: only one is possible"
                ),
            )


def _shadows(placed: Sequence[Placed]) -> Iterator[tuple[Path, str]]:
    """
    A route is never asked when routes before it match exactly the same.
    """
    ports = _Ports()
    # For what a route matches, the ports that this is taken on, and the first to.
    taken: dict[tuple[str, str, str | None, Conditions], tuple[int, Placed]] = {}
    for each in sorted(placed, key=lambda each: -each.route.priority):
        route = each.route
        kind = "tls" if route.tls is not None else route.protocol
        path = None if route.path == "/*" else route.path
        mine, asked = ports.of(route), route.conditions
        first, isNew = each, False
        for domain in reversed(route.domains or ("",)):
            before, other = taken.get((kind, domain, path, asked), (0, each))
            isNew = isNew or bool(mine & ~before)
            first = other if before & mine else first
            taken[kind, domain, path, asked] = (before | mine, other)
        if not isNew:
            yield each.path, f"can never be reached: {first} is asked before it and takes all that it matches"


def _isLoop(route: Route) -> bool:
    """
    Whether a redirect leads exactly back to its own route.
    """
    if not isinstance(route.action, Redirect):
        return False
    to = route.action.to.replace("{uri}", "{path}")
    to = to.replace("{scheme}", "http" if route.tls is None else "https", 1)
    if to not in ("https://{domain}{path}", "http://{domain}{path}"):
        return False
    methods = route.conditions.methods
    if methods and "GET" not in methods and route.action.status in (301, 302, 303):
        # Whoever follows it asks by GET (RFC 9110 section 15.4).
        return False
    isTLS = to.startswith("https")
    return (route.tls is not None) == isTLS and route.ports == ((443,) if isTLS else (80,))
