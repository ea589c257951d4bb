"""
The targets of a route, from what is written to what they mean: which are alike, which are
for some requests only, which are worked out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from ..values import dataclass
from . import dotted, model, spoken, targets
from .document import Path
from .elsewhere import elsewhere
from .findings import Findings
from .locations import Locations
from .plugin import Kind, plugins
from .selection import Branch, Dynamic

if TYPE_CHECKING:
    from . import hosttarget, proxysection, spread, targetdetails
else:
    hosttarget = elsewhere("hosttarget")
    proxysection = elsewhere("proxysection")
    spread = elsewhere("spread")
    targetdetails = elsewhere("targetdetails")

__all__ = [
    "Item",
    "TargetReader",
    "fieldLines",
    "fieldsAsked",
    "forwardOf",
    "listed",
    "pluginOf",
    "proxyHeader",
    "spokenProblems",
]

#: What only a request has.
_NEED_HTTP = ("path", "headers", "query", "method")

Scheme = Literal["http", "https"]


def listed(value: Any) -> list[Any]:
    """
    One, several or none as a list.

    @param value: A value, a list, or L{None} where the option was left out.
    """
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def fieldsAsked(
    findings: Findings, path: Path, written: Mapping[str, Any]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """
    Header fields that are asked for.

    @param path: Where they stand.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, value in written.items():
        if name.lower() in found:
            message = "is given twice: case does not matter, a list has what one of its values can be"
            findings.add((*path, name), message, atKey=True)
        found[name.lower()] = tuple(listed(value))
    return tuple(found.items())


