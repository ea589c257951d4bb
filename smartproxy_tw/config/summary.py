"""
What a configuration does, port by port, for people: what C{smartproxy check}
prints when nothing is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .checks import demands
from .expressions import shown
from .model import (
    LETSENCRYPT,
    LETSENCRYPT_STAGING,
    Application,
    Auto,
    Branch,
    CertificateHook,
    Conditions,
    Config,
    Files,
    FileTree,
    Forward,
    Health,
    Internal,
    Plugin,
    Redirect,
    Respond,
    Route,
    Target,
)
from .narration import revised
from .runs import told
from .spoken import withProtocol
from .texts import isLoopback
from .wards import asked

__all__ = ["render"]

#: Names that no public authority certifies (RFC 6761, RFC 6762, RFC 8375 and
#: ICANN's decision on "internal").
_PRIVATE = ("localhost", "test", "example", "invalid", "local", "internal", "home.arpa", "onion")


def render(config: Config, file: str) -> str:
    """
    Tell what a configuration does.

    @param config: The configuration.
    @param file: Where it was read from, as the reader named it.
    @return: Some lines, each ended.
    """
    ports = config.ports
    lines = [f"{file}: {_count(len(config.routes), 'route')} on {_count(len(ports), 'port')}, nothing wrong"]
    for group in _groups(config):
        lines += ["", f"{'port' if len(group) == 1 else 'ports'} {', '.join(told(group))}"]
        lines += _challenges(config, group[0])
        lines += _heralds(config, group[0])
        for route in config.routes:
            if group[0] in route.ports:
                lines += _route(route)
    return "\n".join([*lines, "", *_end(config)]) + "\n"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _groups(config: Config) -> list[list[int]]:
    """
    Ports, those with the same routes together.
    """
    groups: dict[tuple[int | str, ...], list[int]] = {}
    byPort: dict[int, list[int | str]] = {port: [] for port in config.ports}
    for index, route in enumerate(config.routes):
        for port in route.ports:
            byPort[port].append(index)
    for port, indices in byPort.items():
        key = (*indices, *_challenges(config, port), *_heralds(config, port))
        groups.setdefault(key, []).append(port)
    return list(groups.values())


def _challenges(config: Config, port: int) -> list[str]:
    if not config.autoCertificates:
        return []
    kinds = [kind for kind in config.challenges if config.acme.port(kind) == port]
    return [f"  ACME challenges are answered here: {', '.join(kinds)}"] if kinds else []


def _heralds(config: Config, port: int) -> list[str]:
    settings = config.proxyProtocol
    if settings is None or port not in settings.ports:
        return []
    verb = {"require": "has to begin", "accept": "may begin"}[settings.mode]
    return [f"  whoever is in {', '.join(map(str, settings.senders))} {verb} with a PROXY protocol header"]


def _route(route: Route) -> Iterator[str]:
    """
    What one route takes and does.
    """
    yield f"  {route.name}" + (f" (line {route.line})" if route.line else "")
    yield f"    takes        {'; '.join(_matched(route))}"
    guards = list(asked(route))
    if guards:
        yield f"    asks         {'; '.join(guards)}"
    yield f"    does         {_deed(route)}"
    for word, text in revised(route):
        yield f"    {word:<12} {text}"
    if route.tls is not None:
        several = len(route.tls.sources) > 1
        for number, source in enumerate(route.tls.sources, 1):
            share = f"{number} of {len(route.tls.sources)}, " if several else ""
            yield f"    certificate  {share}{_certificate(source)}"


def _matched(route: Route) -> Iterator[str]:
    if route.tls is None:
        yield f"plain {route.protocol}"
    elif route.tls.mode == "passthrough":
        yield "TLS, passed through"
    else:
        yield f"TLS, ended here, {route.protocol} inside{demands(route.tls.policy)}"
    yield ", ".join(route.domains) if route.domains else "any name or none"
    if route.path is not None:
        yield f"path {route.path}"
    yield from _conditions(route.conditions)
    if route.priority:
        yield f"priority {route.priority}"


def _conditions(asked: Conditions) -> Iterator[str]:
    """
    What else a route asks for.
    """
    if asked.methods:
        yield f"method {' or '.join(asked.methods)}"
    for name, texts in asked.headers:
        yield f"header {name} {shown(name, texts)}"
    for name, texts in asked.query:
        yield f"query {name} {shown(name, texts)}"
    if asked.clients:
        more = f" and {len(asked.clients) - 4} more" if len(asked.clients) > 4 else ""
        yield f"client {', '.join(asked.clients[:4])}{more}"
    if asked.tlsVersions:
        yield f"TLS {' or '.join(asked.tlsVersions)}"
    yield from map(str, asked.plugins)


def _deed(route: Route) -> str:
    action = route.action
    if isinstance(action, Plugin):
        return f"as the {action} does"
    if isinstance(action, Forward) and action.branches:
        return "; ".join(
            f"{_asking(each)}{_deed(replace(route, action=each.forward))}" for each in action.branches
        )
    if isinstance(action, Forward) and action.dynamic is not None:
        return f"forward to what {action.dynamic} gives"
    if isinstance(action, Forward):
        text = f"forward to {', '.join(map(_target, action.targets))}{_turns(action)}"
        if action.tls is not None:
            name = f" as {action.tls.serverName}" if action.tls.serverName else ""
            text += " by TLS, " + (f"verified{name}" if action.tls.verify else "NOT VERIFIED")
        if action.pool.connections is not None:
            text += f"; at most {_count(action.pool.connections, 'connection')} to each from each process"
        return text + _health(action.health)
    if isinstance(action, Redirect):
        return f"redirect ({action.status}) to {action.to}"
    if isinstance(action, Respond):
        return f"respond {action.status} with {_count(len(action.body.encode()), 'byte')}"
    if isinstance(action, FileTree):
        return f"files below {action.root}"
    if isinstance(action, Application):
        return f"{action.kind or 'application'} {action.factory}"
    if action.isReset:
        return "block: reset"
    return f"block: {action.status}" if route.protocol == "http" else "block: close"


def _asking(branch: Branch) -> str:
    asked = [] if branch.path is None else [f"path {branch.path}"]
    if branch.conditions is not None:
        asked += _conditions(branch.conditions)
    return f"for {', '.join(asked)}: " if asked else "for the rest: " if branch.priority == 0 else "first: "


def _target(target: Target) -> str:
    said = []
    text = withProtocol(target)
    if target.weight != 1:
        said.append(f"weight {target.weight}" if target.weight else "as the last resort")
    if (header := target.proxyHeader) is not None:
        said.append(f"with a PROXY protocol header: {', '.join((f'v{header.version}', *header.tlvs))}")
    return f"{text} ({'; '.join(said)})" if said else text


def _turns(forward: Forward) -> str:
    balance = forward.balance
    isAlone = len(forward.targets) == 1 and not forward.targets[0].isService
    text = "" if isAlone else " in turn" if balance.algorithm == "round-robin" else f" by {balance.algorithm}"
    if balance.sticky is not None:
        text += f", each client to its own by the cookie {balance.sticky.cookie}"
    if balance.slowStart:
        text += f", whose share grows for {balance.slowStart:g} s when they are back"
    return text


def _health(health: Health) -> str:
    text = ""
    if (check := health.active) is not None:
        what = f"http {check.path}" if check.kind == "http" else check.kind
        text += f"; checked by {what} every {check.interval:g} s"
    if health.passive.isBounded:
        text += f"; ejected after {_count(health.passive.failures, 'failure')} in a row"
        if health.passive.statuses:
            text += f" (also {', '.join(map(str, sorted(health.passive.statuses)))})"
    return text


def _certificate(source: Auto | Internal | Files) -> str:
    if isinstance(source, Files):
        return f"from {source.certificate}"
    whom = ", ".join(source.names) or "localhost"
    return f"by ACME for {whom}" if isinstance(source, Auto) else f"by the local authority for {whom}"


def _hook(hook: CertificateHook) -> str:
    # Its arguments are left out: they may be secret.
    whose = f" for {', '.join(hook.names)}" if hook.names else ""
    return f"{hook.command[0]} is run when {' or '.join(hook.events)}{whose}"


def _admin(config: Config) -> Iterator[str]:
    if config.admin is None:
        yield "no admin socket"
        return
    yield f"admin socket {config.admin.socket}"
    listen = config.admin.listen
    if listen is not None:
        warning = (
            "" if isLoopback(listen.host) else ", where other machines reach it and NOTHING IS ENCRYPTED"
        )
        yield f"admin by HTTP on {listen}, with a token{warning}"


def _end(config: Config) -> Iterator[str]:
    wanted = config.autoCertificates
    if wanted:
        others = "".join(f", else {each.directory}" for each in config.acme.fallbacks)
        yield f"{_count(len(wanted), 'certificate')} by ACME from {config.acme.directory}{others}"
        yield from map(_hook, config.acme.hooks)
        if config.acme.preflight.mode == "strict":
            yield "no order is placed while something is seen to be in its way (acme.preflight)"
    yield f"state in {config.stateDir}"
    yield from _admin(config)
    if config.metrics is not None:
        yield f"metrics at http://{config.metrics.listen}/metrics"
    if config.watch:
        yield "its files are watched: what is changed in them goes live"
    if config.workers == "auto":
        yield "one worker for each CPU, with an equal share of limits.connections"
    elif config.workers > 1:
        share = -(-config.limits.connections // config.workers)
        yield f"{config.workers} workers, each with up to {share} of {config.limits.connections} connections"
    if config.acme.directory in (LETSENCRYPT, LETSENCRYPT_STAGING):
        for name in sorted({name for each in wanted for name in each.names}):
            if "." not in name or name.endswith(tuple(f".{ending}" for ending in _PRIVATE)):
                yield (
                    f"note: {name} is no public name, Let's Encrypt will not certify it: "
                    "use certificate: internal, or a directory of your own"
                )
