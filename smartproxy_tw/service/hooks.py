"""
Runs the operator's programs after something has happened to certificates.

Of a certificate that is there each program is told at least once: what it was told
last is on the disk, and what it does not know yet it is told when the next process
has its ports.  That holds for a program that is new, too.  One that fails is run
again, later and later, until it ends well or there is a newer certificate.  Of an
order that failed, and of a certificate that ends without a successor, it is told once, or not
at all when that has become a matter of the past before its turn.

Nobody waits for a program: not an order, not a renewal, not a connection.  At the end
of the proxy those that run are asked to end (SIGTERM), and killed when they do not;
what they had begun they are told again by the next process.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..acme.schedule import retryAfter
from ..programs.running import ProgramFailed
from .errands import Errand, Errands
from .events import SAID, CertificateEvent, Events
from .readiness import Readiness
from .writing import Writing

if TYPE_CHECKING:
    from ..config.model import CertificateHook
    from ..store.certificates import Run
    from ..store.deliveries import DirectoryDeliveries

__all__ = ["CertificateHooks", "Programs"]

#: So many run at a time.
_AT_ONCE = 4

#: Seconds that a program has to end when the proxy does.
_MERCY = 2.0

#: Seconds that pass before it is written what was told, for many at once.
_BEHIND = 1.0

#: What went wrong is told to a program in so many characters at most.
_LONGEST_PROBLEM = 2000

#: What tells the proxy itself about its own start is of no use to its children, and a
#: program that speaks to systemd would speak in its name.
_OURS_ALONE = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")

#: Of what is told once, and not again when that fails.
_TROUBLES = ("failed", "expiring")

_PREFIX = "SMARTPROXY_"


class Programs(Protocol):
    """
    What runs programs, as L{smartproxy_tw.programs.running.Programs} does.
    """

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], timeout: float, sent: bytes = b""
    ) -> Deferred[bytes]:
        """
        Run one.
        """

    def signal(self, number: int) -> None:
        """
        Send a signal to all that run.
        """


class CertificateHooks:
    """
    Those of one proxy, for one life of it.
    """

    _log = Logger()

    def __init__(
        self,
        hooks: Iterable[CertificateHook],
        programs: Programs,
        clock: IReactorTime,
        deliveries: DirectoryDeliveries,
        run: Run,
        chance: Random,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """
        @param hooks: In this order.
        @param programs: Runs them.
        @param clock: The time, POSIX seconds.
        @param deliveries: Where it is remembered what they were told.
        @param run: Does what waits for the disk.
        @param chance: Spreads what would happen at one moment.
        @param environment: Of the programs, beside what they are told.
        """
        self._hooks = _identified(hooks)
        self._programs = programs
        self._clock = clock
        self._chance = chance
        self._environment = {
            name: value
            for name, value in environment.items()
            if name not in _OURS_ALONE and not name.startswith(_PREFIX)
        }
        self._told = deliveries.load()
        self._writing = Writing(run, deliveries.save, self._copy, self._unsaved)
        self._unwritten: IDelayedCall | None = None
        self._errands = Errands(_AT_ONCE)
        self._isGoing = False
        self._alarm: IDelayedCall | None = None
        self._problems: dict[str, dict[str, str]] = {}
        self._endObserving: Callable[[], None] = lambda: None
        self._stopped: Readiness | None = None

    def begin(self, kept: Iterable[CertificateEvent], events: Events) -> None:
        """
        Tell what was not told before, and from now on what happens.

        @param kept: All certificates by ACME that are in the store.
        @param events: Tells what happens.
        """
        standing = tuple(kept)
        # What is not wanted any more is forgotten, certificates and programs.
        known, self._told = self._told, {}
        for event in standing:
            told = known.get(event.key, {})
            self._told[event.key] = {each: told[each] for each in self._hooks if each in told}
        self._endObserving = events.observe(self._happened)
        for event in standing:
            self._owe(event)
        self._go()

    def problemOf(self, key: str) -> str | None:
        """
        What went wrong with a program last, for people; L{None}: nothing is to be
        mended.

        @param key: The identity of a certificate.
        """
        return "; ".join(self._problems.get(key, {}).values()) or None

    def stop(self) -> Deferred[None]:
        """
        Run nothing any more, and have those end that run.

        @return: Fires when they have.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._endObserving()
        stopped = self._stopped = self._stopped or Readiness()
        self._set(None)
        if self._errands.underWay:
            self._programs.signal(signal.SIGTERM)
            mercy = self._clock.callLater(_MERCY, self._programs.signal, signal.SIGKILL)
            await stopped.when()
            if mercy.active():
                mercy.cancel()
        if self._unwritten is not None:
            self._write()
        await self._writing.whenWritten()

    def _happened(self, event: CertificateEvent) -> None:
        if event.kind == "failed":
            self._errands.putFailure(event.key, self._wanted(event))
        elif event.kind == "expiring":
            self._errands.putExpiring(event.key, self._wanted(event))
        elif event.kind != "revoked":
            # Of what is revoked the successor is told, and of what has none that an order failed.
            self._owe(event)
        self._go()

    def _wanted(self, event: CertificateEvent) -> list[Errand]:
        """
        What is to be run after an event that is told to those that want it, once.
        """
        return [
            Errand(hook, identity, event)
            for identity, hook in self._hooks.items()
            if event.kind in hook.events and _concerns(hook, event)
        ]

    def _owe(self, event: CertificateEvent) -> None:
        """
        A certificate is there.
        """
        told = self._told.setdefault(event.key, {})
        owed = [
            Errand(hook, identity, event)
            for identity, hook in self._hooks.items()
            if told.get(identity) != event.serial and _concerns(hook, event)
        ]
        self._problems.pop(event.key, None)
        self._errands.put(event.key, owed)

    def _go(self) -> None:
        if self._stopped is not None or self._isGoing:
            return
        # One that cannot be run at all is over before this is.
        self._isGoing = True
        while (errand := self._errands.next(self._clock.seconds())) is not None:
            Deferred.fromCoroutine(self._run(errand))
        self._isGoing = False
        self._set(self._errands.nextAt(self._clock.seconds()))

    def _set(self, at: float | None) -> None:
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        self._alarm = None
        if at is not None:
            self._alarm = self._clock.callLater(max(0.0, at - self._clock.seconds()), self._go)

    async def _run(self, errand: Errand) -> None:
        errand = replace(errand, event=self._asHeard(errand))
        if errand.event.kind in errand.hook.events:
            await self._tell(errand)
        else:
            self._know(errand)
        self._errands.done(errand)
        if self._stopped is None:
            self._go()
        elif not self._errands.underWay:
            self._stopped.happen()

    def _asHeard(self, errand: Errand) -> CertificateEvent:
        """
        For who has heard of no certificate before it is the first, whatever was before.
        """
        event = errand.event
        if event.kind in _TROUBLES:
            return event
        isFirst = event.kind == "issued" or errand.identity not in self._told.get(event.key, ())
        return replace(event, kind="issued" if isFirst else "renewed")

    def _know(self, errand: Errand) -> None:
        # An alarm about a certificate is not the certificate, which may still have to be told.
        if errand.event.serial is not None and errand.event.kind not in _TROUBLES:
            self._told.setdefault(errand.event.key, {})[errand.identity] = errand.event.serial
            if self._unwritten is None:
                self._unwritten = self._clock.callLater(_BEHIND, self._write)

    def _write(self) -> None:
        if self._unwritten is not None and self._unwritten.active():
            self._unwritten.cancel()
        self._unwritten = None
        self._writing.write()

    async def _tell(self, errand: Errand) -> None:
        hook = errand.hook
        began = self._clock.seconds()
        try:
            facts = _facts(errand.event)
            await self._programs.run(
                hook.command,
                {**self._environment, **_variables(facts)},
                hook.timeout,
                json.dumps(facts, indent=1).encode("ascii") + b"\n",
            )
        except ProgramFailed as why:
            self._failed(errand, str(why))
        except Exception as why:
            self._log.failure("A defect while running the hook {hook}", hook=hook.command[0])
            self._failed(errand, f"could not be run ({why})")
        else:
            self._succeeded(errand, self._clock.seconds() - began)

    def _succeeded(self, errand: Errand, seconds: float) -> None:
        event = errand.event
        self._log.info(
            "The hook {hook} was run in {seconds:.1f} s, after the certificate for {names} {kind}",
            event="hook-run",
            hook=errand.hook.command[0],
            names=", ".join(event.names),
            kind=_said(event),
            seconds=seconds,
        )
        if event.kind not in _TROUBLES:
            self._problems.get(event.key, {}).pop(errand.identity, None)
        self._know(errand)

    def _failed(self, errand: Errand, why: str) -> None:
        event, hook = errand.event, errand.hook
        problem = f"the hook {hook.command[0]} {why}"
        if self._stopped is not None:
            then = "It was cut short, since the proxy stops"
        elif event.kind in _TROUBLES:
            then = "It is not run again for this"
        else:
            again = replace(errand, failures=errand.failures + 1)
            wait = retryAfter(again.failures, self._chance.random())
            if self._errands.again(again, self._clock.seconds() + wait):
                self._problems.setdefault(event.key, {})[errand.identity] = problem
                then = f"Next attempt in {wait:.0f} s"
            else:
                then = "There is a newer certificate for it"
        self._log.warn(
            "After the certificate for {names} {kind}, {problem}. {then}.",
            event="hook-failed",
            hook=hook.command[0],
            names=", ".join(event.names),
            kind=_said(event),
            problem=problem,
            then=then,
        )

    def _copy(self) -> dict[str, dict[str, str]]:
        return {key: dict(told) for key, told in self._told.items() if told}

    def _unsaved(self, why: Exception) -> None:
        self._log.warn(
            "It could not be written which hooks were run, a restart will run them again: {why}",
            event="hooks-unsaved",
            why=str(why),
        )


