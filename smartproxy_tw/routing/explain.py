"""
Telling a person which route takes a URL, and why each other one does not.

The answer is that of the compiled table, asked as the data path asks it; the
reasons are read off the rules that the table was compiled from.  There is no
second set of rules here, only their words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlsplit

from ..config import names, texts
from ..config.checks import demands
from ..config.expressions import isSecret
from ..config.model import (
    Application,
    Auto,
    Block,
    Branch,
    CertificateSource,
    Config,
    Files,
    FileTree,
    Forward,
    Internal,
    Plugin,
    Redirect,
    Respond,
    Route,
    TLSPolicy,
)
from ..config.narration import revised
from ..config.runs import told
from ..config.spoken import withProtocol
from ..config.wards import asked as asking
from ..config.wards import denial
from ..facts import Address, ConnectionFacts, RequestFacts
from ..values import dataclass
from ..wire.target import BadTarget, hostOf, resolve
from .choice import judged
from .filling import Words
from .patterns import pathPattern
from .rewriting import Rewriting, Unfit
from .rule import Ask, Rule, Standing, readingRules
from .sight import Sight
from .steps import Steps, finish, paused
from .table import Chosen, Miss, PortTable, compilingTable

if TYPE_CHECKING:
    from ..config.revision import Rewrite

__all__ = ["Circumstances", "Explanation", "Verdict", "explain", "explaining"]

_DEFAULT_PORTS = {"http": 80, "https": 443, "tls": 443}

_CHALLENGE_PATH = "/.well-known/acme-challenge/"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """
    What routes can ask for and a URL does not tell.

    @ivar headers: Header fields, each as it is sent: C{X-Beta: yes}.
    @ivar method: The method.
    @ivar client: The address that it comes from, behind trusted proxies if any; empty:
        none is given, and nobody's is like it.
    @ivar tlsVersion: L{None}: the highest one that is spoken.
    """

    headers: tuple[str, ...] = ()
    method: str = "GET"
    client: str = ""
    tlsVersion: Literal["1.2", "1.3"] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What one route says to a URL.

    @ivar route: The route.
    @ivar reason: Why it does not take the URL: a word that says what it is
        about (C{port}, C{tls}, C{protocol}, C{domain}, C{path}, C{method},
        C{header}, C{query}, C{client}, C{precedence}), a colon, and the rest.  L{None} for the one that does.
    """

    route: Route
    reason: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    Which route takes a URL, and why each other one does not.

    @ivar url: As it was understood: with its port, its path resolved.
    @ivar route: The one that takes it, or L{None}.
    @ivar miss: Why none does; L{None} when one does.
    @ivar deeds: What would be done, in order; pairs of a word and a text.
    @ivar verdicts: One for each route, in the order of the configuration.
    """

    url: str
    route: Route | None
    miss: str | None
    deeds: tuple[tuple[str, str], ...]
    verdicts: tuple[Verdict, ...]

    def render(self) -> str:
        """
        The whole as text, each line ended.
        """
        lines = [self.url, ""]
        if self.route is not None:
            lines.append(f"  taken by    {_named(self.route)}")
        else:
            lines.append(f"  not taken   {self.miss}")
        lines += [f"  {word:<11} {text}" for word, text in self.deeds]
        others = [verdict for verdict in self.verdicts if verdict.reason is not None]
        if others:
            width = min(max(len(verdict.route.name) for verdict in others), 32)
            lines += ["", "The other routes:" if self.route is not None else "The routes:"]
            lines += [f"  {verdict.route.name:<{width}}  {verdict.reason}" for verdict in others]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class _Question:
    """
    A URL, read.

    @ivar name: Lower-case; empty where none is known.
    @ivar isAddress: Whether the name is an IP address: no SNI then.
    @ivar target: Path and query, resolved; empty where there is none.
    @ivar fields: The header fields, Host among them: names in lower case, and values.
    @ivar method: Of the request.
    @ivar client: In normal form; empty where none is given.
    @ivar tlsVersion: L{None} where none is given.
    """

    scheme: str
    port: int
    name: str
    isAddress: bool
    path: str
    target: str
    fields: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    client: str = ""
    tlsVersion: str | None = None

    def sight(self, version: str | None = None) -> Sight:
        """
        What conditions look at.

        @param version: Of TLS.
        """
        query = self.target.partition("?")[2]
        return Sight(self.client, self.method, query, lambda: self.fields, lambda: version)

    @property
    def isTLS(self) -> bool:
        """
        Whether the connection begins with a ClientHello.
        """
        return self.scheme in ("https", "tls")

    @property
    def isHTTP(self) -> bool:
        """
        Whether a request is asked about.
        """
        return self.scheme in ("https", "http")

    def facts(self) -> RequestFacts:
        """
        The request, as far as a URL tells.
        """
        connection = ConnectionFacts(self.port, Address(self.client, 0), self.serverName, isTLS=self.isTLS)
        query = self.target.partition("?")[2]
        return RequestFacts(connection, self.method, self.name, self.path, query, self.client)

    @property
    def serverName(self) -> str | None:
        """
        The SNI.
        """
        return None if self.isAddress or not self.name else self.name

    def __str__(self) -> str:
        host = f"[{self.name}]" if ":" in self.name else self.name
        return f"{self.scheme}://{host}:{self.port}{self.target}"


@dataclass(frozen=True, slots=True)
class _Asked:
    """
    One question that was put to the table, and its answer.
    """

    ask: Ask
    name: str
    path: str
    answer: Chosen | Miss
    sight: Sight


def explain(config: Config, url: str, circumstances: Circumstances | None = None) -> Explanation:
    """
    Explain which route takes a URL.

    @param url: C{https://name/path} or C{http://name/path}, for a request;
        C{tls://name:port}, for any TLS connection with that SNI;
        C{tcp://name:port}, for a connection without TLS.
    @param circumstances: What else there is to it; L{None}: nothing.
    @raise ValueError: The URL is none of these, a circumstance cannot be, or a route
        has a pattern that is none; the message is for the person who wrote it.
    """
    return finish(explaining(config, url, circumstances))


def explaining(config: Config, url: str, circumstances: Circumstances | None = None) -> Steps[Explanation]:
    """
    The same, step by step.
    """
    question = _within(_read(url), circumstances or Circumstances())
    rules = yield from readingRules(config.routes)
    port = (yield from compilingTable(config)).ports.get(question.port)
    asked = [] if port is None else _walk(port, question)
    known = {id(rule.route): rule for rule in rules}
    verdicts: list[Verdict] = []
    for rule, isPause in paused(rules):
        verdicts.append(Verdict(rule.route, _reason(rule, question, asked, known)))
        if isPause:
            yield
    deeds: list[tuple[str, str]] = []
    last = asked[-1].answer if asked else Miss(f"nothing listens on port {question.port}")
    if isinstance(last, Chosen):
        deeds = _deeds(last, asked, question)
    deeds += [("note", note) for note in _notes(config, question, asked)]
    if port is not None and not question.client and _asksClient(port):
        deeds.append(("note", "no client is given (--client ADDRESS): no route that asks for one takes it"))
    return Explanation(
        str(question),
        last.route if isinstance(last, Chosen) else None,
        last.reason if isinstance(last, Miss) else None,
        tuple(deeds),
        tuple(verdicts),
    )


def _read(url: str) -> _Question:
    """
    Read a URL as a client would: what has no place in a path is encoded, a
    fragment is dropped.
    """
    forms = "write https://name/path, http://name/path, tls://name:port or tcp://name:port"
    if not url.isprintable():
        raise ValueError(f"the URL {url!r} contains control characters; {forms}")
    try:
        parts = urlsplit(url.strip())
        number = parts.port
    except ValueError as why:
        raise ValueError(f"the URL {url!r} cannot be read: {why}; {forms}") from None
    if parts.scheme not in ("https", "http", "tls", "tcp"):
        raise ValueError(f"the URL {url!r} is of no kind that is known; {forms}")
    if number is None:
        number = _DEFAULT_PORTS.get(parts.scheme)
    if not number:
        raise ValueError(f"the URL {url!r} has no port; {forms}")
    name, isAddress = _readName(url, parts.hostname or "")
    if "@" in parts.netloc:
        raise ValueError(f"the URL {url!r} has a user in it; leave out what stands before the @")
    if parts.scheme in ("tls", "tcp"):
        if parts.path not in ("", "/") or parts.query:
            raise ValueError(f"the URL {url!r} has a path, which {parts.scheme}:// knows nothing of; {forms}")
        return _Question(parts.scheme, number, name, isAddress, "", "")
    if not name:
        raise ValueError(f"the URL {url!r} has no name; {forms}")
    target = parts.path + ("?" + parts.query if parts.query else "")
    safe = "".join(map(chr, range(0x21, 0x7F)))
    resolved = resolve(quote(target if target[:1] == "/" else "/" + target, safe).encode("ascii"))
    if isinstance(resolved, BadTarget):
        raise ValueError(f"the URL {url!r} would be answered with 400: {resolved.reason}")
    path = resolved.path.decode("ascii")
    return _Question(parts.scheme, number, name, isAddress, path, resolved.origin.decode("ascii"))


def _within(question: _Question, circumstances: Circumstances) -> _Question:
    """
    The same question, with what the URL does not tell.
    """
    client, method = circumstances.client, circumstances.method
    try:
        client = names.address(client) if client else ""
    except ValueError as why:
        raise ValueError(f"the client {client!r} {why}") from None
    try:
        texts.method(method)
    except ValueError as why:
        raise ValueError(f"the method {method!r} {why}") from None
    isUsual = _DEFAULT_PORTS.get(question.scheme) == question.port
    host = f"[{question.name}]" if ":" in question.name else question.name
    fields = [("host", host if isUsual else f"{host}:{question.port}"), *_fields(circumstances.headers)]
    return replace(
        question, fields=tuple(fields), method=method, client=client, tlsVersion=circumstances.tlsVersion
    )


def _fields(headers: Iterable[str]) -> Iterator[tuple[str, str]]:
    """
    Read header fields as they are sent.
    """
    for each in headers:
        name, colon, value = each.partition(":")
        if not colon:
            raise ValueError(f"the header field {each!r} has no colon: write 'Name: value'")
        try:
            found = texts.matchedField(name)
        except ValueError as why:
            raise ValueError(f"the header field {name!r} {why}") from None
        if found == "host":
            raise ValueError("the header field Host is the name in the URL: give it there")
        yield found, value.strip(" \t")


def _readName(url: str, host: str) -> tuple[str, bool]:
    """
    Bring the host of a URL into its normal form; say whether it is an address.
    """
    from ipaddress import ip_address

    if not host:
        return "", False
    try:
        return str(ip_address(host)), True
    except ValueError:
        pass
    try:
        name = hostOf(host.encode("ascii" if host.isascii() else "idna"))
    except UnicodeError:
        name = None
    if name is None:
        raise ValueError(f"the URL {url!r} has no valid host name")
    return name, False


def _walk(port: PortTable, question: _Question) -> list[_Asked]:
    """
    Put to the table what the data path would, in its order; the last answer is
    what becomes of it.
    """
    name, path, sight = question.name, question.path, question.sight()
    if not question.isTLS:
        if question.isHTTP and (port.takesHTTP or not port.takesTCP):
            answer = port.decideRequest(False, name, path, sight)
            return [_Asked(Ask.plainRequest, name, path, answer, sight)]
        return [_Asked(Ask.plainStream, "", "", port.decideStream(False, None, sight), sight)]
    if not port.takesTLS and port.takesTCP:
        return [_Asked(Ask.plainStream, "", "", port.decideStream(False, None, sight), sight)]
    serverName = question.serverName
    hello = _Asked(Ask.hello, serverName or "", "", port.decideHello(serverName, sight), sight)
    route = hello.answer.route if isinstance(hello.answer, Chosen) else None
    if route is None or route.tls is None or route.tls.mode == "passthrough":
        return [hello]
    sight = question.sight(_version(question, route))
    if route.protocol == "tcp":
        answer = port.decideStream(True, serverName, sight)
        return [hello, _Asked(Ask.tlsStream, hello.name, "", answer, sight)]
    if not question.isHTTP:
        return [hello]
    if port.isMisdirected(serverName, name, sight):
        # The only URLs in which the two names differ are those with an address.
        why = (
            f"421: the TLS for no name is not that for {name}, so the Host field asks on the wrong connection"
        )
        return [hello, _Asked(Ask.tlsRequest, name, path, Miss(why), sight)]
    answer = port.decideRequest(True, name, path, sight)
    if isinstance(answer, Chosen) and _policy(answer.route) != route.tls.policy:
        # Only a wildcard that is before a name, or behind it, can say something else about the handshake.
        answer = Miss(
            f"421: {_named(answer.route)} demands another handshake than {_named(route)}, by which it is made"
        )
    return [hello, _Asked(Ask.tlsRequest, name, path, answer, sight)]


def _version(question: _Question, route: Route) -> str:
    """
    The version of TLS that is agreed on.

    @param route: The one that decides about the handshake.
    @raise ValueError: The one that was given is not spoken.
    """
    policy = _policy(route)
    assert policy is not None
    version = question.tlsVersion or policy.highest
    if not policy.lowest <= version <= policy.highest:
        raise ValueError(
            f"TLS {version} is not spoken here: {_named(route)} has {policy.lowest} to {policy.highest}"
        )
    return version


def _policy(route: Route) -> TLSPolicy | None:
    return None if route.tls is None else route.tls.policy


def _reason(rule: Rule, question: _Question, asked: list[_Asked], known: Mapping[int, Rule]) -> str | None:
    """
    Why a rule does not take it, or L{None} if it does.

    @param asked: The questions; the last one that the rule answers is the one
        that it is judged by.
    @param known: The rule of each route, by what the route is called in memory.
    """
    if question.port not in rule.route.ports:
        return f"port: it listens on {_ports(rule.route.ports)}"
    last = asked[-1]
    if isinstance(last.answer, Chosen) and last.answer.route is rule.route:
        return None
    for each in reversed(asked):
        if rule.answers(each.ask):
            return _objection(rule, each, known)
    return _wrongKind(rule, last.ask)


def _wrongKind(rule: Rule, ask: Ask) -> str:
    """
    Why a rule has nothing to say to a question of this kind.
    """
    route = rule.route
    if (route.tls is None) != (ask in (Ask.plainRequest, Ask.plainStream)):
        return "tls: it takes plain connections only" if route.tls is None else "tls: it takes TLS only"
    kind = "HTTP" if route.protocol == "http" else "connections that are not HTTP"
    return f"protocol: it takes {kind} only"


def _objection(rule: Rule, asked: _Asked, known: Mapping[int, Rule]) -> str:
    """
    Why a rule that answers this question was not the one chosen.
    """
    domain = rule.best(asked.name)
    if domain is None:
        if not asked.name:
            return f"domain: it needs {_oneOf(rule.route.domains)}, and no name is given"
        return f"domain: {asked.name} is not {_oneOf(rule.route.domains)}"
    path = rule.pathFor(asked.ask)
    if path.match(asked.path) is None:
        return f"path: {asked.path} is not {path.text}"
    for each in rule.conditionsFor(asked.ask):
        if not each.holds(asked.sight):
            return each.objection(asked.sight)
    if isinstance(asked.answer, Miss):
        return "tls: it is not asked, as the connection is for another name"
    winner = known[id(asked.answer.route)]
    winning = winner.best(asked.name)
    assert winning is not None
    verb = "takes the TLS first" if asked.ask is Ask.hello else "is before it"
    why = _comparison(rule.standing(domain, asked.ask), winner.standing(winning, asked.ask))
    return f"precedence: {winner.route.name} {verb}, {why}"


def _comparison(loser: Standing, winner: Standing) -> str:
    """
    The first thing in which two standings differ.
    """
    if winner.priority != loser.priority:
        return f"by its priority of {-winner.priority} over {-loser.priority}"
    if winner.domain != loser.domain:
        return "by its more specific domain"
    if winner.path != loser.path:
        return "by its more specific path"
    if winner.conditions != loser.conditions:
        many = "condition" if winner.conditions == -1 else "conditions"
        return f"by its {-winner.conditions} {many} over {-loser.conditions}"
    return "by its place in the file"


def _deeds(chosen: Chosen, asked: list[_Asked], question: _Question) -> list[tuple[str, str]]:
    """
    What the chosen route does.
    """
    found: list[tuple[str, str]] = []
    hello = asked[0].answer
    if asked[0].ask is Ask.hello and isinstance(hello, Chosen) and hello.route.tls is not None:
        certificate = hello.route.tls.sourceFor(question.serverName)
        if certificate is None:
            found.append(("tls", "passed through untouched"))
        else:
            whose = "" if hello.route is chosen.route else f", as {_named(hello.route)} says"
            found.append(("tls", f"ends here{demands(hello.route.tls.policy)}{whose}"))
            found.append(("certificate", _certificate(certificate)))
    if chosen.parameters:
        found.append(("parameters", ", ".join(f"{name}={value}" for name, value in chosen.parameters)))
    found += [("guard", each) for each in asking(chosen.route)]
    why = denial(chosen.route, question.client)
    if why is not None:
        found.append(("denied", why))
    action = chosen.route.action
    if isinstance(action, Forward) and action.branches:
        found.append(("action", "forward, choosing among its targets"))
        found += _branches(action.branches, asked[-1])
    else:
        found.append(("action", _action(chosen.route, asked[-1].ask)))
    if question.isHTTP:
        found += _revisions(chosen.route, question)
    return found


def _revisions(route: Route, question: _Question) -> Iterator[tuple[str, str]]:
    """
    What is changed on the way there and back.
    """
    if route.rewrite is not None:
        words = Words(question.facts, lambda: question.fields, route.name, pathPattern(route.path))
        try:
            target = Rewriting(route.rewrite).target(words)
        except Unfit as why:
            yield "asked for", f"nothing: what comes of rewriting is answered with {why.status}"
        else:
            text = question.target if target is None else _hidden(target.decode("ascii"), route.rewrite)
            yield "asked for", text
    yield from revised(route)


def _hidden(target: str, rewrite: Rewrite) -> str:
    """
    A target without what its query was given by names that secrets have.
    """
    path, mark, query = target.partition("?")
    parameters = query.split("&")
    # Those that are set stand at the end, in their order, with no & in any of them.
    first = len(parameters) - len(rewrite.querySet)
    for place, (name, _) in enumerate(rewrite.querySet, first):
        if isSecret(name):
            parameters[place] = f"{parameters[place].partition('=')[0]}=(hidden)"
    return path + mark + "&".join(parameters)


def _certificate(source: CertificateSource) -> str:
    """
    Where a certificate comes from.
    """
    if isinstance(source, Auto):
        return f"by ACME for {', '.join(source.names)}"
    if isinstance(source, Internal):
        return f"by the local authority for {', '.join(source.names) or 'localhost'}"
    assert isinstance(source, Files)
    return f"from {source.certificate}"


def _action(route: Route, ask: Ask) -> str:
    """
    What a route does, in words.
    """
    action = route.action
    if isinstance(action, Forward):
        return _forward(action)
    if isinstance(action, Redirect):
        return f"redirect with {action.status} to {action.to}"
    if isinstance(action, Respond):
        return f"respond with {action.status} and {len(action.body.encode())} bytes"
    if isinstance(action, Plugin):
        return f"as the {action} does"
    if isinstance(action, FileTree):
        return f"answer with the files below {action.root}"
    if isinstance(action, Application):
        return f"hand over to {action.kind or 'the application'} {action.factory}"
    assert isinstance(action, Block)
    if action.isReset:
        return "block: reset the connection"
    return f"block: {action.status}" if ask.seesPath else "block: close the connection"


def _forward(action: Forward) -> str:
    """
    Where to, in words.
    """
    tls = action.tls
    spoken = ""
    if tls is not None:
        whose = f" for {tls.serverName}" if tls.serverName else ""
        verified = f"its certificate verified{whose}" if tls.verify else "its certificate NOT verified"
        spoken = f", over TLS, {verified}"
    if action.dynamic is not None:
        return f"forward to what {action.dynamic} gives{spoken}"
    targets = ", ".join(map(withProtocol, action.targets))
    algorithm = action.balance.algorithm
    turns = " in turn" if algorithm == "round-robin" else f" by {algorithm}"
    if len(action.targets) == 1 and not action.targets[0].isService:
        turns = ""
    return f"forward to {targets}{turns}{spoken}"


def _branches(branches: Sequence[Branch], asked: _Asked) -> Iterator[tuple[str, str]]:
    """
    Which targets it goes to, and why not to the others.
    """
    path = asked.path if asked.ask.seesPath else None
    found: tuple[object, ...] | None = None
    for branch, tier, why in judged(branches, path, asked.sight):
        if why is None and found in (None, tier):
            found = tier
            fields = f", with {', '.join(name for name, _ in branch.headers)}" if branch.headers else ""
            yield "targets", _forward(branch.forward).removeprefix("forward to ") + fields
        else:
            what = _forward(branch.forward).removeprefix("forward to ")
            yield "not", f"{what}: {why or 'those before it come first'}"
    if found is None:
        yield "targets", "none: 503, as no target is for this and none is for the rest"


def _notes(config: Config, question: _Question, asked: list[_Asked]) -> list[str]:
    """
    What else there is to know about this URL.
    """
    found: list[str] = []
    if question.scheme == "http" and question.path.startswith(_CHALLENGE_PATH):
        served = config.challenges if config.autoCertificates else ()
        if "http-01" in served and question.port == config.acme.httpPort:
            found.append("an ACME challenge that is open is answered here before any route is asked")
        else:
            found.append("no ACME challenge is answered on this port by this configuration")
    if question.isTLS and asked and asked[0].ask is Ask.plainStream:
        found.append("no route on this port has to do with TLS: its bytes are taken as they come")
    elif question.scheme == "http" and asked and asked[0].ask is Ask.plainStream:
        found.append("no route on this port takes plain HTTP: its bytes are taken as they come")
    if question.scheme == "tls" and len(asked) == 1 and isinstance(asked[0].answer, Chosen):
        if asked[0].answer.route.protocol == "http":
            found.append("this is the route that decides about TLS; each request is routed by its path")
    if question.isTLS and question.isAddress:
        found.append("a client that connects to an address sends no server name")
    return found


def _asksClient(port: PortTable) -> bool:
    return port.asksClient or "client_ip" in port.requestFactsBeyondPath


def _oneOf(domains: tuple[str, ...]) -> str:
    """
    Some domains, not all if there are many.
    """
    shown = list(domains[:4]) + ([f"{len(domains) - 4} more"] if len(domains) > 4 else [])
    return shown[0] if len(shown) == 1 else "one of " + ", ".join(shown)


def _ports(ports: tuple[int, ...]) -> str:
    """
    Some ports.
    """
    shown = told(ports)
    return ", ".join(shown[:6] + (["and others"] if len(shown) > 6 else []))


def _named(route: Route) -> str:
    """
    A route by its name, and its line if it came from a file.
    """
    return f"{route.name} (line {route.line})" if route.line else route.name
