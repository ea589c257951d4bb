"""
C{smartproxy certificates preflight}: look from here whether orders can succeed, and
tell what is in the way.

Only names of the configuration are looked at.  A proxy that runs by it is asked first:
only it can tell whether it is what answers at a name's addresses.  What it does not
tell, because it does not run or goes by an older configuration, is looked at from here.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..preflight.caa import Identity
from ..preflight.findings import Finding
from ..preflight.judge import judge
from ..store.directory import SecureDirectory
from ..store.naming import authorityName
from .admin import Ask, ProxyAway, asking, socketOf

if TYPE_CHECKING:
    from ..acme.challenges import Kind
    from ..config.model import Config
    from ..preflight.facts import NameFacts

__all__ = ["Tell", "look", "run"]

_WORDS = {"well": "ok", "bad": "BAD", "unknown": "unknown"}

#: An account's file has no more bytes than that.
_MOST_BYTES = 65536

#: The proxy is asked about so many names at a time, and may take so many seconds for them.
_TOGETHER, _PATIENCE = 50, 20.0

#: Is told what was found.
Tell = Callable[[Iterable[Finding]], object]

#: Sees what there is to see of a name.
See = Callable[[str, "Kind"], Awaitable["NameFacts"]]


def run(reactor: Any, config: Config, names: Sequence[str], tell: Tell | None = None) -> bool:
    """
    Look, and run the reactor meanwhile.

    @param reactor: Not running; it cannot be used after that.
    @param config: Its names, authority and resolvers.
    @param names: Which of its names; none: all.
    @param tell: As of L{look}.
    @return: As of L{look}.
    """
    from ..preflight.build import lookFor

    results: list[bool | Failure] = []

    def begin() -> None:
        seeing = lookFor(reactor, config, None)
        looking = Deferred.fromCoroutine(
            look(config, names, seeing.at, lambda: _identity(reactor, config), _askFor(config), tell)
        )
        looking.addBoth(results.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    result = results[0] if results else False
    if isinstance(result, Failure):
        result.raiseException()
    return bool(result)


async def look(
    config: Config,
    names: Sequence[str],
    see: See,
    identify: Callable[[], Awaitable[Identity | str]],
    ask: Ask | None = None,
    tell: Tell | None = None,
) -> bool:
    """
    Look at names, and print what is found.

    @param config: Which names there are, and how they would be proved.
    @param names: Those to look at; none: all.
    @param see: Looks at one.
    @param identify: Tells who the authority is, or why that is not known.
    @param ask: Asks the proxy that may run, and waits for it; L{None}: it is not to be
        spoken to.
    @param tell: Is given what was found; by default it is printed.
    @return: Whether nothing is bad.
    """
    from ..acme.together import together

    known = tuple(dict.fromkeys(name for auto in config.autoCertificates for name in auto.names))
    wanted = tuple(dict.fromkeys(name.lower().removesuffix(".") for name in names)) or known
    strangers = [name for name in wanted if name not in known]
    if strangers:
        print(
            f"smartproxy certificates preflight: {', '.join(strangers)}: no certificate by ACME is wanted for"
            f" that; there are {', '.join(known) or 'none'}",
            file=sys.stderr,
        )
        return False
    if not wanted:
        print("no route wants a certificate by ACME")
        return True

    told = {} if ask is None else _told(ask, wanted)

    async def one(name: str) -> NameFacts:
        return await see(name, "dns-01" if name.startswith("*.") else config.challenges[0])

    seen = await together([one(name) for name in wanted if name not in told])
    identity = None
    if any(each.caa is not None and each.caa.found for each in seen):
        known_ = await identify()
        if isinstance(known_, str):
            print(f"{config.acme.directory} does not tell its names for CAA: {known_}", file=sys.stderr)
        else:
            identity = known_
    told.update((each.name, judge(each, identity)) for each in seen)
    findings = [finding for name in wanted for finding in told[name]]
    (tell or _print)(findings)
    return all(each.value != "bad" for each in findings)


def _askFor(config: Config) -> Ask | None:
    try:
        return asking(socketOf(config), _PATIENCE)
    except ProxyAway:
        return None


def _told(ask: Ask, names: Sequence[str]) -> dict[str, tuple[Finding, ...]]:
    """
    What the running proxy finds, by name; without those that it says nothing about.
    """
    found: dict[str, list[Finding]] = {}
    for at in range(0, len(names), _TOGETHER):
        try:
            answer = ask("POST", "/v1/certificates/preflight", {"names": names[at : at + _TOGETHER]})
            for each in answer.members.get("findings", ()):
                finding = Finding(**each)
                found.setdefault(finding.name, []).append(finding)
        except (ProxyAway, TypeError):
            # It has ended, or is of another version.
            break
    return {name: tuple(findings) for name, findings in found.items()}


def _print(findings: Iterable[Finding]) -> None:
    rows = [("NAME", "CHECK", "VERDICT", "WHAT WAS SEEN")]
    for each in findings:
        rows.append((each.name, each.check, _WORDS[each.value], each.text))
        if each.remedy:
            rows.append(("", "", "", f"-> {each.remedy}"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]).rstrip())


async def _identity(reactor: Any, config: Config) -> Identity | str:
    # A request that needs no account; the key is there for nothing.
    from ..acme.client import Client
    from ..acme.errors import IssuanceFailed
    from ..acme.jose import AccountKey
    from ..acme.x509 import newKey

    acme = config.acme
    client = Client(reactor, acme.directory, AccountKey(newKey()), caFile=acme.caFile, timeout=10.0)
    try:
        directory = await client.directory()
    except IssuanceFailed as why:
        return str(why)
    finally:
        await client.close()
    return Identity(directory.caaIdentities, _account(config))


def _account(config: Config) -> str | None:
    place = SecureDirectory(os.path.join(config.stateDir, "accounts"))
    try:
        content = place.readOwn(authorityName(config.acme.directory) + ".json", _MOST_BYTES)
        url = json.loads(content or b"{}").get("url")
    except (OSError, ValueError, AttributeError):
        return None
    return url if isinstance(url, str) else None
