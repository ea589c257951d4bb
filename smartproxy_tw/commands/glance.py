"""
C{smartproxy status}: how a running proxy stands, at a glance.

Everything that is told came from somewhere else, so no character of it may do anything
to a terminal.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from .admin import Ask

__all__ = ["Paint", "duration", "isWell", "plain", "show"]

_Told = Mapping[str, Any]

#: Of all that is counted.
_FIRST = ("requests", "connections")

#: Colours, as terminals number them.
_GOOD, _BAD, _CALM = "32", "31;1", "2"


class Paint:
    """
    Colours, where somebody sees them.
    """

    def __init__(self, out: TextIO, environ: Mapping[str, str] = os.environ) -> None:
        """
        @param out: Where it is written; only a terminal has colours.
        @param environ: C{NO_COLOR} (no-color.org), if it is anything, and a terminal
            that can do nothing, say no.
        """
        self._is = out.isatty() and not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"

    def good(self, text: str) -> str:
        """
        As it should be.
        """
        return self._painted(_GOOD, text)

    def bad(self, text: str) -> str:
        """
        As it should not be.
        """
        return self._painted(_BAD, text)

    def calm(self, text: str) -> str:
        """
        By the way.
        """
        return self._painted(_CALM, text)

    def _painted(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._is and text else text


def show(ask: Ask, *, asJSON: bool = False, out: TextIO | None = None, paint: Paint | None = None) -> bool:
    """
    Ask, and tell.

    @param ask: Asks the proxy.
    @param asJSON: Whether a program is to read it.
    @return: As L{isWell}.
    @raise ProxyAway: There is no answer.
    """
    out = out or sys.stdout
    answer = ask("GET", "/v1/status", {})
    if answer.error is not None:
        # Of a version that does not know the question, for instance.
        print(plain(answer.error), file=sys.stderr)
        return False
    if asJSON:
        print(json.dumps(dict(answer.members), indent=1), file=out)
    else:
        print("\n".join(_lines(answer.members, paint or Paint(out))), file=out)
    return isWell(answer.members)


def isWell(told: _Told) -> bool:
    """
    Whether nothing fails: it is ready, accepts on every port, has all its workers, and
    has no trouble with a certificate or a target.
    """
    return (
        told["ready"]
        and all(each["adopted"] for each in told["listening"])
        and all(each["state"] in ("serving", "leaving") for each in told["workers"])
        and not told["certificates"]["failing"]
        and not any(each["state"] != "draining" for each in told["upstreams"]["others"])
    )


def _lines(told: _Told, paint: Paint) -> Iterator[str]:
    configuration, connections = told["configuration"], told["connections"]
    ready = paint.good("ready") if told["ready"] else paint.bad("NOT READY: " + plain(told["reason"]))
    yield f"smartproxy {told['version']}, process {told['process']}, up {duration(told['uptime'])}: {ready}"
    source = plain(configuration["source"] or "no file")
    number = _count(configuration["routes"], "route")
    yield f"  configuration  {source}: {number}, loaded {duration(configuration['age'])} ago"
    yield from _listening(told["listening"], paint)
    if len(told["workers"]) != 1 or told["workers"][0]["state"] != "serving":
        yield f"  workers        {', '.join(_worker(each, paint) for each in told['workers']) or 'none'}"
    counts = connections["counts"]
    # What everybody looks for comes first.
    names = [*(name for name in _FIRST if name in counts), *(name for name in counts if name not in _FIRST)]
    seen = [_counted(counts[name], plain(name).replace("_", " ")) for name in names if counts[name]]
    yield f"  connections    {connections['open']} open of {connections['limit']}"
    yield f"  since start    {', '.join(seen) or 'nothing'}"
    yield from _upstreams(told["upstreams"], paint)
    yield from _certificates(told["certificates"], paint)


def _listening(listening: list[_Told], paint: Paint) -> Iterator[str]:
    served = [_address(each) for each in listening if each["adopted"]]
    yield f"  served         {', '.join(served) or paint.bad('no port at all')}"
    bound = [_address(each) for each in listening if not each["adopted"]]
    if bound:
        yield f"  bound only     {paint.bad(', '.join(bound))}"


def _upstreams(told: _Told, paint: Paint) -> Iterator[str]:
    number, others = told["targets"], told["others"]
    if not number:
        return
    left = number - told["healthy"]
    yield f"  targets        {told['healthy']} of {number} healthy" + (
        f", {paint.bad(f'{left} not')}" if left else ""
    )
    for each in others:
        since = f" since {plain(each['since'])}" if each["since"] else ""
        # A proxy of an earlier release does not tell.
        until = each.get("ejected_until") if each["state"] == "ejected" else None
        since += f" until {plain(until)}" if until else ""
        reason = f": {plain(each['reason'])}" if each["reason"] else ""
        yield f"    {paint.bad(plain(each['target']))}: {plain(each['state'])}{since}{reason}"
    if left > len(others):
        yield f"    and {left - len(others)} more"


def _certificates(told: _Told, paint: Paint) -> Iterator[str]:
    wanted, valid, failing = told["wanted"], told["valid"], told["failing"]
    if not wanted:
        yield "  certificates   none wanted"
        return
    words = [f"{wanted} wanted", f"{valid} valid"]
    others = [(plain(state), number) for state, number in told["states"].items()]
    words += [f"{number} {state}" for state, number in others if state not in ("valid", "unsaved", "failed")]
    words.append(paint.bad(f"{failing} failing") if failing else paint.good("none failing"))
    yield f"  certificates   {', '.join(words)}"
    for each in told["problems"]:
        names = ", ".join(plain(name) for name in each["names"]) or plain(each["key"])
        reason = plain(each["problem"] or "no reason is known")
        yield f"    {paint.bad(names)}: {plain(each['state'])}: {reason}"
        if each["next_attempt"]:
            yield paint.calm(f"      next attempt {plain(each['next_attempt'])}")
    left = failing - len(told["problems"])
    if left > 0:
        yield f"    and {left} more: smartproxy certificates list"


def _worker(told: _Told, paint: Paint) -> str:
    whose = f"{told['number']}" + ("" if told["process"] is None else f" (process {told['process']})")
    state = plain(told["state"])
    return f"{whose} {paint.good(state) if state == 'serving' else paint.bad(state)}"


def _address(told: _Told) -> str:
    host = plain(told["address"])
    return f"[{host}]:{told['port']}" if ":" in host else f"{host}:{told['port']}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _counted(number: int, things: str) -> str:
    """
    The same from the name of several: one upstream failure, one miss, one log line lost.
    """
    if number == 1:
        words = things.split()
        things = " ".join(word.removesuffix("es" if word.endswith("sses") else "s") for word in words)
    return f"{number} {things}"


def duration(seconds: float) -> str:
    """
    How long something takes, for people, in its two largest units.
    """
    whole = max(0, int(seconds))
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        number, whole = divmod(whole, length)
        if number or (unit == "s" and not parts):
            parts.append(f"{number} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def plain(text: object) -> str:
    """
    What somebody else has written, with everything that is no printable character
    escaped.
    """
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in str(text))
