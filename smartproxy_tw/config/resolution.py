"""
From what a file says to what it means: a L{Config<smartproxy_tw.config.model.Config>}.

Defaults are filled in, short forms written out, paths made absolute, protocols
settled; whatever contradicts itself or cannot work is found, all of it at once.
What the schema refuses in one route or section does not keep the others from
being looked at.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from ipaddress import ip_network
from os import defpath
from shutil import which
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from ..facts import Address
from . import checks, model, names, schema, sites, texts
from .defaults import adminSocket, stateDir
from .division import divided
from .document import Node, Path, plain
from .elsewhere import elsewhere
from .errors import ConfigError
from .findings import Findings
from .locations import Locations
from .readers import RouteReader, SiteReader, listed, portsOf
from .revisionreader import PageReader, inherited
from .safeguards import Safeguards, misplaced
from .safeguards import inherited as guarded

if TYPE_CHECKING:
    from . import (
        acmesection,
        adminsection,
        dnssection,
        limitsection,
        logsection,
        proxysection,
        routesection,
        sitesection,
    )
else:
    dnssection = elsewhere("dnssection")
    sitesection = elsewhere("sitesection")

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


def resolve(
    findings: Findings, directories: Mapping[str, str], environ: Mapping[str, str], source: str | None = None
) -> model.Config:
    """
    Work out what a configuration means.

    @param findings: With the configuration, and with what is wrong already.
    @param directories: For each file of the marks the directory that relative
        paths count from.
    @param environ: Where the default state directory depends on.
    @param source: The file that it is read from, absolute, if there is one.
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
    made = _Resolver(findings, directories, environ, source).config(written, kept, None if isWhole else value)
    if findings.problems:
        raise ConfigError(findings.problems)
    return made


