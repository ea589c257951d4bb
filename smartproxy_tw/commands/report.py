"""
C{smartproxy certificates list}, C{explain} and C{plan}: what L{survey} and
L{forecast} find, as text for people or JSON for programs; of a proxy that runs,
C{list} and C{explain} have what it is just doing, too.

Every function returns whether it could answer, and prints.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..acme.budget import Budget, limitsOf
from ..config.model import Auto, Config, Files, Internal
from ..config.names import pattern
from ..service.stock import isCovered
from ..store.directory import SecureDirectory
from ..store.naming import authorityName
from ..store.uses import DirectoryUses, Uses
from . import admin
from .forecast import forecast
from .survey import Record, asDivided, survey

if TYPE_CHECKING:
    from ..config.model import Route

__all__ = ["explain", "plan", "show"]

_DAY = 86400.0
#: So many names of a certificate stand in a table.
_SHOWN = 3
_HEADS = ("NAMES", "ISSUER", "NOT AFTER", "LEFT", "NEXT", "STATE", "LAST FAILURE")

#: What answers where no certificate was found.
_SUBSTITUTES = {
    "missing": "a self-signed certificate, until there is one",
    "internal": "one that the local authority makes when the proxy starts",
}

#: What a running proxy is doing that its state directory does not tell.
_DOING = ("waiting", "ordering", "unsaved", "revoked")

Clock = Callable[[], float]

#: One certificate, as the running proxy tells it.
Live = Mapping[str, Any]
Look = Callable[["Config"], Mapping[str, Live]]


def show(config: Config, *, asJSON: bool = False, now: Clock = time.time, look: Look = admin.live) -> bool:
    """
    Every certificate that is wanted, and how it stands.

    @param asJSON: Whether a program is to read it.
    @param look: Asks the proxy, if one runs.
    @param now: The time, POSIX seconds.
    """
    moment = now()
    config = asDivided(config)
    records = _surveyed("list", config, moment)
    if records is None:
        return False
    live = look(config) if records else {}
    told = [(each, live.get(each.source.key)) for each in records]
    if asJSON:
        print(json.dumps([_members(each, now, moment) for each, now in told], indent=1))
    elif records:
        _table([_HEADS, *(_row(each, now, moment) for each, now in told)])
    else:
        print("no route wants a certificate")
    return True


def explain(config: Config, name: str, *, now: Clock = time.time, look: Look = admin.live) -> bool:
    """
    By which certificate a name is served, and what becomes of that.

    @param name: As a client asks for it.
    @param now: The time, POSIX seconds.
    @param look: Asks the proxy, if one runs.
    @return: Also whether a route terminates TLS for the name.
    """
    moment = now()
    config = asDivided(config)
    records = _surveyed("explain", config, moment)
    if records is None:
        return False
    try:
        wanted = pattern(name)
    except ValueError as why:
        print(f"smartproxy certificates explain: {name!r} {why}", file=sys.stderr)
        return False
    routes = _routesFor(config, wanted)
    keys = {_keyFor(route, wanted) for _, route in routes}
    found = [each for each in records if each.source.key in keys]
    if not found:
        print(f"smartproxy certificates explain: no route serves a certificate for {name}", file=sys.stderr)
        return False
    print(wanted)
    live = look(config)
    for record in found:
        ports = [
            f"{route.name} (port {port})"
            for port, route in routes
            if _keyFor(route, wanted) == record.source.key
        ]
        for word, text in (*_share(record, routes), *_story(config, record, wanted, ports, moment)):
            print(f"  {word:<13}{text}")
        for word, text in _running(record, live.get(record.source.key)):
            print(f"  {word:<13}{text}")
    return True


def plan(config: Config, *, now: Clock = time.time) -> bool:
    """
    The next order for every certificate, as the proxy would place it if no
    client asked for any and the authority gave them all.

    @param now: The time, POSIX seconds.
    """
    moment = now()
    config = asDivided(config)
    records = _surveyed("plan", config, moment)
    if records is None:
        return False
    directory = config.acme.directory
    place = os.path.join(config.stateDir, "certificates", authorityName(directory))
    uses = DirectoryUses(SecureDirectory(place)).load() if os.path.isdir(place) else Uses()
    limits = limitsOf(directory)
    print(f"Orders at {directory}")
    allowed = [each.words for each in (limits.orders, limits.perDomain, limits.perSet) if each is not None]
    print(f"  it allows {', '.join(allowed) or 'as much as it does not refuse'}")
    for hold in Budget(limits, uses.buckets, uses.holds).holds(moment).values():
        print(f"  held until {_minute(hold.until)}: {hold.why}")
    steps = forecast(records, Budget(limits, uses.buckets, uses.holds), moment)
    if not steps:
        print("  nothing is to be ordered")
        return True
    rows = [("", "WHEN", "NAMES", "COUNTS AS", "WHY")]
    for number, step in enumerate(steps, 1):
        at = "now" if step.at <= moment + 1 else _minute(step.at)
        rows.append((str(number), at, _few(step.record.names), step.kind, step.why))
    _table(rows)
    return True


def _surveyed(verb: str, config: Config, now: float) -> tuple[Record, ...] | None:
    try:
        return survey(config, now)
    except OSError as why:
        print(
            f"smartproxy certificates {verb}: {why.filename} cannot be read: {why.strerror}"
            f" (as user {os.geteuid()}). Run it as the user who runs the proxy.",
            file=sys.stderr,
        )
        return None


def _story(
    config: Config, record: Record, name: str, routes: list[str], now: float
) -> Iterable[tuple[str, str]]:
    yield "wanted by", f"{', '.join(routes)}: {_origin(record)}"
    facts = record.facts
    if facts is None:
        yield "served", _SUBSTITUTES.get(record.state, "none")
    else:
        covers = "" if isCovered(name, facts.names) else f"; NOT for {name}"
        yield "served", f"one for {', '.join(facts.names)}{covers}"
        yield "issued by", f"{facts.issuer}{_choice(config, record)}"
        yield "valid", f"{_minute(facts.notBefore)} to {_minute(facts.notAfter)}, {_left(record, now)} left"
    yield "state", record.state
    if record.attempt is not None:
        at, count = _minute(record.attempt.at), record.attempt.failures
        yield "last attempt", f"failed on {at} ({count} in a row): {record.attempt.problem}"
    if record.begun is not None:
        yield "order", f"under way since {_minute(record.begun)}"
    if record.next is not None:
        yield "next attempt", f"{'now' if record.next <= now else _minute(record.next)}: {record.why}"
    elif record.why:
        yield "renewed by", record.why


def _running(record: Record, live: Live | None) -> Iterable[tuple[str, str]]:
    """
    What only a proxy that runs can tell: what it is doing, hooks that have failed, and
    what it has seen in the way of an order.
    """
    if live is None:
        return
    following = _seconds(live["next_attempt"])
    reason = f": {live['reason']}" if live["reason"] else ""
    until = "" if following is None else f", until {_minute(following)}{reason}"
    yield "the proxy", f"{live['state']}{until}"
    if live["problem"] and (record.attempt is None or record.attempt.problem != live["problem"]):
        yield "problem", live["problem"]
    for finding in live.get("preflight", ()):
        yield "in the way", finding


def _origin(record: Record) -> str:
    if isinstance(record.source, Auto):
        return f"a certificate by ACME for {', '.join(record.source.names)}"
    if isinstance(record.source, Files):
        return f"the certificate in {record.source.certificate}"
    return "a certificate by the local authority"


def _choice(config: Config, record: Record) -> str:
    if record.authority is None:
        return ""
    if record.authority == config.acme.directory:
        return f", at {record.authority}, which is asked first"
    return f", at {record.authority}, a fallback: those before it gave none when it was asked"


def _routesFor(config: Config, name: str) -> list[tuple[int, Route]]:
    from ..routing.explain import explain as explainURL

    found = []
    for port in config.ports:
        for scheme in ("https", "tls"):
            try:
                route = explainURL(config, f"{scheme}://{name}:{port}").route
            except ValueError:
                continue
            if route is not None and route.tls is not None and (port, route) not in found:
                found.append((port, route))
    # A route for some paths only is found by its names.
    for route in config.routes:
        source = route.tls.sourceFor(name) if route.tls is not None else None
        if isinstance(source, Auto | Internal) and isCovered(name, source.names):
            found.extend((port, route) for port in route.ports if (port, route) not in found)
    return found


def _share(record: Record, routes: list[tuple[int, Route]]) -> Iterable[tuple[str, str]]:
    """
    Which part of a route's names it is for, where they are divided.
    """
    for route in dict.fromkeys(route for _, route in routes):
        parts = () if route.tls is None else route.tls.sources
        if len(parts) > 1 and record.source in parts:
            count = sum(len(part.names) for part in parts if isinstance(part, Auto))
            yield (
                "part",
                f"{parts.index(record.source) + 1} of {len(parts)} for the {count} names of {route.name}",
            )


def _keyFor(route: Route, name: str) -> str | None:
    source = None if route.tls is None else route.tls.sourceFor(name)
    return None if source is None else source.key


def _members(record: Record, live: Live | None, now: float) -> dict[str, Any]:
    facts, attempt = record.facts, record.attempt
    following = None if record.next is None else _iso(record.next)
    kind = {Auto: "auto", Files: "files"}.get(type(record.source), "internal")
    return {
        "names": list(record.names),
        "source": kind,
        "routes": list(record.routes),
        "state": record.state,
        "issuer": None if facts is None else facts.issuer,
        "authority": record.authority,
        "not_before": None if facts is None else _iso(facts.notBefore),
        "not_after": None if facts is None else _iso(facts.notAfter),
        "days_left": None if facts is None else round((facts.notAfter - now) / _DAY, 2),
        "next_attempt": following if live is None else live["next_attempt"],
        "reason": record.why if live is None else live["reason"],
        "ordering_since": None if record.begun is None else _iso(record.begun),
        "last_failure": attempt
        and {"at": _iso(attempt.at), "failures": attempt.failures, "problem": attempt.problem},
        "live": live,
    }


def _row(record: Record, live: Live | None, now: float) -> tuple[str, ...]:
    facts = record.facts
    following, doing, failure = record.next, None if record.begun is None else "ordering", "-"
    if record.attempt is not None:
        failure = f"{_minute(record.attempt.at)} {record.attempt.problem}"
    if live is not None:
        # It knows when an authority would like to see it renewed, and whose turn it is.
        following = _seconds(live["next_attempt"])
        doing = live["state"] if live["state"] in _DOING else None
        if record.attempt is None and live["problem"]:
            failure = live["problem"]
    return (
        _few(record.names) or "-",
        "-" if facts is None else _common(facts.issuer),
        "-" if facts is None else _minute(facts.notAfter),
        _left(record, now),
        "-" if following is None else "now" if following <= now else _minute(following),
        record.state if doing is None else f"{record.state}, {doing}",
        failure,
    )


def _few(names: Sequence[str]) -> str:
    """
    Names in a table, which has room for some.
    """
    more = len(names) - _SHOWN
    return ", ".join(names) if more < 2 else f"{', '.join(names[:_SHOWN])} and {more} more"


def _left(record: Record, now: float) -> str:
    if record.facts is None:
        return "-"
    seconds = record.facts.notAfter - now
    return f"{int(seconds // _DAY)} d" if abs(seconds) >= 2 * _DAY else f"{int(seconds // 3600)} h"


def _common(issuer: str) -> str:
    found = re.search(r"(?:^|,)CN=((?:\\.|[^,\\])+)", issuer)
    return found[1] if found else issuer


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    # The last column is as long as it likes.
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[-1]]).rstrip())


def _minute(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%MZ")


def _seconds(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