def fieldLines(findings: Findings, path: Path, written: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """
    Header fields that are sent.

    @param path: Where they stand.
    """
    fields: list[tuple[str, str]] = []
    seen: set[str] = set()
    for name, value in written.items():
        if name.lower() in seen:
            message = "is given twice: case does not matter, a list repeats a field"
            findings.add((*path, name), message, atKey=True)
        seen.add(name.lower())
        fields.extend((name, str(each)) for each in listed(value))
    return tuple(fields)


def pluginOf(
    kind: Kind, name: str, written: Mapping[str, Any], path: Path, findings: Findings
) -> model.Plugin:
    """
    What a plug-in is to do.

    @param written: Its settings.
    @param path: Where they stand.
    @param findings: Where mistakes are told.
    """
    made = model.Plugin.having(name, written)
    for where, what in plugins().mistakes(kind, made):
        findings.add((*path, *where), what)
    return made


@dataclass(frozen=True, slots=True)
class Item:
    """
    One target as it is written.

    @ivar below: Where, from its route.
    @ivar targets: What it means: several where it lists hosts; none where they are worked out.
    @ivar scheme: How it is spoken to, where that was written.
    @ivar dynamic: How they are worked out.
    @ivar own: What is said of it alone.
    """

    below: Path
    targets: tuple[model.Target, ...]
    scheme: Scheme | None = None
    dynamic: Dynamic | None = None
    own: hosttarget.AnyTarget | None = None

    @property
    def isAlike(self) -> bool:
        """
        Whether nothing sets it apart from others.
        """
        return self.dynamic is None and (
            self.own is None
            or (
                self.own.match is None
                and self.own.tls is None
                and not self.own.headers
                and not self.own.priority
            )
        )

    @property
    def protocol(self) -> spoken.Protocol:
        """
        How HTTP is spoken to it.
        """
        return self.targets[0].protocol if self.dynamic is None else self.dynamic.protocol

    @property
    def needsHTTP(self) -> bool:
        """
        Whether it is for some requests, which only HTTP has.
        """
        match = None if self.own is None else self.own.match
        return match is not None and any(getattr(match, each) is not None for each in _NEED_HTTP)


class TargetReader:
    """
    Reads what is written as C{targets}.
    """

    def __init__(self, findings: Findings, files: Locations, path: Path) -> None:
        """
        @param findings: Where mistakes are told.
        @param files: Makes paths absolute.
        @param path: Where the route, or site, stands.
        """
        self._findings = findings
        self._files = files
        self._path = path

    def read(
        self,
        below: Path,
        written: Any,
        header: model.ProxyHeader | None = None,
        timeout: float | None = None,
        protocol: spoken.Protocol = "http/1.1",
    ) -> tuple[Item, ...]:
        """
        @param header: What they are told of clients, where they do not say otherwise.
        @param timeout: For how long what is worked out is waited for.
        @param protocol: How HTTP is spoken to them, as for C{header}.
        """
        isList = isinstance(written, list)
        items = tuple(
            self._item((*below, index) if isList else below, each, header, timeout, protocol)
            for index, each in enumerate(listed(written))
        )
        seen: set[tuple[object, ...]] = set()
        for item in items:
            for target in item.targets:
                own = item.own
                apart = (
                    () if own is None else (repr(own.match), own.priority, repr(own.tls), repr(own.headers))
                )
                name = str(target)
                if (name, *(() if item.isAlike else apart)) in seen:
                    self._wrong(item.below, f"is the same target as one before it: {name}")
                seen.add((name, *(() if item.isAlike else apart)))
        if timeout is not None and not any(item.dynamic for item in items):
            path: Path = (*below[:-1], "decision_timeout")
            self._wrong(path, "has no effect: no target is worked out by python:module.name")
        return items

    def _wrong(self, below: Path, message: str) -> None:
        self._findings.add((*self._path, *below), message)

    def _item(
        self,
        below: Path,
        written: Any,
        header: model.ProxyHeader | None,
        timeout: float | None,
        protocol: spoken.Protocol,
    ) -> Item:
        own = written if isinstance(written, hosttarget.AnyTarget) else None
        if own is not None and own.sendProxyProtocol is not None:
            header = proxyHeader(own.sendProxyProtocol)
        if own is not None and own.protocol is not None:
            protocol = own.protocol
        dynamic = self._dynamic(below, written)
        if dynamic is not None:
            if getattr(written, "weight", 1) != 1:
                self._wrong((*below, "weight"), "has no effect: what a function gives has its own weights")
            patience = Dynamic().timeout if timeout is None else timeout
            known = replace(dynamic, proxyHeader=header, timeout=patience, protocol=protocol)
            return Item(below, (), None, known, own)
        places = self._places(below, written)
        weight = getattr(written, "weight", 1)
        found = tuple(
            replace(place.target, proxyHeader=header, weight=weight, protocol=protocol) for place in places
        )
        return Item(below, found, places[0].scheme, None, own)

    def _dynamic(self, below: Path, written: Any) -> Dynamic | None:
        if isinstance(written, targetdetails.SourceTarget):
            path = (*self._path, *below, "settings")
            return Dynamic(pluginOf("upstream", written.source, written.settings, path, self._findings))
        if isinstance(written, str):
            return Dynamic(dotted.reference(written)) if dotted.isDotted(written) else None
        if not isinstance(written, hosttarget.Target):
            return None
        host, port = written.host, written.port
        byHost = isinstance(host, str) and dotted.isDotted(host)
        byPort = isinstance(port, str) and dotted.isDotted(port)
        if not (byHost or byPort):
            return None
        return Dynamic(
            None,
            dotted.reference(str(host)) if byHost else tuple(listed(host)),
            dotted.reference(str(port)) if byPort else _port(port),
        )

    def _places(self, below: Path, written: Any) -> tuple[targets.Place, ...]:
        if isinstance(written, int):
            return (targets.Place(model.Target("127.0.0.1", written)),)
        if isinstance(written, str):
            return (targets.parse(written),)
        if isinstance(written, hosttarget.Target):
            return tuple(
                targets.Place(model.Target(host, _port(written.port))) for host in listed(written.host)
            )
        if isinstance(written, spread.Service):
            return (self._service(below, written),)
        path = (*self._path, *below, "unix")
        try:
            return (targets.Place(targets.unix(self._files.absolute(path, written.unix))),)
        except ValueError as why:
            self._findings.refuse(path, str(why))
            return (targets.Place(model.Target("/", 0)),)

    def _service(self, below: Path, written: spread.Service) -> targets.Place:
        try:
            return targets.Place(targets.service(written.srv))
        except ValueError as why:
            self._findings.refuse((*self._path, *below, "srv"), str(why))
            return targets.Place(model.Target("", None, isService=True))


def _port(written: int | str) -> int | None:
    return None if written == "preserve" else int(written)


def proxyHeader(written: str | proxysection.ProxyHeader) -> model.ProxyHeader | None:
    """
    What targets are told of clients.
    """
    if isinstance(written, proxysection.ProxyHeader):
        return model.ProxyHeader(1 if written.version == "v1" else 2, tuple(written.tlvs))
    return None if written == "off" else model.ProxyHeader(1 if written == "v1" else 2)


def forwardOf(
    items: Sequence[Item],
    common: model.Forward,
    findings: Findings,
    files: Locations,
    path: Path,
    isReencrypt: bool,
) -> model.Forward:
    """
    How the route chooses among its targets.

    @param items: All of them.
    @param common: What is said for all of them, with all their targets.
    @param findings: Where mistakes are told.
    @param files: Makes paths absolute.
    @param path: Where the route stands.
    @param isReencrypt: Whether all are spoken to by TLS, where they do not say otherwise.
    """
    schemes = {item.scheme == "https" for item in items}
    if all(item.isAlike for item in items) and (len(schemes) == 1 or isReencrypt):
        return common
    found: dict[tuple[Any, ...], list[model.Target]] = {}
    for item in items:
        tls = _tls(item, common, findings, files, path, isReencrypt)
        own = item.own
        route = None if own is None or own.match is None else own.match.path
        asked = None if own is None or own.match is None else _conditions(own.match, item, findings, path)
        lines = () if own is None else fieldLines(findings, (*path, *item.below, "headers"), own.headers)
        key = (route, asked, 0 if own is None else own.priority, lines, tls, item.dynamic)
        found.setdefault(key, []).extend(item.targets)
    branches = tuple(
        Branch(replace(common, targets=tuple(some), tls=tls, dynamic=dynamic), route, asked, priority, lines)
        for (route, asked, priority, lines, tls, dynamic), some in found.items()
    )
    if len(branches) == 1 and branches[0].isDefault and not branches[0].headers:
        return branches[0].forward
    return replace(common, tls=None, branches=branches)


def spokenProblems(
    wrong: Callable[[Path, str], None], items: Sequence[Item], made: model.Forward, common: Path
) -> None:
    """
    Find what contradicts how HTTP is to be spoken to targets.

    @param wrong: Told where, and what.
    @param made: What was made of the items.
    @param common: Where it is said for all of them.
    """
    for group in made.groups:
        for item in items:
            isIts = group.dynamic == item.dynamic if item.dynamic else item.targets[0] in group.targets
            why = spoken.problem(item.protocol, isTLS=group.tls is not None) if isIts else None
            if why is not None:
                own = item.own is not None and item.own.protocol is not None
                wrong((*item.below, "protocol") if own else common, why)
                if not own:
                    return


def _conditions(
    match: targetdetails.TargetMatch, item: Item, findings: Findings, path: Path
) -> model.Conditions | None:
    found = model.Conditions(
        headers=fieldsAsked(findings, (*path, *item.below, "match", "headers"), match.headers or {}),
        query=tuple((name, tuple(listed(value))) for name, value in (match.query or {}).items()),
        methods=tuple(listed(match.method)),
        clients=tuple(listed(match.clientIp)),
    )
    if found == model.Conditions():
        if match.path is None:
            findings.add(
                (*path, *item.below, "match"), "asks for nothing: give it something, or leave it out"
            )
        return None
    return found


def _tls(
    item: Item, common: model.Forward, findings: Findings, files: Locations, path: Path, isReencrypt: bool
) -> model.UpstreamTLS | None:
    written = None if item.own is None else item.own.tls
    if written is None:
        if item.scheme == "https":
            return common.tls or model.UpstreamTLS()
        return common.tls if isReencrypt else None
    if written is False:
        return None
    below = (*path, *item.below, "tls")
    isUnix = any(target.port == 0 for target in item.targets)
    if not isinstance(written, targetdetails.TargetTLS):
        if isUnix:
            findings.add(below, "needs server_name: a unix socket has no name that could be verified")
        return model.UpstreamTLS()
    caFile = written.caFile
    if written.insecureSkipVerify and caFile is not None:
        findings.add((*below, "ca_file"), "has no effect with insecure_skip_verify: leave out one of them")
    if isUnix and not written.insecureSkipVerify and written.serverName is None:
        findings.add(below, "needs server_name: a unix socket has no name that could be verified")
    if caFile is not None:
        caFile = files.existing((*below, "ca_file"), caFile)
    return model.UpstreamTLS(written.serverName, not written.insecureSkipVerify, caFile)