def _identified(hooks: Iterable[CertificateHook]) -> dict[str, CertificateHook]:
    """
    The hooks by what they are known by beyond this process: their command, which is
    not to be read from that, and a number where there are several with the same.
    """
    found: dict[str, CertificateHook] = {}
    for hook in hooks:
        digest = sha256("\0".join(hook.command).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        number, identity = 1, digest
        while identity in found:
            number += 1
            identity = f"{digest}-{number}"
        found[identity] = hook
    return found


def _concerns(hook: CertificateHook, event: CertificateEvent) -> bool:
    return not hook.names or any(name in hook.names for name in event.names)


def _said(event: CertificateEvent) -> str:
    return SAID[event.kind]


def _facts(event: CertificateEvent) -> dict[str, Any]:
    """
    What a program is told; what is not known is left out.
    """
    facts = {
        "event": event.kind,
        "names": list(event.names),
        "file": event.file,
        "expires": _when(event.expires),
        "serial": event.serial,
        "problem": None if event.problem is None else _line(event.problem),
        "next_attempt": _when(event.nextAttempt),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _variables(facts: Mapping[str, Any]) -> dict[str, str]:
    return {
        _PREFIX + name.upper(): " ".join(value) if isinstance(value, list) else value
        for name, value in facts.items()
    }


def _when(seconds: float | None) -> str | None:
    """
    As RFC 3339 has it.
    """
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _line(problem: str) -> str:
    """
    What an authority may have said, fit for the environment and a message.
    """
    text = " ".join(problem.encode("utf-8", "replace").decode("utf-8").split())
    return "".join(each if each.isprintable() else "?" for each in text)[:_LONGEST_PROBLEM]