class _Resolver:
    """
    Turns one file into one configuration.
    """

    def __init__(
        self,
        findings: Findings,
        directories: Mapping[str, str],
        environ: Mapping[str, str],
        source: str | None,
    ) -> None:
        self._findings = findings
        self._files = Locations(findings, directories)
        self._environ = environ
        self._source = source
        # Where it is wrong it was left out, and is not missed once more.
        self._isDNSWrong = any(path[:2] == ("acme", "dns") for path in findings.places)

    def config(
        self, written: schema.File, kept: list[int], value: Mapping[str, Any] | None = None
    ) -> model.Config:
        """
        @param written: What the file says.
        @param kept: The index in the file of each route.
        @param value: All that stands there, where some of it had to be left out; L{None}: nothing had to.
        """
        isWhole = value is None
        acme = self._acme(written.acme)
        usual = Safeguards(self._findings, self._files, ("defaults",))
        defaults = written.defaults
        self._usual = None if defaults is None else usual.security(defaults.security)
        self._usualHeaders = None if defaults is None else usual.headers(defaults.securityHeaders)
        wrong = {path[:2] for path in self._findings.places}
        self._files.modules = self._modules(written.pythonPath)
        placed = self._routes(written.routes, kept, acme)
        ofSites = self._sites(written.sites, acme)
        if value is not None:
            # What is wrong in acme may be what would be missed.
            byDNS = "dns-01" in acme.challenges or any(each[0] == "acme" for each in wrong if each)
            self._remainders(value, kept, written.sites, byDNS=byDNS)
        if not wrong & {("acme",), ("acme", "http_port"), ("acme", "tls_port")}:
            placed += ofSites
        for path, message in checks.conflicts(placed):
            self._findings.add(path, message)
        if isWhole:
            self._checkHooks(placed, acme)
        if isWhole and not placed and not self._findings.problems:
            self._findings.add((), "there is nothing to serve: give sites or routes")
        self._checkLimits(written.limits)
        state = self._stateDir(written.stateDir)
        made = model.Config(
            routes=tuple(each.route for each in placed),
            stateDir=state,
            bind=tuple(listed(written.bind)),
            accessLog=self._accessLog(written.accessLog),
            timeouts=model.Timeouts(**dict(written.timeouts or ())),
            limits=model.Limits(**dict(written.limits or ())),
            trustedProxies=tuple(ip_network(each) for each in listed(written.trustedProxies)),
            workers=written.workers,
            acme=acme,
            requestID=written.requestId,
            pythonPath=self._files.modules,
            watch=written.watch,
            http2PriorKnowledge=written.http2PriorKnowledge,
            logFormat="text" if written.log is None else written.log.format,
            admin=self._admin(written, placed, state),
            metrics=self._metrics(written.metrics, placed),
            errorPages=PageReader(self._findings, self._files, ("error_pages",), frozenset()).pages(
                written.errorPages
            ),
        )
        if written.proxyProtocol is not None:
            made = replace(
                made, proxyProtocol=self._proxyProtocol(written.proxyProtocol, made.ports, isWhole)
            )
        return divided(inherited(made))

    def _proxyProtocol(
        self, written: proxysection.ProxyProtocol, known: tuple[int, ...], isWhole: bool
    ) -> model.ProxyProtocol:
        """
        @param known: The ports that there are.
        """
        path: Path = ("proxy_protocol", "ports")
        ports = portsOf(written.ports, path, self._findings) or known
        unknown = next((port for port in ports if port not in known), None)
        if unknown is not None and isWhole:
            self._findings.add(path, f"lists port {unknown}, which nothing is served on")
        senders = tuple(ip_network(each) for each in listed(written.senders))
        if not senders:
            self._findings.add(("proxy_protocol", "from"), "is empty: nobody would be believed")
        return model.ProxyProtocol(ports, senders, written.mode, written.timeout)

    def _modules(self, written: str | list[str] | None) -> tuple[str, ...]:
        if written is None:
            return () if self._source is None else (os.path.dirname(self._source),)
        return self._files.places(("python_path",), listed(written))

    def _stateDir(self, text: str | None) -> str:
        if text is not None:
            return self._files.directory(("state_dir",), text)
        try:
            return stateDir(self._environ)
        except ValueError as why:
            self._findings.add((), str(why))
            return "/"

    def _admin(self, file: schema.File, placed: list[checks.Placed], state: str) -> model.Admin | None:
        written = file.admin
        if isinstance(written, str):
            return None
        if written is None:
            return model.Admin(adminSocket(state))
        path: Path = ("admin",)
        socket, tokenFile = written.socket, written.tokenFile
        listen = None if written.listen is None else Address(*texts.listener(str(written.listen)))
        bind = listed(file.bind)
        everywhere = {"0.0.0.0", "::"}
        if listen is not None and (not bind or everywhere & {*bind, listen.host} or listen.host in bind):
            for each in placed:
                if listen.port in each.route.ports:
                    message = (
                        f"has port {listen.port}, which route '{each.route.name}' listens on: choose another"
                    )
                    self._findings.add((*path, "listen"), message)
                    break
        return model.Admin(
            adminSocket(state) if socket is None else self._files.socket((*path, "socket"), socket, state),
            listen,
            None if written.token is None else texts.bearerToken(written.token),
            None if tokenFile is None else self._files.existing((*path, "token_file"), tokenFile),
        )

    def _metrics(
        self, written: adminsection.Metrics | None, placed: Sequence[checks.Placed]
    ) -> model.Metrics | None:
        if written is None:
            return None
        host, port = texts.listener(str(written.listen))
        for each in placed:
            if port in each.route.ports:
                message = f"port {port} is that of route {each.route.name}: choose another one"
                self._findings.add(("metrics", "listen"), message)
                break
        return model.Metrics(Address(host, port))

    def _checkLimits(self, written: limitsection.Limits | None) -> None:
        if written is None or written.urlBytes <= written.headBytes:
            return
        why = "the target is part of the head"
        if "urlBytes" in written.model_fields_set:
            self._findings.add(("limits", "url_bytes"), f"cannot be above head_bytes: {why}")
        else:
            message = f"cannot be below url_bytes, which is {written.urlBytes} by default: {why}"
            self._findings.add(("limits", "head_bytes"), message)

    def _accessLog(self, written: logsection.AccessLog | None) -> model.AccessLog:
        if written is None:
            return model.AccessLog()
        isFile = written.file != "stdout" and written.format != "off"
        file = self._files.creatable(("access_log", "file"), written.file) if isFile else "stdout"
        return model.AccessLog(written.format, file)

    def _acme(self, written: acmesection.Acme | None) -> model.Acme:
        if written is None:
            return model.Acme()
        caFile = written.caFile
        return model.Acme(
            email=written.email,
            directory=written.directory,
            caFile=None if caFile is None else self._files.existing(("acme", "ca_file"), caFile),
            external=self._external(("acme", "external_account"), written.externalAccount),
            profile=written.profile,
            keyType=written.keyType,
            challenges=self._challenges(written),
            dns=None if written.dns is None else self._dns(written.dns),
            preflight=_preflight(written.preflight),
            fallbacks=self._fallbacks(written),
            hooks=self._hooks(written),
            httpPort=written.httpPort,
            tlsPort=written.tlsPort,
        )

    def _challenges(self, written: acmesection.Acme) -> model.Challenges:
        if written.challenges is None:
            usual = model.Acme().challenges
            return (*usual, "dns-01") if written.dns is not None or self._isDNSWrong else usual
        if "dns-01" in written.challenges and written.dns is None and not self._isDNSWrong:
            self._findings.add(
                ("acme", "challenges"), "lists dns-01, which needs acme.dns: how records are put into the DNS"
            )
        elif "dns-01" not in written.challenges and written.dns is not None:
            self._findings.add(("acme", "dns"), "has no effect: add dns-01 to acme.challenges")
        return tuple(written.challenges)

    def _dns(
        self, written: dnssection.DynamicUpdate | dnssection.Hook | dnssection.Lexicon | dnssection.OwnZones
    ) -> model.DynamicUpdate | model.Hook | model.Lexicon | model.OwnZones:
        path: Path = ("acme", "dns")
        if isinstance(written, dnssection.OwnZones):
            listen = tuple(map(_address, listed(written.listen)))
            return model.OwnZones(tuple(written.zones), written.name, listen)
        if find_spec("dns") is None and not isinstance(written, dnssection.Lexicon):
            self._findings.add(
                path, "needs the library dnspython, which is not there: pip install 'smartproxy_tw[dns]'"
            )
        common: dict[str, Any] = {
            "zone": written.zone,
            "resolvers": tuple(map(_address, listed(written.resolvers))),
            "nameServers": tuple(map(_address, listed(written.nameServers))),
            "patience": written.patience,
        }
        if isinstance(written, dnssection.Hook):
            self._program((*path, "command"), written.command[0])
            return model.Hook(tuple(written.command), written.timeout, **common)
        if isinstance(written, dnssection.Lexicon):
            return self._lexicon(path, written, common)
        file = written.keySecretFile
        return model.DynamicUpdate(
            server=_address(written.server),
            keyName=written.keyName,
            keyAlgorithm=written.keyAlgorithm,
            keySecret=written.keySecret,
            keySecretFile=None if file is None else self._files.existing((*path, "key_secret_file"), file),
            ttl=written.ttl,
            **common,
        )

    def _lexicon(self, path: Path, written: dnssection.Lexicon, common: Mapping[str, Any]) -> model.Lexicon:
        from . import lexicon

        if lexicon.isThere():
            self._checkProvider(path, written)
        else:
            self._findings.add(
                path,
                "needs the library dns-lexicon, which is not there: pip install 'smartproxy_tw[lexicon]'",
            )
        files = written.optionFiles
        for name in sorted(written.options.keys() & files.keys()):
            self._findings.add((*path, "option_files", name), "is given by options already: leave one out")
        return model.Lexicon(
            written.provider,
            tuple(written.options.items()),
            tuple((name, self._files.existing((*path, "option_files", name), files[name])) for name in files),
            written.ttl,
            written.timeout,
            **common,
        )

    def _checkProvider(self, path: Path, written: dnssection.Lexicon) -> None:
        from . import lexicon

        provider, known = written.provider, lexicon.providers()
        if known and provider not in known:
            why = f"is no provider that dns-lexicon knows{_meant(provider, known)}"
            self._findings.refuse((*path, "provider"), why)
            return
        if lexicon.missingFor(provider):
            self._findings.add(
                (*path, "provider"),
                f"{provider} needs libraries that are not there: pip install 'dns-lexicon[{provider}]'",
            )
        options = lexicon.optionsOf(provider)
        for where, given in (("options", written.options), ("option_files", written.optionFiles)):
            for name in given:
                if options and name not in options:
                    why = _meant(name, options) or f"; it has {', '.join(options)}"
                    message = f"is no option of {provider}{why}"
                    self._findings.add((*path, where, name), message, atKey=True)

    def _hooks(self, written: acmesection.Acme) -> tuple[model.CertificateHook, ...]:
        made: list[model.CertificateHook] = []
        for index, each in enumerate(written.hooks):
            self._program(("acme", "hooks", index, "command"), each.command[0])
            made.append(
                model.CertificateHook(
                    tuple(each.command), tuple(listed(each.events)), tuple(listed(each.names)), each.timeout
                )
            )
        return tuple(made)

    def _checkHooks(self, placed: list[checks.Placed], acme: model.Acme) -> None:
        sources = [each.route.tls.certificate for each in placed if each.route.tls is not None]
        wanted = {name for each in sources if isinstance(each, model.Auto) for name in each.names}
        for index, hook in enumerate(acme.hooks):
            for name in hook.names:
                if name not in wanted:
                    message = f"lists {name}, for which no route wants a certificate by ACME"
                    self._findings.add(("acme", "hooks", index, "names"), message)

    def _program(self, path: Path, name: str) -> None:
        if "/" in name and not name.startswith("/"):
            self._findings.add(path, f"begins with {name}: give the absolute path of the program")
        elif which(name, path=self._environ.get("PATH", defpath)) is None:
            self._findings.add(path, f"begins with {name}, which is no program that this user can run")

    def _fallbacks(self, written: acmesection.Acme) -> tuple[model.Authority, ...]:
        made: list[model.Authority] = []
        taken = {written.directory}
        for index, each in enumerate(written.fallbacks):
            path: Path = ("acme", "fallbacks", index)
            if each.directory in taken:
                self._findings.refuse(
                    (*path, "directory"), "is an authority that is asked before: leave it out"
                )
            taken.add(each.directory)
            file = each.caFile
            made.append(
                model.Authority(
                    email=each.email or written.email,
                    directory=each.directory,
                    caFile=None if file is None else self._files.existing((*path, "ca_file"), file),
                    external=self._external((*path, "external_account"), each.externalAccount),
                    profile=each.profile,
                    keyType=written.keyType,
                )
            )
        return tuple(made)

    def _external(
        self, path: Path, written: acmesection.ExternalAccount | None
    ) -> model.ExternalAccount | None:
        if written is None:
            return None
        key, file = written.hmacKey, written.hmacKeyFile
        try:
            if key is not None:
                texts.macKey(key)
        except ValueError as why:
            # Not quoted: it is a secret.
            self._findings.add((*path, "hmac_key"), str(why))
        return model.ExternalAccount(
            keyID=written.keyId,
            hmacKey=key,
            hmacKeyFile=None if file is None else self._files.existing((*path, "hmac_key_file"), file),
        )

    def _remainders(
        self, value: Mapping[str, Any], kept: Sequence[int], sites: Mapping[str, Any], *, byDNS: bool
    ) -> None:
        """
        Routes and sites that were left out may have more that is wrong.
        """
        from .remainder import Remainder

        routes, named = value.get("routes"), value.get("sites")
        known = set(kept)
        for index, each in enumerate(routes if isinstance(routes, list) else ()):
            if index not in known:
                Remainder(self._findings, self._files, ("routes", index), byDNS=byDNS).tellOfRoute(each)
        for name, each in named.items() if isinstance(named, dict) else ():
            if name not in sites:
                Remainder(self._findings, self._files, ("sites", name)).tellOfSite(each)

    def _routes(
        self, written: list[routesection.Route], kept: list[int], acme: model.Acme
    ) -> list[checks.Placed]:
        placed: list[checks.Placed] = []
        byDNS = "dns-01" in acme.challenges
        taken = {route.name for route in written if route.name is not None and route.enabled}
        for index, route in zip(kept, written, strict=True):
            path: Path = ("routes", index)
            made = RouteReader(self._findings, self._files, path, byDNS=byDNS).route(route)
            if not route.enabled:
                continue
            if route.name is None:
                name = _unused(_nameOf(made), taken)
                taken.add(name)
                made = _renamed(made, name)
            made = self._withDefaults(made, route)
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
            site = SiteReader(self._findings, self._files, path, byDNS="dns-01" in acme.challenges).site(
                name, value
            )
            if site is not None:
                mark = self._findings.mark(path)
                own = value if isinstance(value, sitesection.Site) else None
                for route in sites.expand(site, acme):
                    for below, why in misplaced(route):
                        self._findings.add((*path, *below), why)
                    if isinstance(route.action, model.Redirect):
                        asked = site.asked.get("securityHeaders")
                        route = guarded(
                            replace(route, securityHeaders=asked), None, site.asked.get("security")
                        )
                    placed.append(checks.Placed(self._withDefaults(route, own), path, mark))
        return placed

    def _withDefaults(
        self, route: model.Route, written: routesection.Route | sitesection.Site | None
    ) -> model.Route:
        """
        @param written: L{None} where it says nothing of it.
        """
        made = guarded(route, None if written is None else written.security, self._usual)
        isSaid = written is not None and written.securityHeaders is not None
        if self._usualHeaders is not None and not isSaid and made.protocol == "http":
            made = replace(made, securityHeaders=self._usualHeaders)
        return made


def _meant(word: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _preflight(written: Literal["advisory", "strict", "off"] | acmesection.Preflight) -> model.Preflight:
    if isinstance(written, str):
        return model.Preflight(written)
    resolvers = tuple(map(_address, listed(written.resolvers)))
    return model.Preflight(written.mode, resolvers, written.httpPort, written.tlsPort)


def _address(text: str) -> Address:
    host, port = texts.nameServer(text)
    return Address(host, port)


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
