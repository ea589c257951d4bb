"""
One route, or one site, from what is written to what it means.

What contradicts itself within the one is found here; what routes do to one
another is for L{smartproxy_tw.config.checks}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic.alias_generators import to_snake

from . import actionsection, blanks, checks, model, names, sites
from .branching import (
    Item,
    TargetReader,
    fieldLines,
    fieldsAsked,
    forwardOf,
    listed,
    pluginOf,
    proxyHeader,
    spokenProblems,
)
from .document import Path
from .elsewhere import elsewhere
from .findings import Findings
from .lastingreader import timeoutsOf, webSocketOf
from .locations import Locations
from .plugin import plugins
from .revisionreader import RevisionReader
from .safeguards import Safeguards, misplaced
from .spreading import balanceOf, healthOf, spreadProblems

if TYPE_CHECKING:
    from . import answersection, matching, routesection, sitesection, tlssection
else:
    answersection = elsewhere("answersection")
    sitesection = elsewhere("sitesection")
    tlssection = elsewhere("tlssection")

__all__ = ["RouteReader", "SiteReader", "listed", "portsOf"]


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


class _Reader:
    """
    What routes and sites have in common: certificates, and what their requests undergo.
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

    def keyPair(self, below: Path, written: tlssection.KeyPair) -> model.Files:
        """
        @param below: Where it was written.
        """
        path = (*self._path, *below)
        return model.Files(
            self._files.existing((*path, "cert"), written.cert),
            self._files.existing((*path, "key"), written.key),
        )

    def certificate(
        self, below: Path, written: str | tlssection.KeyPair, domains: tuple[str, ...]
    ) -> model.CertificateSource:
        """
        @param below: Where it was written.
        @param domains: What it has to cover.
        """
        if isinstance(written, tlssection.KeyPair):
            return self.keyPair(below, written)
        source = model.Auto(names.uncovered(domains)) if written == "auto" else model.Internal(domains)
        why = checks.certificateProblem(source, byDNS=self._byDNS)
        if why is not None:
            self.wrong(below, why)
        return source

    def asked(
        self, written: routesection.Route | sitesection.Site, reader: RevisionReader, *, isForward: bool
    ) -> dict[str, Any]:
        """
        What requests and answers are to undergo, whatever is done with them.

        @param reader: Of what is changed in them.
        @param isForward: Whether requests go on.
        @return: The fields of a L{model.Route}.
        """
        guards = Safeguards(self._findings, self._files, self._path)
        return {
            **reader.revisions(written, isForward),
            "security": guards.security(written.security),
            "cors": guards.cors(written.cors),
            "securityHeaders": guards.headers(written.securityHeaders),
            "bodyBytes": None if written.limits is None else written.limits.bodyBytes,
            "timeouts": timeoutsOf(written.timeouts),
            "webSocket": webSocketOf(written.websocket),
        }


class SiteReader(_Reader):
    """
    Reads one site.
    """

    def site(self, name: str, value: Any) -> sites.Site | None:
        """
        @param name: Its name, in normal form.
        @param value: A target, or a L{Site<smartproxy_tw.config.sitesection.Site>}.
        """
        before = len(self._findings.problems)
        reader = TargetReader(self._findings, self._files, self._path)
        isShort = not isinstance(value, sitesection.Site)
        below: Path = () if isShort else ("to",)
        items = reader.read(below, value if isShort else value.to)
        if not all(item.isAlike for item in items):
            self.wrong(below, "has a target that is not for everything: write a route for that")
        if len({item.scheme == "https" for item in items}) > 1:
            self.wrong(below, "mixes targets with and without https://: write a route for that")
        why = checks.serverNameProblem((name,))
        if why is not None:
            self.wrong((), why)
            return None
        certificate: str | tlssection.KeyPair = "auto" if isShort else value.certificate
        hasWWW = not isShort and value.www == "redirect"
        forward = model.Forward(
            tuple(target for item in items for target in item.targets),
            model.UpstreamTLS() if items[0].scheme == "https" else None,
            balance=balanceOf(None if isShort else value.loadBalancing),
            health=healthOf(None if isShort else value.health),
        )
        spreadProblems(self.wrong, (), forward, "http", "to")
        spokenProblems(self.wrong, items, forward, below)
        revised = RevisionReader(self._findings, self._files, self._path, frozenset())
        asked = {} if isShort else self.asked(value, revised, isForward=True)
        source = self.certificate(() if isShort else ("certificate",), certificate, (name,))
        if hasWWW and not names.isHost(f"www.{name}"):
            self.wrong(("www",), f"there is no www name beside {name}")
        if len(self._findings.problems) > before:
            return None
        kind: Literal["auto", "internal"] = "auto" if isinstance(source, model.Auto) else "internal"
        return sites.Site(
            name,
            forward,
            hasWWW,
            source if isinstance(source, model.Files) else kind,
            self._findings.mark(self._path).line,
            asked,
        )


