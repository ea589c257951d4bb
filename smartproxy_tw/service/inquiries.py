"""
What can be asked about certificates, and done with them, while the proxy runs: the
words of L{Certificates<smartproxy_tw.service.certificates.Certificates>} as questions
to a L{Desk<smartproxy_tw.service.desk.Desk>}.

Times are told as ISO 8601 texts in UTC, and beside them as seconds from now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..acme.errors import AuthorityUndecided, AuthorityUnreachable, IssuanceFailed
from ..acme.reasons import REASONS
from .desk import Desk, Question, Refusal, Reply
from .errors import NotNow, NotPossible
from .status import CertificateStatus, figuresOf

if TYPE_CHECKING:
    from .certificates import Certificates
    from .events import CertificateEvent, Events

__all__ = ["Inquiries"]

#: So many events are kept of each certificate.
_EVENTS = 8

#: After so many certificates in one turn somebody else has his.
_AT_ONCE = 50

#: So many names are looked at for one question.
_LOOKS = 100

#: Status of HTTP for what cannot be done at this moment.
_NOT_NOW = {"starting": 503, "stopping": 503, "away": 503, "held": 429, "failed": 409}


class Inquiries:
    """
    About the certificates of one proxy.
    """

    _log = Logger()

    def __init__(
        self,
        certificates: Certificates,
        events: Events,
        clock: IReactorTime,
        complete: Callable[[CertificateStatus], CertificateStatus] = lambda status: status,
    ) -> None:
        """
        @param certificates: What there is.
        @param events: What happens to them.
        @param clock: The time, POSIX seconds.
        @param complete: Adds to a status what others know.
        """
        self._complete = complete
        self._certificates = certificates
        self._events = events
        self._clock = clock
        self._recent: dict[str, deque[CertificateEvent]] = {}
        self._end: Callable[[], None] = lambda: None
        self._isLooking = False

    def begin(self, desk: Desk) -> None:
        """
        Take questions, and listen to what happens from now on.
        """
        self._end = self._events.observe(self._heard)
        desk.take("GET", "/v1/certificates", self._list)
        desk.take("POST", "/v1/certificates/renew", self._renew)
        desk.take("POST", "/v1/certificates/revoke", self._revoke)
        desk.take("POST", "/v1/certificates/preflight", self._look)

    def end(self) -> None:
        """
        Listen no more.
        """
        self._end()

    def _heard(self, event: CertificateEvent) -> None:
        self._recent.setdefault(event.key, deque(maxlen=_EVENTS)).append(event)
        known = self._certificates.renewable
        if len(self._recent) > 2 * len(known) + _EVENTS:
            # Routes come and go.
            self._recent = {key: events for key, events in self._recent.items() if key in known}

    async def _list(self, question: Question) -> Reply:
        question.only("name", "key")
        names, keys = question.parameters.get("name", ()), question.parameters.get("key", ())
        wanted = {*keys, *(key for name in names for key in self._meant(name))} if names or keys else None
        return Reply({}, listing=("certificates", self._members(wanted)))

    def _members(self, wanted: set[str] | None) -> Iterator[Mapping[str, Any]]:
        for key in self._certificates.keys if wanted is None else sorted(wanted):
            status = self._certificates.statusOf(key)
            if status is not None:
                yield self._told(self._complete(status))

    async def _renew(self, question: Question) -> Reply:
        question.only("names", "all", "force")
        force, isAll = question.claim("force"), question.claim("all")
        if isAll == bool(question.texts("names")):
            raise Refusal(400, "bad-question", "Say which: 'names', or 'all': true.")
        keys = self._certificates.renewable if isAll else self._keys(question)
        self._log.info(
            "{asker} asks for the renewal of {what}",
            event="renewal-asked",
            asker=question.asker,
            what="all certificates" if isAll else ", ".join(keys),
        )
        outcomes: list[dict[str, Any]] = []
        for number, key in enumerate(keys, 1):
            outcomes.append(self._renewed(key, force))
            if number % _AT_ONCE == 0:
                await deferLater(self._clock, 0.0)
        return _together(outcomes, 202)

    def _renewed(self, key: str, force: bool) -> dict[str, Any]:
        outcome = self._begun(key)
        try:
            isNew = self._certificates.renew(key, force=force)
        except (NotNow, NotPossible) as why:
            return self._refused(outcome, why)
        return {**outcome, "outcome": "ordering" if isNew else "already-ordering"}

    async def _revoke(self, question: Question) -> Reply:
        question.only("names", "reason")
        reason = question.members.get("reason")
        if not isinstance(reason, str) or reason not in REASONS:
            raise Refusal(400, "bad-reason", f"Say why, as 'reason': {', '.join(REASONS)}.")
        keys = self._keys(question)
        self._log.warn(
            "{asker} asks for the revocation of {what}: {reason}",
            event="revocation-asked",
            asker=question.asker,
            what=", ".join(keys),
            reason=reason,
        )
        return _together([await self._revoked(key, reason) for key in keys], 200)

    async def _revoked(self, key: str, reason: str) -> dict[str, Any]:
        outcome = self._begun(key)
        try:
            revocation = await self._certificates.revoke(key, reason)
        except (NotNow, NotPossible, IssuanceFailed, ValueError) as why:
            return self._refused(outcome, why)
        outcome |= {"outcome": revocation.outcome, "serial": _serial(revocation.serial)}
        return outcome | ({"problem": revocation.problem} if revocation.problem else {})

    async def _look(self, question: Question) -> Reply:
        question.only("names")
        names = tuple(dict.fromkeys(name.lower().removesuffix(".") for name in question.texts("names")))
        if not 0 < len(names) <= _LOOKS:
            raise Refusal(400, "bad-question", f"Say which: 'names', a list of 1 to {_LOOKS} names.")
        for name in names:
            if not any(name in self._namesOf(key) for key in self._meant(name)):
                raise Refusal(404, "unknown-name", f"No certificate by ACME is wanted for {name}.")
        if self._isLooking:
            raise Refusal(429, "busy", "Somebody else has names looked at just now.")
        self._isLooking = True
        try:
            findings = await self._certificates.look(names)
        except NotPossible as why:
            raise Refusal(409, "not-possible", str(why)) from why
        finally:
            self._isLooking = False
        return Reply({}, listing=("findings", map(asdict, findings)))

    def _namesOf(self, key: str) -> tuple[str, ...]:
        status = self._certificates.statusOf(key) if key in self._certificates.renewable else None
        return () if status is None else status.names

    def _refused(self, outcome: dict[str, Any], why: Exception) -> dict[str, Any]:
        error = _error(why)
        if isinstance(why, NotNow) and why.until is not None:
            wait = max(0.0, why.until - self._clock.seconds())
            error |= {"retry_at": _iso(why.until), "retry_in": wait}
        return {**outcome, "outcome": "refused", "error": error}

    def _begun(self, key: str) -> dict[str, Any]:
        """
        How it stands before anything is done: who waits for the end of an order waits
        until there were more of them.
        """
        status = self._certificates.statusOf(key)
        assert status is not None
        return {
            "key": key,
            "names": list(status.names),
            "serial": None if status.serial is None else _serial(status.serial),
            "orders": status.orders,
        }

    def _keys(self, question: Question) -> tuple[str, ...]:
        names = question.texts("names")
        if not names:
            raise Refusal(400, "bad-question", "Say which: 'names', a list of names.")
        return tuple(dict.fromkeys(key for name in names for key in self._orderable(name)))

    def _orderable(self, name: str) -> tuple[str, ...]:
        """
        Of those that are meant the ones by ACME, if there are any: for the others it
        is told that it cannot be.
        """
        found = self._meant(name)
        return tuple(key for key in found if key in self._certificates.renewable) or found

    def _meant(self, name: str) -> tuple[str, ...]:
        try:
            found = self._certificates.find(name)
        except ValueError as why:
            raise Refusal(400, "bad-name", f"{name!r} {why}.") from why
        if not found:
            raise Refusal(404, "unknown-name", f"No route wants a certificate for {name}.")
        return found

    def _told(self, status: CertificateStatus) -> dict[str, Any]:
        figures = figuresOf(status, self._clock.seconds())
        return {
            "key": status.key,
            "names": list(status.names),
            "source": status.source,
            "state": status.state,
            "revoked": status.isRevoked,
            "serial": None if status.serial is None else _serial(status.serial),
            "issuer": status.issuer,
            "authority": status.authority,
            "not_after": _iso(status.expires),
            "expires_in": figures.expiresIn,
            "problem": status.problem,
            "preflight": list(status.preflight),
            "failures": status.failures,
            "next_attempt": _iso(status.nextAttempt),
            "attempt_in": figures.attemptIn,
            "reason": status.reason,
            "orders": status.orders,
            "events": [_event(each) for each in self._recent.get(status.key, ())],
        }


def _together(outcomes: list[dict[str, Any]], status: int) -> Reply:
    """
    Refused as a whole where all of it is; who asks about one thing need not look any
    further.
    """
    errors = [each["error"] for each in outcomes if "error" in each]
    members: dict[str, Any] = {}
    fields = {}
    if errors and len(errors) == len(outcomes):
        status = errors[0]["status"]
        members["error"] = errors[0]
        if "retry_in" in errors[0]:
            fields["Retry-After"] = str(max(1, round(errors[0]["retry_in"])))
    return Reply(members, status, fields, ("certificates", outcomes))


def _error(why: Exception) -> dict[str, Any]:
    code: str
    match why:
        case NotNow():
            status, code = _NOT_NOW[why.code], why.code
        case NotPossible():
            status, code = 409, "not-possible"
        case AuthorityUnreachable() | AuthorityUndecided():
            status, code = 503, "away"
        case IssuanceFailed():
            status, code = 502, "authority"
        case _:
            status, code = 409, "unusable"
    return {"status": status, "code": code, "message": str(why)}


def _event(event: CertificateEvent) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "at": _iso(event.at),
        "names": list(event.names),
        "not_after": _iso(event.expires),
        "problem": event.problem,
        "next_attempt": _iso(event.nextAttempt),
    }


def _serial(number: int) -> str:
    return f"{number:x}"


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
