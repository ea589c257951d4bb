"""
From what a file says to what it means: a L{Config<smartproxy_tw.config.model.Config>}.

Defaults are filled in, short forms written out, paths made absolute, protocols
settled; whatever contradicts itself or cannot work is found, all of it at once.
What the schema refuses in one route or section does not keep the others from
being looked at.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from typing import Any, Literal

from pydantic import ValidationError

from . import checks, model, names, schema, sites, targets
from .defaults import stateDir
from .document import Node, Path, plain
from .errors import ConfigError
from .findings import Findings

__all__ = ["resolve"]


def _tellNulls(node: Node, path: Path, findings: Findings) -> None:
    """
    No option takes null; it is what is left when a value was forgotten.
    """
    if node.isReported:
        findings.places.append(path)
    if node.value is None:
        findings.add(path, "has no value: give it one, or leave it out")
    elif isinstance(node.value, dict):
        for key, child in node.value.items():
            _tellNulls(child, (*path, key), findings)
    elif isinstance(node.value, list):
        for index, child in enumerate(node.value):
            _tellNulls(child, (*path, index), findings)


def _without(value: Any, path: Path) -> None:
    """
    Take one key out of nested dicts and lists.
    """
    for part in path[:-1]:
        value = value[part]
    del value[path[-1]]


def _pruned(value: dict[str, Any], findings: Findings) -> tuple[dict[str, Any], list[int]]:
    """
    A configuration without the routes, sites and options of sections that are
    wrong.

    @param findings: What is wrong.
    @return: What is left, and for each route that is left its former index.
    """
    for path in findings.surplus:
        _without(value, path)
    places = {path for path in findings.places if path not in findings.surplus}
    units = {path[:2] for path in places}
    left: dict[str, Any] = {}
    for key, section in value.items():
        if isinstance(section, dict):
            left[key] = {name: each for name, each in section.items() if (key, name) not in units}
        elif key == "routes" or key not in {path[0] for path in places if path}:
            left[key] = section
    for path in places:
        if len(path) == 1:
            left.pop(str(path[0]), None)
    kept: list[int] = []
    if isinstance(left.get("routes"), list):
        kept = [index for index in range(len(left["routes"])) if ("routes", index) not in units]
        left["routes"] = [left["routes"][index] for index in kept]
    return left, kept


def resolve(findings: Findings, directories: Mapping[str, str], environ: Mapping[str, str]) -> model.Config:
    """
    Work out what a configuration means.

    @param findings: With the configuration, and with what is wrong already.
    @param directories: For each file of the marks the directory that relative
        paths count from.
    @param environ: Where the default state directory depends on.
    @return: The configuration, its C{source} still missing.
    @raise ConfigError: It has problems; all of them are told.
    """
    value = plain(findings.root)
    if not isinstance(value, dict):
        findings.add((), "has to be a mapping of options")
        raise ConfigError(findings.problems)
    _tellNulls(findings.root, (), findings)
    isWhole = not findings.places
    try:
        written = schema.File.model_validate(value)
        kept = list(range(len(written.routes)))
    except ValidationError as why:
        from .wording import tell

        tell(why.errors(include_url=False), findings)
        isWhole = False
    if not isWhole:
        left, kept = _pruned(value, findings)
        try:
            written = schema.File.model_validate(left)
        except ValidationError:
            raise ConfigError(findings.problems) from None
    made = _Resolver(findings, directories, environ).config(written, kept, isWhole)
    if findings.problems:
        raise ConfigError(findings.problems)
    return made


class _Files:
    """
    Makes paths absolute and sees whether they lead somewhere.
    """

    def __init__(self, findings: Findings, directories: Mapping[str, str]) -> None:
        self._findings = findings
        self._directories = directories

    def absolute(self, path: Path, text: str) -> str:
        """
        @param path: Where the text was written; relative ones count from the
            directory of that file.
        """
        if "\0" in text:
            self._findings.refuse(path, "cannot be a path")
            return "/"
        if text.startswith("~"):
            self._findings.refuse(path, "begins with ~, which is not filled in: ${HOME} is")
        return os.path.normpath(os.path.join(self._directories[self._findings.mark(path).file], text))

    def existing(self, path: Path, text: str) -> str:
        """
        Likewise for a file that has to be there and readable.
        """
        found = self.absolute(path, text)
        if not os.path.lexists(found):
            self._findings.refuse(path, "does not exist" + self._where(text, found))
        elif not os.path.isfile(found):
            self._findings.refuse(path, "is not a file" + self._where(text, found))
        elif not os.access(found, os.R_OK):
            self._findings.refuse(path, "may not be read by this user")
        return found

    def creatable(self, path: Path, text: str) -> str:
        """
        Likewise for a file that is written.
        """
        found = self.absolute(path, text)
        if os.path.isdir(found):
            self._findings.refuse(path, "is a directory: a file was expected")
        elif not os.path.isdir(os.path.dirname(found)):
            self._findings.refuse(path, f"cannot be written: there is no directory {os.path.dirname(found)}")
        return found

    def directory(self, path: Path, text: str) -> str:
        """
        Likewise for a directory that is made where it is missing.
        """
        found = self.absolute(path, text)
        if os.path.lexists(found) and not os.path.isdir(found):
            self._findings.refuse(path, "is not a directory")
        return found

    def _where(self, text: str, found: str) -> str:
        return "" if text == found else f" (it would be {found})"


class _Resolver:
    """
    Turns one file into one configuration.
    """

    def __init__(
        self, findings: Findings, directories: Mapping[str, str], environ: Mapping[str, str]
    ) -> None:
        self._findings = findings
        self._files = _Files(findings, directories)
        self._environ = environ

    def config(self, written: schema.File, kept: list[int], isWhole: bool) -> model.Config:
        """
        @param written: What the file says.
        @param kept: The index in the file of each route.
        @param isWhole: Whether nothing had to be left out.
        """
        acme = self._acme(written.acme)
        wrong = {path[:2] for path in self._findings.places}
        placed = self._routes(written.routes, kept)
        ofSites = self._sites(written.sites, acme)
        if not wrong & {("acme",), ("acme", "http_port"), ("acme", "tls_port")}:
            placed += ofSites
        for path, message in checks.conflicts(placed):
            self._findings.add(path, message)
        if isWhole and not placed and not self._findings.problems:
            self._findings.add((), "there is nothing to serve: give sites or routes")
        if written.limits.urlBytes > written.limits.headBytes:
            self._findings.add(
                ("limits", "url_bytes"), "cannot be above head_bytes: the target is part of the head"
            )
        return model.Config(
            routes=tuple(each.route for each in placed),
            stateDir=self._stateDir(written.stateDir),
            bind=tuple(_listed(written.bind)),
            accessLog=self._accessLog(written.accessLog),
            timeouts=model.Timeouts(**dict(written.timeouts)),
            limits=model.Limits(**dict(written.limits)),
            trustedProxies=tuple(ip_network(each) for each in _listed(written.trustedProxies)),
            acme=acme,
            logFormat=written.log.format,
        )

    def _stateDir(self, text: str | None) -> str:
        if text is not None:
            return self._files.directory(("state_dir",), text)
        try:
            return stateDir(self._environ)
        except ValueError as why:
            self._findings.add((), str(why))
            return "/"

    def _accessLog(self, written: schema.AccessLog) -> model.AccessLog:
        isFile = written.file != "stdout" and written.format != "off"
        file = self._files.creatable(("access_log", "file"), written.file) if isFile else "stdout"
        return model.AccessLog(written.format, file)

    def _acme(self, written: schema.Acme) -> model.Acme:
        caFile = written.caFile
        return model.Acme(
            email=written.email,
            directory=written.directory,
            caFile=None if caFile is None else self._files.existing(("acme", "ca_file"), caFile),
            challenges=tuple(written.challenges),
            httpPort=written.httpPort,
            tlsPort=written.tlsPort,
        )

    def _routes(self, written: list[schema.Route], kept: list[int]) -> list[checks.Placed]:
        placed: list[checks.Placed] = []
        taken = {route.name for route in written if route.name is not None and route.enabled}
        for index, route in zip(kept, written, strict=True):
            path: Path = ("routes", index)
            made = _RouteReader(self._findings, self._files, path).route(route)
            if not route.enabled:
                continue
            if route.name is None:
                name = _unused(_nameOf(made), taken)
                taken.add(name)
                made = _renamed(made, name)
            placed.append(checks.Placed(made, path, self._findings.mark(path)))
        return placed

    def _sites(self, written: Mapping[str, Any], acme: model.Acme) -> list[checks.Placed]:
        placed: list[checks.Placed] = []
        seen: dict[str, str] = {}
        for key, value in written.items():
            path: Path = ("sites", key)
            name = names.pattern(key)
            if name in seen:
                self._findings.add(path, f"is the same name as {seen[name]} above: give it once", atKey=True)
                continue
            seen[name] = key
            site = _SiteReader(self._findings, self._files, path).site(name, value)
            if site is not None:
                mark = self._findings.mark(path)
                placed += [checks.Placed(route, path, mark) for route in sites.expand(site, acme)]
        return placed


class _Reader:
    """
    What routes and sites have in common: targets and certificates.
    """

    def __init__(self, findings: Findings, files: _Files, path: Path) -> None:
        self._findings = findings
        self._files = files
        self._path = path

    def wrong(self, below: Path, message: str) -> None:
        """
        @param below: Where, from here.
        @param message: What is wrong.
        """
        self._findings.add((*self._path, *below), message)

    def readTargets(self, below: Path, written: Any) -> tuple[tuple[model.Target, ...], str | None]:
        """
        @return: The targets, and the scheme that they were written with.
        """
        isList = isinstance(written, list)
        places = [
            self._place((*below, index) if isList else below, each)
            for index, each in enumerate(_listed(written))
        ]
        schemes = {place.scheme for place in places}
        if "https" in schemes and len(schemes) > 1:
            self.wrong(below, "mixes targets with and without https://: make it two routes, or all the same")
        seen: set[model.Target] = set()
        for index, place in enumerate(places):
            if place.target in seen:
                self.wrong((*below, index), f"is the same target as one before it: {place.target}")
            seen.add(place.target)
        return tuple(place.target for place in places), next((each for each in schemes if each), None)

    def _place(self, below: Path, written: Any) -> targets.Place:
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
        source = model.Auto(domains) if written == "auto" else model.Internal(domains)
        why = checks.certificateProblem(source)
        if why is not None:
            self.wrong(below, why)
        return source


class _SiteReader(_Reader):
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
        certificate: str | schema.KeyPair = "auto" if isShort else value.certificate
        hasWWW = not isShort and value.www == "redirect"
        source = self.certificate(() if isShort else ("certificate",), certificate, (name,))
        if hasWWW and ("*" in name or names.isAddress(name)):
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


class _RouteReader(_Reader):
    """
    Reads one route.
    """

    def route(self, written: schema.Route) -> model.Route:
        """
        @param written: What the file says.
        @return: What it means, as far as it makes sense.
        """
        match, action = written.match, written.action
        domains = tuple(_listed(match.domains))
        places: tuple[tuple[model.Target, ...], str | None] = ((), None)
        if isinstance(action, schema.Forward):
            places = self.readTargets(("action", "targets"), action.targets)
        return model.Route(
            name=written.name or "",
            ports=self._ports(match.ports),
            action=self._action(action, *places),
            protocol=self._protocol(match, action, places[1]),
            domains=domains,
            path=match.path,
            tls=self._tls(action.tls, domains),
            priority=written.priority,
            line=self._findings.mark(self._path).line,
        )

    def _ports(self, written: Any) -> tuple[int, ...]:
        found: set[int] = set()
        for index, each in enumerate(_listed(written)):
            below: Path = ("match", "ports", index) if isinstance(written, list) else ("match", "ports")
            first, last = (each, each) if isinstance(each, int) else (each.first, each.last)
            ports = range(first, last + 1)
            twice = next((port for port in ports if port in found), None)
            if twice is not None:
                self.wrong(below, f"lists port {twice} twice")
            found.update(ports)
        return tuple(sorted(found))

    def _protocol(self, match: schema.Match, action: Any, scheme: str | None) -> Literal["http", "tcp"]:
        """
        Settle what is spoken, and find what contradicts it.
        """
        isPassthrough = isinstance(action.tls, schema.Passthrough)
        because = None
        if match.path is not None:
            because = "path"
        elif isinstance(action, (schema.Redirect, schema.Respond)):
            because = f"type: {action.type}"
        elif scheme is not None:
            because = f"a target with {scheme}://"
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
        if isinstance(written, schema.Passthrough):
            return model.TLS("passthrough")
        return model.TLS(
            "terminate", self.certificate(("action", "tls", "certificate"), written.certificate, domains)
        )

    def _action(self, written: Any, places: tuple[model.Target, ...], scheme: str | None) -> model.Action:
        if isinstance(written, schema.Forward):
            return model.Forward(places, self._upstreamTLS(written.tls, places, scheme))
        if isinstance(written, schema.Redirect):
            return model.Redirect(written.to, written.status)
        if isinstance(written, schema.Respond):
            return self._respond(written)
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

    def _respond(self, written: schema.Respond) -> model.Respond:
        fields: list[tuple[str, str]] = []
        seen: set[str] = set()
        for name, value in written.headers.items():
            path: Path = (*self._path, "action", "headers", name)
            if name.lower() in seen:
                self._findings.add(
                    path, "is given twice: case does not matter, a list repeats a field", atKey=True
                )
            seen.add(name.lower())
            fields.extend((name, str(each)) for each in _listed(value))
        if written.body and written.status in (204, 304):
            self.wrong(("action", "body"), f"cannot be sent with status {written.status}, which has none")
        return model.Respond(written.status, tuple(fields), written.body)


def _listed(value: Any) -> list[Any]:
    """
    One, several or none as a list.
    """
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _nameOf(route: model.Route) -> str:
    """
    A name for a route that has none: what it matches, so that it stays the same
    wherever in the file the route stands.
    """
    first, last = route.ports[0], route.ports[-1]
    ports = str(first) if first == last else f"{first}-{last}"
    return f"{route.domains[0] if route.domains else ''}:{ports}{route.path or ''}"


def _unused(name: str, taken: set[str]) -> str:
    """
    The name, with a number where it is taken.
    """
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name} #{number}"
    return found


def _renamed(route: model.Route, name: str) -> model.Route:
    return replace(route, name=name)
