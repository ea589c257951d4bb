"""
What is wrong with routes that are each right in themselves.

Takes routes as the model has them, so that a file, the command line and Python
callers are held to the same rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import names
from .document import Mark, Path
from .model import Auto, CertificateSource, Internal, Redirect, Route

__all__ = ["Placed", "certificateProblem", "conflicts"]


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


def certificateProblem(source: CertificateSource) -> str | None:
    """
    Why a certificate cannot be had.

    @param source: Where it should come from.
    @return: A message that says what to do, or L{None}.
    """
    if isinstance(source, Auto):
        if not source.names:
            return (
                "a certificate by ACME (auto) needs domains to ask for: "
                "add them to match, or use internal or {cert: , key: }"
            )
        for name in source.names:
            why = names.certifiable(name)
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
    return "passthrough" if route.tls.mode == "passthrough" else f"terminate, {route.protocol} inside"


def _layers(placed: Sequence[Placed]) -> Iterator[tuple[Path, str]]:
    """
    One name on one port cannot be both passed through and terminated: that is
    decided by the ClientHello, which has no path and no protocol inside.
    """
    first: dict[tuple[str, int], Placed] = {}
    for each in placed:
        if each.route.tls is None:
            continue
        for domain in each.route.domains or ("",):
            clash = next(
                (
                    (port, other)
                    for port in each.route.ports
                    if _layer((other := first.setdefault((domain, port), each)).route) != _layer(each.route)
                ),
                None,
            )
            if clash is not None:
                port, other = clash
                whom = domain or "connections without a name"
                mine, theirs = _layer(each.route), _layer(other.route)
                message = (
                    f"says {mine} for {whom} on port {port}, but {other} says {theirs}: only one is possible"
                )
                yield each.path, message
                break


def _shadows(placed: Sequence[Placed]) -> Iterator[tuple[Path, str]]:
    """
    A route is never asked when routes before it match exactly the same.
    """
    taken: dict[tuple[str, str, str | None], dict[int, Placed]] = {}
    for each in sorted(placed, key=lambda each: -each.route.priority):
        route = each.route
        kind = "tls" if route.tls is not None else route.protocol
        path = None if route.path == "/*" else route.path
        others: list[Placed] = []
        isNew = False
        for domain in route.domains or ("",):
            known = taken.setdefault((kind, domain, path), {})
            for port in route.ports:
                other = known.setdefault(port, each)
                isNew = isNew or other is each
                others.append(other)
        if not isNew:
            yield (
                each.path,
                f"can never be reached: {others[0]} is asked before it and takes all that it matches",
            )


def _isLoop(route: Route) -> bool:
    """
    Whether a redirect leads exactly back to its own route.
    """
    if not isinstance(route.action, Redirect) or route.action.to not in (
        "https://{domain}{path}",
        "http://{domain}{path}",
    ):
        return False
    isTLS = route.action.to.startswith("https")
    return (route.tls is not None) == isTLS and route.ports == ((443,) if isTLS else (80,))