class RouteReader(_Reader):
    """
    Reads one route.
    """

    def route(self, written: routesection.Route) -> model.Route:
        """
        @param written: What the file says.
        @return: What it means, as far as it makes sense.
        """
        match, action = written.match, written.action
        domains = tuple(listed(match.domains))
        items: tuple[Item, ...] = ()
        if isinstance(action, actionsection.Forward):
            targets = TargetReader(self._findings, self._files, self._path)
            header = proxyHeader(action.sendProxyProtocol)
            where = ("action", "targets")
            items = targets.read(where, action.targets, header, action.decisionTimeout, action.protocol)
        reader = RevisionReader(self._findings, self._files, self._path, blanks.parameters(match.path))
        protocol = self._protocol(written, items)
        deed = self._action(action, match, reader, items)
        if isinstance(deed, model.Forward):
            spreadProblems(self.wrong, ("action",), deed, protocol)
            spokenProblems(self.wrong, items, deed, ("action", "protocol"))
        made = model.Route(
            name=written.name or "",
            ports=portsOf(match.ports, (*self._path, "match", "ports"), self._findings),
            action=deed,
            protocol=protocol,
            domains=domains,
            path=match.path,
            tls=self._tls(action.tls, domains),
            priority=written.priority,
            line=self._findings.mark(self._path).line,
            conditions=self._conditions(match, action),
            **self.asked(written, reader, isForward=isinstance(action, actionsection.Forward)),
        )
        for below, why in misplaced(made):
            self.wrong(below, why)
        return made

    def filesOf(self, written: Any) -> None:
        """
        Look just for the files that TLS needs.

        @param written: What stands as C{tls} of an action.
        """
        if not isinstance(written, (tlssection.Terminate, tlssection.Reencrypt)):
            return
        if isinstance(written.certificate, tlssection.KeyPair):
            self.keyPair(("action", "tls", "certificate"), written.certificate)
        self._policy(("action", "tls"), written)
        if isinstance(written, tlssection.Reencrypt) and written.caFile is not None:
            self._files.existing((*self._path, "action", "tls", "ca_file"), written.caFile)

    def deed(self, written: routesection.Route) -> None:
        """
        Look just at what is done, where nothing is forwarded.

        @param written: A route, of which the match and the action count.
        """
        parameters = blanks.parameters(written.match.path)
        reader = RevisionReader(self._findings, self._files, self._path, parameters)
        self._action(written.action, written.match, reader, ())

    def _conditions(self, match: matching.Match, action: Any) -> model.Conditions:
        versions = tuple(listed(match.tlsVersion))
        if versions and action.tls is None:
            self.wrong(("match", "tls_version"), "needs TLS that ends here: add action.tls, or leave it out")
        elif versions and isinstance(action.tls, (tlssection.Terminate, tlssection.Reencrypt)):
            spoken = [each for each in versions if action.tls.minVersion <= each <= action.tls.maxVersion]
            if not spoken:
                self.wrong(
                    ("match", "tls_version"),
                    f"is never {' or '.join(versions)}: action.tls speaks "
                    f"{action.tls.minVersion} to {action.tls.maxVersion}",
                )
        return model.Conditions(
            headers=fieldsAsked(self._findings, (*self._path, "match", "headers"), match.headers or {}),
            query=tuple((name, tuple(listed(value))) for name, value in (match.query or {}).items()),
            methods=tuple(listed(match.method)),
            clients=tuple(listed(match.clientIp)),
            tlsVersions=versions,
            plugins=tuple(self._matcher(name, written) for name, written in match.plugged.items()),
        )

    def _matcher(self, name: str, written: Any) -> model.Plugin:
        path: Path = (*self._path, "match", name)
        if not isinstance(written, dict):
            self._findings.refuse(path, "has to be a mapping: the settings of the plug-in")
            return model.Plugin(name)
        return pluginOf("matcher", name, written, path, self._findings)

    def _protocol(self, written: routesection.Route, items: Sequence[Item]) -> Literal["http", "tcp"]:
        """
        Settle what is spoken, and find what contradicts it.
        """
        match, action = written.match, written.action
        isPassthrough = isinstance(action.tls, tlssection.Passthrough)
        isCode = isinstance(action, answersection.Socket) and action.kind == "protocol"
        because = None
        asked = next((each for each in _NEED_HTTP if getattr(match, each) is not None), None)
        if asked is not None:
            because = to_snake(asked)
        elif any(plugins().get("matcher", name).needsHTTP for name in match.plugged):
            because = next(iter(match.plugged))
        elif isinstance(action, (answersection.Redirect, answersection.Files)) or (
            isinstance(action, answersection.Respond) and match.protocol != "tcp"
        ):
            because = f"type: {action.type}"
        elif (
            isinstance(action, answersection.PluginAction) and plugins().get("action", action.type).needsHTTP
        ):
            because = f"type: {action.type}"
        elif isinstance(action, answersection.Socket) and action.kind != "protocol":
            because = f"kind: {action.kind}" if action.kind else "type: socket (but for kind: protocol)"
        elif any(item.scheme for item in items):
            because = f"a target with {next(item.scheme for item in items if item.scheme)}://"
        elif any(item.protocol != "http/1.1" for item in items):
            because = f"protocol: {next(each.protocol for each in items if each.protocol != 'http/1.1')}"
        elif any(item.needsHTTP for item in items):
            because = "the match of a target"
        else:
            asked = next((each for each in _REVISE_HTTP if getattr(written, each)), None)
            because = None if asked is None else to_snake(asked)
        if isCode and (because is not None or match.protocol == "http"):
            self.wrong(
                ("action", "kind"),
                f"protocol takes what is not HTTP, which {because or 'protocol: http'} needs",
            )
        elif isPassthrough and because is not None:
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
        elif (match.protocol == "tcp" or isCode) and match.domains and action.tls is None:
            self.wrong(
                ("match", "domains"), "cannot be seen in plain TCP: add tls, or leave out protocol: tcp"
            )
        if match.protocol is not None:
            return match.protocol
        if isPassthrough or isCode:
            return "tcp"
        return "http" if because is not None or action.tls is not None or match.domains else "tcp"

    def _tls(self, written: Any, domains: tuple[str, ...]) -> model.TLS | None:
        if written is None:
            return None
        why = checks.serverNameProblem(domains)
        if why is not None:
            self.wrong(("match", "domains"), why)
        if isinstance(written, tlssection.Passthrough) or why is not None:
            return model.TLS("passthrough")
        below: Path = ("action", "tls")
        source = self.certificate((*below, "certificate"), written.certificate, domains)
        return model.TLS("terminate", source, self._policy(below, written))

    def _policy(self, below: Path, written: tlssection.Terminate | tlssection.Reencrypt) -> model.TLSPolicy:
        clients = None
        if written.clientCertificates is not None:
            path = (*self._path, *below, "client_certificates", "ca_file")
            caFile = self._files.existing(path, written.clientCertificates.caFile)
            clients = model.ClientCertificates(written.clientCertificates.mode, caFile)
        ciphers = tuple(written.ciphers or ())
        return model.TLSPolicy(written.minVersion, written.maxVersion, ciphers, clients, written.http2)

    def _action(
        self, written: Any, match: matching.Match, reader: RevisionReader, items: Sequence[Item]
    ) -> model.Action:
        if isinstance(written, actionsection.Forward):
            return self._forward(written, items)
        if isinstance(written, answersection.Redirect):
            reader.checkParameters(("action", "to"), blanks.parse(written.to))
            return model.Redirect(written.to, written.status)
        if isinstance(written, answersection.Respond):
            return self._respond(written, match, reader)
        path: Path = (*self._path, "action")
        if isinstance(written, answersection.PluginAction):
            return pluginOf("action", written.type, written.model_extra or {}, path, self._findings)
        if isinstance(written, answersection.Files):
            from . import deeds

            return deeds.fileTree(written, match.path, path, self._findings, self._files)
        if isinstance(written, answersection.Socket):
            from . import deeds

            return deeds.application(written, path, self._findings, self._files)
        return self._block(written)

    def _forward(self, written: actionsection.Forward, items: Sequence[Item]) -> model.Forward:
        pool = written.pool
        places = tuple(target for item in items for target in item.targets)
        schemes = [item.scheme for item in items]
        isMixed = len({scheme == "https" for scheme in schemes}) > 1
        scheme = "http" if "http" in schemes and isMixed else next((each for each in schemes if each), None)
        common = model.Forward(
            places,
            self._upstreamTLS(written.tls, places, scheme),
            model.Pool() if pool is None else model.Pool(pool.connections, pool.queue, pool.wait),
            balance=balanceOf(written.loadBalancing),
            health=healthOf(written.health),
        )
        isReencrypt = isinstance(written.tls, tlssection.Reencrypt)
        return forwardOf(items, common, self._findings, self._files, self._path, isReencrypt)

    def _upstreamTLS(
        self, written: Any, places: tuple[model.Target, ...], scheme: str | None
    ) -> model.UpstreamTLS | None:
        isReencrypt = isinstance(written, tlssection.Reencrypt)
        if scheme == "http" and isReencrypt:
            self.wrong(("action", "targets"), "http:// contradicts mode: terminate-and-reencrypt")
        if scheme == "https" and isinstance(written, tlssection.Terminate):
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

    def _block(self, written: answersection.Block) -> model.Block:
        if written.reset:
            for option in written.model_fields_set & {"status", "body"}:
                self.wrong(("action", option), "has no effect with reset: leave out one of them")
        return model.Block(written.status, written.body, written.reset)

    def _respond(
        self, written: answersection.Respond, match: matching.Match, reader: RevisionReader
    ) -> model.Respond:
        if match.protocol == "tcp":
            for option in written.model_fields_set & {"status", "headers"}:
                self.wrong(("action", option), "needs HTTP: over plain TCP there is only the body")
            pieces = blanks.parse(written.body)
            blank = next((each for each in pieces if isinstance(each, blanks.Blank)), None)
            if blank is not None:
                why = f"uses {blank}, which needs HTTP: over plain TCP nothing is filled in ({{{{ is a brace)"
                self.wrong(("action", "body"), why)
        fields = fieldLines(self._findings, (*self._path, "action", "headers"), written.headers)
        for name, value in fields:
            reader.checkParameters(("action", "headers", name), blanks.parse(value))
        reader.checkParameters(("action", "body"), blanks.parse(written.body))
        if written.body and written.status in (204, 304):
            self.wrong(("action", "body"), f"cannot be sent with status {written.status}, which has none")
        return model.Respond(written.status, fields, written.body)
