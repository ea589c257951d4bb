"""
What happens to certificates, for whoever wants to act on it: a program that the
proxy is part of, or the commands that an operator has run.

A certificate is I{issued} or I{renewed} when it is served and in the store, so
that who is told may read it there.  It is I{revoked} when its authority has said so,
while it is still served.  An order has I{failed} when it came to nothing, and the
next attempt is set; an authority that cannot be reached is told once, and again when
the cause is another.  A certificate is I{expiring} when it is about to end and its successor
cannot be had: told once, when a tenth of its lifetime or less is left, a log line of its own with
it.

Whoever is told cannot disturb the proxy: what an observer raises is logged, and
the others are told all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Literal

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..values import dataclass

if TYPE_CHECKING:
    from ..acme.x509 import CertificateFacts
    from ..config.changes import Changes

__all__ = ["SAID", "CertificateEvent", "EventKind", "Events", "Herald", "Observer"]

#: C{issued}: there was none for just these names before.  C{renewed}: it follows
#: one for the same names.  C{failed}: an order came to nothing.  C{revoked}: somebody
#: had the authority declare it invalid.  C{expiring}: it ends soon, without a successor.
EventKind = Literal["issued", "renewed", "failed", "revoked", "expiring"]

#: What is said of a certificate for each, behind its names.
SAID: Mapping[EventKind, str] = {
    "issued": "was issued",
    "renewed": "was renewed",
    "failed": "failed",
    "revoked": "was revoked",
    "expiring": "is expiring",
}


@dataclass(frozen=True, slots=True)
class CertificateEvent:
    """
    Something that happened to a certificate by ACME.

    @ivar kind: What.
    @ivar key: The identity of the certificate in the configuration.
    @ivar names: What the certificate is for; of an order that failed, what was
        wanted.
    @ivar at: When, POSIX seconds.
    @ivar file: The absolute path of the file with the key, the certificate and
        the chain, PEM; L{None} where the store is not of files, and of an order
        that failed.
    @ivar expires: The end of what is served now, POSIX seconds; L{None} while
        that is self-signed.
    @ivar problem: Why an order failed, or why there is no successor, for people, without a full
        stop; L{None} where that is not known.
    @ivar nextAttempt: When it is tried again, or the certificate is renewed, POSIX
        seconds; L{None} where that is not known.
    @ivar serial: The serial number of the certificate, hexadecimal; L{None} of an
        order that failed.
    """

    kind: EventKind
    key: str
    names: tuple[str, ...]
    at: float
    file: str | None = None
    expires: float | None = None
    problem: str | None = None
    nextAttempt: float | None = None
    serial: str | None = None


#: Is told what happened.  It is called from the reactor and returns at once.
Observer = Callable[[CertificateEvent], object]


class Events:
    """
    Tells all who want to be told.
    """

    _log = Logger()

    def __init__(self) -> None:
        self._observers: dict[int, Observer] = {}
        self._ofRoutes: dict[int, Callable[[Changes], object]] = {}
        self._numbers = count()

    def observe(self, observer: Observer) -> Callable[[], None]:
        """
        Tell one more of what happens from now on.

        @param observer: Is told.
        @return: Call it, and no more is told to that one; calling it again does
            nothing.
        """
        number = next(self._numbers)
        self._observers[number] = observer

        def end() -> None:
            self._observers.pop(number, None)

        return end

    def observeRoutes(self, observer: Callable[[Changes], object]) -> Callable[[], None]:
        """
        Tell one more, from now on, whenever the proxy goes by other routes.

        @param observer: Is told what has changed, once it is in use; called from the
            reactor.
        @return: As of L{observe}.
        """
        number = next(self._numbers)
        self._ofRoutes[number] = observer

        def end() -> None:
            self._ofRoutes.pop(number, None)

        return end

    def tellRoutes(self, changes: Changes) -> None:
        """
        This has changed.  Never fails, and tells nobody who wants to know of routes when
        those are as before.
        """
        if not (changes.added or changes.removed or changes.changed or changes.isReordered):
            return
        for observer in tuple(self._ofRoutes.values()):
            try:
                observer(changes)
            except Exception:
                self._log.failure(
                    "An observer could not be told: {changes}", event="observer-failed", changes=str(changes)
                )

    def tell(self, event: CertificateEvent) -> None:
        """
        This has happened.  Never fails.
        """
        for observer in tuple(self._observers.values()):
            try:
                observer(event)
            except Exception:
                self._log.failure(
                    "An observer could not be told that a certificate for {names} {kind}",
                    event="observer-failed",
                    names=", ".join(event.names),
                    kind=SAID[event.kind],
                )


class Herald:
    """
    Tells what happens to one certificate.
    """

    def __init__(self, key: str, names: tuple[str, ...], events: Events, clock: IReactorTime) -> None:
        """
        @param key: The identity of the certificate.
        @param names: What is wanted.
        @param events: Tells it on.
        @param clock: The time, POSIX seconds.
        """
        self._key = key
        self._names = names
        self._events = events
        self._clock = clock
        self._untold: tuple[EventKind, CertificateFacts] | None = None

    def served(self, before: CertificateFacts | None, now: CertificateFacts) -> None:
        """
        Another certificate is served; it is told when it is in the store.

        @param before: What was served until then; L{None}: something self-signed.
        @param now: What is served.
        """
        isNew = before is None or set(before.names) != set(now.names)
        if self._untold is not None and self._untold[0] == "issued":
            # Nobody has heard of what it follows.
            isNew = True
        self._untold = ("issued" if isNew else "renewed"), now

    def kept(self, file: str | None, nextAttempt: float) -> None:
        """
        It is in the store.

        @param file: Where.
        @param nextAttempt: When it is renewed, POSIX seconds.
        """
        if self._untold is None:
            return
        (kind, facts), self._untold = self._untold, None
        self._events.tell(self.standing(kind, facts, file, nextAttempt))

    def standing(
        self, kind: EventKind, facts: CertificateFacts, file: str | None, nextAttempt: float
    ) -> CertificateEvent:
        """
        What there is to say of a certificate that is served and in the store; it is
        not told.

        @param kind: What it counts as.
        @param facts: What it says.
        @param file: As in L{kept}.
        @param nextAttempt: As in L{kept}.
        """
        now = self._clock.seconds()
        return CertificateEvent(
            kind,
            self._key,
            facts.names,
            now,
            file,
            facts.notAfter,
            nextAttempt=max(nextAttempt, now),
            serial=f"{facts.serial:x}",
        )

    def revoked(self, facts: CertificateFacts) -> None:
        """
        A certificate is revoked.

        @param facts: What it says.
        """
        now, serial = self._clock.seconds(), f"{facts.serial:x}"
        self._events.tell(
            CertificateEvent("revoked", self._key, facts.names, now, expires=facts.notAfter, serial=serial)
        )

    def expiring(self, facts: CertificateFacts, problem: str | None, nextAttempt: float | None) -> None:
        """
        What is served ends soon, and there is no successor.

        @param facts: What it says.
        @param problem: Why there is none.
        @param nextAttempt: When one is ordered again, POSIX seconds.
        """
        self._events.tell(
            CertificateEvent(
                "expiring",
                self._key,
                facts.names,
                self._clock.seconds(),
                expires=facts.notAfter,
                problem=problem,
                nextAttempt=nextAttempt,
                serial=f"{facts.serial:x}",
            )
        )

    def failed(self, problem: str | None, expires: float | None, nextAttempt: float | None) -> None:
        """
        An order came to nothing.

        @param problem: Why.
        @param expires: The end of what is served.
        @param nextAttempt: When it is tried again, POSIX seconds.
        """
        self._events.tell(
            CertificateEvent(
                "failed",
                self._key,
                self._names,
                self._clock.seconds(),
                expires=expires,
                problem=problem,
                nextAttempt=nextAttempt,
            )
        )
