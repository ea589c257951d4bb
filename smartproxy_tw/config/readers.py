"""
One route, or one site, from what is written to what it means.

What contradicts itself within the one is found here; what routes do to one
another is for L{smartproxy_tw.config.checks}.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from pydantic.alias_generators import to_snake

from . import blanks, checks, model, names, schema, sites, targets
from .document import Path
from .findings import Findings
from .locations import Locations
from .revisionreader import RevisionReader

__all__ = ["RouteReader", "SiteReader", "listed", "portsOf"]


def listed(value: Any) -> list[Any]:
    """
    One, several or none as a list.

    @param value: A value, a list, or L{None} where the option was left out.
    """
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


#: What only a request has.
_NEED_HTTP = ("path", "headers", "query", "method", "tlsVersion")
#: What is done to requests and their answers only.
_REVISE_HTTP = ("headers", "rewrite", "compress", "errorPages")


def portsOf(written: Any, path: Path, findings: Findings) -> tuple[int, ...]:
    """
    @param written: Ports as they can be written.
    @param path: Where.
    @param findings: Where mistakes are told.
    @return: Each, ascending.
    """
    found: set[int] = set()
    for index, each in enumerate(listed(written)):
        first, last = (each, each) if isinstance(each, int) else (each.first, each.last)
        ports = range(first, last + 1)
        twice = next((port for port in ports if port in found), None)
        if twice is not None:
            findings.add((*path, index) if isinstance(written, list) else path, f"lists port {twice} twice")
        found.update(ports)
    return tuple(sorted(found))


def _proxyHeader(written: str | schema.ProxyHeader) -> model.ProxyHeader | None:
    if isinstance(written, schema.ProxyHeader):
        return model.ProxyHeader(1 if written.version == "v1" else 2, tuple(written.tlvs))
    return None if written == "off" else model.ProxyHeader(1 if written == "v1" else 2)


class _Reader:
    """
    What routes and sites have in common: targets and certificates.
    """

    def __init__(self, findings: Findings, files: Locations, path: Path, *, byDNS: bool = False) -> None:
        """
        @param findings: Where mistakes are told.
        @param files: Makes paths absolute.
        @param path: Where the one stands.
        @param byDNS: Whether names can be proved by dns-01.
        """
        self._byDNS = byDNS
        self._findings = findings
        self._files = files
        self._path = path

    def wrong(self, below: Path, message: str) -> None:
        """
        @param below: Where, from here.
        @param message: What is wrong.
        """
        self._findings.add((*self._path, *below), message)

    def readTargets(
        self, below: Path, written: Any, header: str | schema.ProxyHeader = "off"
    ) -> tuple[tuple[model.Target, ...], str | None]:
        """
        @param header: What they are told of clients, where they do not say otherwise.
        @return: The targets, and the scheme that they were written with.
        """
        isList = isinstance(written, list)
        places = [
            self._place((*below, index) if isList else below, each, header)
            for index, each in enumerate(listed(written))
        ]
        schemes = {place.scheme for place in places}
        if "https" in schemes and len(schemes) > 1:
            self.wrong(below, "mixes targets with and without https://: make it two routes, or all the same")
        seen: set[str] = set()
        for index, place in enumerate(places):
            name = str(place.target)
            if name in seen:
                self.wrong((*below, index), f"is the same target as one before it: {name}")
            seen.add(name)
        return tuple(place.target for place in places), next((each for each in schemes if each), None)

    def _place(self, below: Path, written: Any, header: str | schema.ProxyHeader) -> targets.Place:
        place = self._placeAlone(below, written)
        own = getattr(written, "sendProxyProtocol", None)
        target = replace(place.target, proxyHeader=_proxyHeader(header if own is None else own))
        return targets.Place(target, place.scheme)

    def _placeAlone(self, below: Path, written: Any) -> targets.Place:
        if isinstance(written, int):
            return targets.Place(model.Target("127.0.0.1", written))
        if isinstance(written, str):
            return targets.parse(written)
        if isinstance(written, schema.Target):
            port = None if written.port == "preserve" else int(written.port)
            return targets.Place(model.Target(written.host, port))
        path = (*self._path, *below, "unix")
        try:
            return targets.Place(targets.unix(self._files.absolute(path, written.unix)))
        except ValueError as why:
            self._findings.refuse(path, str(why))
            return targets.Place(model.Target("/", 0))

    def keyPair(self, below: Path, written: schema.KeyPair) -> model.Files:
        """
        @param below: Where it was written.
        """
        path = (*self._path, *below)
        return model.Files(
            self._files.existing((*path, "cert"), written.cert),
            self._files.existing((*path, "key"), written.key),
        )

    def certificate(
        self, below: Path, written: str | schema.KeyPair, domains: tuple[str, ...]
    ) -> model.CertificateSource:
        """
        @param below: Where it was written.
        @param domains: What it has to cover.
        """
        if isinstance(written, schema.KeyPair):
            return self.keyPair(below, written)
        source = model.Auto(names.uncovered(domains)) if written == "auto" else model.Internal(domains)
        why = checks.certificateProblem(source, byDNS=self._byDNS)
        if why is not None:
            self.wrong(below, why)
        return source


class SiteReader(_Reader):
    """
    Reads one site.
    """

    def site(self, name: str, value: Any) -> sites.Site | None:
        """
        @param name: Its name, in normal form.
        @param value: A target, or a L{schema.Site}.
        """
        before = len(self._findings.problems)
        isShort = not isinstance(value, schema.Site)
        below: Path = () if isShort else ("to",)
        places, scheme = self.readTargets(below, value if isShort else value.to)
        why = checks.serverNameProblem((name,))
        if why is not None:
            self.wrong((), why)
            return None
        certificate: str | schema.KeyPair = "auto" if isShort else value.certificate
        hasWWW = not isShort and value.www == "redirect"
        source = self.certificate(() if isShort else ("certificate",), certificate, (name,))
        if hasWWW and not names.isHost(f"www.{name}"):
            self.wrong(("www",), f"there is no www name beside {name}")
        if len(self._findings.problems) > before:
            return None
        kind: Literal["auto", "internal"] = "auto" if isinstance(source, model.Auto) else "internal"
        return sites.Site(
            name,
            places,
            scheme == "https",
            hasWWW,
            source if isinstance(source, model.Files) else kind,
            self._findings.mark(self._path).line,
        )


class RouteReader(_Reader):
    """
    Reads one route.
    """

    def route(self, written: schema.Route) -> model.Route:
        """
        @param written: What the file says.
        @return: What it means, as far as it makes sense.
        """
        match, action = written.match, written.action
        domains = tuple(listed(match.domains))
        places: tuple[tuple[model.Target, ...], str | None] = ((), None)
        if isinstance(action, schema.Forward):
            places = self.readTargets(("action", "targets"), action.targets, action.sendProxyProtocol)
        reader = RevisionReader(self._findings, self._files, self._path, blanks.parameters(match.path))
        return model.Route(
            name=written.name or "",
            ports=portsOf(match.ports, (*self._path, "match", "ports"), self._findings),
            action=self._action(action, reader, *places),
            protocol=self._protocol(written, places[1]),
            domains=domains,
            path=match.path,
            tls=self._tls(action.tls, domains),
            priority=written.priority,
            line=self._findings.mark(self._path).line,
            conditions=self._conditions(match, action),
            **reader.revisions(written, isinstance(action, schema.Forward)),
        )

    def _conditions(self, match: schema.Match, action: Any) -> model.Conditions:
        versions = tuple(listed(match.tlsVersion))
        if versions and action.tls is None:
            self.wrong(("match", "tls_version"), "needs TLS that ends here: add action.tls, or leave it out")
        elif versions and isinstance(action.tls, (schema.Terminate, schema.Reencrypt)):
            spoken = [each for each in versions if action.tls.minVersion <= each <= action.tls.maxVersion]
            if not spoken:
                self.wrong(
                    ("match", "tls_version"),
                    f"is never {' or '.join(versions)}: action.tls speaks "
                    f"{action.tls.minVersion} to {action.tls.maxVersion}",
                )
        return model.Conditions(
            headers=self._headers(match.headers or {}),
            query=tuple((name, tuple(listed(value))) for name, value in (match.query or {}).items()),
            methods=tuple(listed(match.method)),
            clients=tuple(listed(match.clientIp)),
            tlsVersions=versions,
        )

    def _headers(self, written: dict[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        found: dict[str, tuple[str, ...]] = {}
        for name, value in written.items():
            if name.lower() in found:
                path = (*self._path, "match", "headers", name)
                message = "is given twice: case does not matter, a list has what one of its values can be"
                self._findings.add(path, message, atKey=True)
            found[name.lower()] = tuple(listed(value))
        return tuple(found.items())

    def _protocol(self, written: schema.Route, scheme: str | None) -> Literal["http", "tcp"]:
        """
        Settle what is spoken, and find what contradicts it.
        """
        match, action = written.match, written.action
        isPassthrough = isinstance(action.tls, schema.Passthrough)
        because = None
        asked = next((each for each in _NEED_HTTP if getattr(match, each) is not None), None)
        if asked is not None:
            because = to_snake(asked)
        elif isinstance(action, (schema.Redirect, schema.Respond)):
            because = f"type: {action.type}"
        elif scheme is not None:
            because = f"a target with {scheme}://"
        else:
            asked = next((each for each in _REVISE_HTTP if getattr(written, each)), None)
            because = None if asked is None else to_snake(asked)
        if isPassthrough and because is not None:
            self.wrong(
                ("action", "tls", "mode"),
                f"passthrough leaves everything encrypted, but {because} needs HTTP",
            )
        elif isPassthrough and match.protocol == "http":
            self.wrong(
                ("match", "protocol"), "cannot be http with passthrough, which never sees it: leave it out"
            )
        elif match.protocol == "tcp" and because is not None:
            self.wrong(("match", "protocol"), f"cannot be tcp: {because} needs HTTP")
        elif match.protocol == "tcp" and match.domains and action.tls is None:
            self.wrong(
                ("match", "domains"), "cannot be seen in plain TCP: add tls, or leave out protocol: tcp"
            )
        if match.protocol is not None:
            return match.protocol
        if isPassthrough:
            return "tcp"
        return "http" if because is not None or action.tls is not None or match.domains else "tcp"

    def _tls(self, written: Any, domains: tuple[str, ...]) -> model.TLS | None:
        if written is None:
            return None
        why = checks.serverNameProblem(domains)
        if why is not None:
            self.wrong(("match", "domains"), why)
        if isinstance(written, schema.Passthrough) or why is not None:
            return model.TLS("passthrough")
        below: Path = ("action", "tls")
        source = self.certificate((*below, "certificate"), written.certificate, domains)
        return model.TLS("terminate", source, self._policy(below, written))

    def _policy(self, below: Path, written: schema.Terminate | schema.Reencrypt) -> model.TLSPolicy:
        clients = None
        if written.clientCertificates is not None:
            path = (*self._path, *below, "client_certificates", "ca_file")
            caFile = self._files.existing(path, written.clientCertificates.caFile)
            clients = model.ClientCertificates(written.clientCertificates.mode, caFile)
        ciphers = tuple(written.ciphers or ())
        return model.TLSPolicy(written.minVersion, written.maxVersion, ciphers, clients)

    def _action(
        self, written: Any, reader: RevisionReader, places: tuple[model.Target, ...], scheme: str | None
    ) -> model.Action:
        if isinstance(written, schema.Forward):
            pool = written.pool
            return model.Forward(
                places,
                self._upstreamTLS(written.tls, places, scheme),
                model.Pool() if pool is None else model.Pool(pool.connections, pool.queue, pool.wait),
            )
        if isinstance(written, schema.Redirect):
            reader.checkParameters(("action", "to"), blanks.parse(written.to))
            return model.Redirect(written.to, written.status)
        if isinstance(written, schema.Respond):
            return self._respond(written, reader)
        return model.Block()

    def _upstreamTLS(
        self, written: Any, places: tuple[model.Target, ...], scheme: str | None
    ) -> model.UpstreamTLS | None:
        isReencrypt = isinstance(written, schema.Reencrypt)
        if scheme == "http" and isReencrypt:
            self.wrong(("action", "targets"), "http:// contradicts mode: terminate-and-reencrypt")
        if scheme == "https" and isinstance(written, schema.Terminate):
            message = "has to be terminate-and-reencrypt for https:// targets"
            self.wrong(("action", "tls", "mode"), message)
        if not isReencrypt:
            return model.UpstreamTLS() if scheme == "https" else None
        below: Path = ("action", "tls")
        caFile = written.caFile
        if written.insecureSkipVerify and caFile is not None:
            self.wrong((*below, "ca_file"), "has no effect with insecure_skip_verify: leave out one of them")
        if (
            not written.insecureSkipVerify
            and written.serverName is None
            and any(each.port == 0 for each in places)
        ):
            self.wrong(below, "needs server_name: a unix socket has no name that could be verified")
        if caFile is not None:
            caFile = self._files.existing((*self._path, *below, "ca_file"), caFile)
        return model.UpstreamTLS(written.serverName, not written.insecureSkipVerify, caFile)

    def _respond(self, written: schema.Respond, reader: RevisionReader) -> model.Respond:
        fields: list[tuple[str, str]] = []
        seen: set[str] = set()
        for name, value in written.headers.items():
            path: Path = (*self._path, "action", "headers", name)
            if name.lower() in seen:
                self._findings.add(
                    path, "is given twice: case does not matter, a list repeats a field", atKey=True
                )
            seen.add(name.lower())
            for each in listed(value):
                reader.checkParameters(("action", "headers", name), blanks.parse(str(each)))
                fields.append((name, str(each)))
        reader.checkParameters(("action", "body"), blanks.parse(written.body))
        if written.body and written.status in (204, 304):
            self.wrong(("action", "body"), f"cannot be sent with status {written.status}, which has none")
        return model.Respond(written.status, tuple(fields), written.body)
