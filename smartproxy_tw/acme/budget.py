"""
What an authority allows: how many orders, for whom, and when the next.

Let's Encrypt publishes its limits (U{https://letsencrypt.org/docs/rate-limits/})
and counts by token buckets; they are modelled here as it keeps them, so that an
order that it would refuse is not placed.  A bucket is one number: the moment at
which it will have run empty.  Every other authority is unlimited until it says
something else, and what any authority says (C{rateLimited}, Retry-After) counts
more than what is modelled.

I{Registered domains.}  Let's Encrypt counts certificates by registered domain,
which only the public suffix list knows.  Here it is taken to be the last two
labels of a name, which is wrong under suffixes such as C{co.uk}.  So nothing is
held back on that guess alone: where the bucket of two labels is full, orders
under them are merely placed one after another, and the authority's own refusal,
which names the domain, decides.

I{Refusals that do not say what they are about.}  The set of names is left alone,
and of all others one order at a time is placed: when one is accepted, it was about
that set; when another is refused too, it is about the registered domain that
both share, or else about all, and all wait; the next one in the same words then
is about all at once.

Times are POSIX seconds, handed in; nothing here waits or asks.  A clock that goes
back makes no wait longer than a full bucket's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from math import inf
from typing import Literal

from ..config.names import registeredDomain
from ..values import dataclass
from .schedule import LONGEST_WAIT, retryAfter

__all__ = ["UNLIMITED", "Budget", "Kind", "Limit", "Limits", "Wait", "limitsOf"]

#: What an order is, to one who counts.  C{new}: for names that no certificate of
#: the same set was issued for.  C{renewal}: for the same set as one before; Let's
#: Encrypt counts it by set only.  C{suggested}: the successor of a certificate
#: whose window (RFC 9773) has begun, ordered with C{replaces}; it is not counted.
Kind = Literal["new", "renewal", "suggested"]

#: Buckets empty slower here by this than over there: what is sent at one moment
#: arrives at another.
_CAUTION = 1.02

#: Moments of today are exact to some tenths of a microsecond, and are added up.
_ROUNDING = 0.01

_HOUR, _WEEK = 3600.0, 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Limit:
    """
    So many at once, and as many again within a time.

    @ivar count: 1 or more.
    @ivar seconds: In which a full bucket empties.
    @ivar words: What is counted, for people.
    """

    count: int
    seconds: float
    words: str

    @property
    def interval(self) -> float:
        """
        After so many seconds there is room for one more.
        """
        return self.seconds / self.count * _CAUTION


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Those of one authority; L{None} where there is none.

    @ivar orders: New orders of the account.
    @ivar perDomain: Certificates for one registered domain.
    @ivar perSet: Certificates for one exact set of names.
    @ivar failures: Failed authorizations of one name.
    """

    orders: Limit | None = None
    perDomain: Limit | None = None
    perSet: Limit | None = None
    failures: Limit | None = None


UNLIMITED = Limits()

_PRODUCTION = Limits(
    orders=Limit(300, 3 * _HOUR, "300 new orders of an account in 3 hours"),
    perDomain=Limit(50, _WEEK, "50 certificates for a registered domain in 7 days"),
    perSet=Limit(5, _WEEK, "5 certificates for the same set of names in 7 days"),
    failures=Limit(5, _HOUR, "5 failed authorizations of a name in an hour"),
)
_STAGING = Limits(
    orders=Limit(1500, 3 * _HOUR, "1,500 new orders of an account in 3 hours"),
    perDomain=Limit(30000, _WEEK, "30,000 certificates for a registered domain in 7 days"),
    perSet=Limit(30000, _WEEK, "30,000 certificates for the same set of names in 7 days"),
    failures=Limit(200, _HOUR, "200 failed authorizations of a name in an hour"),
)

_KNOWN = {
    "https://acme-v02.api.letsencrypt.org/directory": _PRODUCTION,
    "https://acme-staging-v02.api.letsencrypt.org/directory": _STAGING,
}

#: What Let's Encrypt's refusals are about, by what is in their text, in any case; compiled when there is one.
_ABOUT_ALL = r"too many new orders|new-orders-per-account|new registrations|Service busy"
_ABOUT_SET = r"exact set of (identifiers|domains)|exact-set"
_ABOUT_DOMAIN = r"already issued for:? \"?([a-z0-9.-]+\.[a-z0-9-]+)"
_ABOUT_NAME = r"failed authorizations .*?for \"?([a-z0-9.-]+\.[a-z0-9-]+)"


@dataclass(frozen=True, slots=True)
class Wait:
    """
    An order is not to be placed yet.

    @ivar until: POSIX seconds; infinite: until another order has ended.
    @ivar why: For people, without a full stop.
    """

    until: float
    why: str


def limitsOf(directory: str) -> Limits:
    """
    What is known of an authority beforehand.

    @param directory: The URL of its directory.
    """
    return _KNOWN.get(directory, UNLIMITED)


class Budget:
    """
    The account's at one authority.

    Each order is L{taken<take>} from it before it is placed, and
    L{settled<settle>} when it has ended.
    """

    def __init__(
        self,
        limits: Limits = UNLIMITED,
        uses: Mapping[str, float] | None = None,
        holds: Mapping[str, Wait] | None = None,
    ) -> None:
        """
        @param limits: What is known beforehand.
        @param uses: As L{uses} told an earlier process.
        @param holds: As L{holds} did.
        """
        self._limits = limits
        self._empty: dict[str, float] = dict(uses or {})
        self._holds: dict[str, Wait] = dict(holds or {})
        self._underWay = 0
        self._inDomain: Counter[str] = Counter()
        self._suspect: tuple[str, ...] | None = None
        self._refusals = 0
        self._learned: set[str] = set()

    def opens(self, kind: Kind, now: float) -> Wait | None:
        """
        What keeps every order of a kind from being placed, whatever its names.
        """
        held = self._held("all", now)
        if held is None and self._suspect is not None and self._underWay:
            held = Wait(inf, "the authority refused an order; the others are placed one by one")
        if held is None and kind == "new":
            held = self._room("orders", self._limits.orders, now)
        return held

    def wait(self, names: tuple[str, ...], kind: Kind, now: float) -> Wait | None:
        """
        What keeps an order from being placed.

        @param names: What the certificate is to be for.
        @return: L{None}: nothing.
        """
        found = [self.opens(kind, now), self._held(_set(names), now)]
        for name in names:
            found.append(self._held(f"name:{name}", now))
            found.append(self._room(f"name:{name}", self._limits.failures, now))
            found.extend(self._held(f"domain:{each}", now) for each in _parents(name))
        if kind != "suggested":
            found.append(self._room(_set(names), self._limits.perSet, now))
        if kind == "new":
            found.extend(self._turn(domain, now) for domain in _domains(names))
        return max((each for each in found if each is not None), key=lambda each: each.until, default=None)

    def take(self, names: tuple[str, ...], kind: Kind, now: float) -> None:
        """
        An order is about to be placed.
        """
        self._underWay += 1
        if kind == "new":
            self._fill("orders", self._limits.orders, now)
            for domain in _domains(names):
                self._fill(f"domain:{domain}", self._limits.perDomain, now)
                self._inDomain[domain] += 1
        if kind != "suggested":
            self._fill(_set(names), self._limits.perSet, now)

    def settle(self, names: tuple[str, ...], kind: Kind, *, isPlaced: bool, isIssued: bool) -> None:
        """
        An order has ended.

        @param isPlaced: Whether the authority took it, and so counts it.
        @param isIssued: Whether there is a certificate.
        """
        self._underWay -= 1
        if kind == "new":
            for domain in _domains(names):
                self._inDomain[domain] -= 1
                if not self._inDomain[domain]:
                    del self._inDomain[domain]
                if not isIssued:
                    self._giveBack(f"domain:{domain}", self._limits.perDomain)
            if not isPlaced:
                self._giveBack("orders", self._limits.orders)
        if kind != "suggested" and not isIssued:
            self._giveBack(_set(names), self._limits.perSet)
        if isPlaced:
            self._suspect, self._refusals = None, 0

    def failed(self, names: Iterable[str], now: float) -> None:
        """
        These could not be proved.
        """
        for name in names:
            self._fill(f"name:{name}", self._limits.failures, now)

    def refused(self, names: tuple[str, ...], detail: str, asked: float | None, now: float) -> None:
        """
        An order was refused because there were too many.

        @param names: What it was for.
        @param detail: What the authority said.
        @param asked: The seconds that it asks to wait, or L{None}.
        """
        self._refusals += 1
        until = now + min(LONGEST_WAIT, retryAfter(self._refusals) if asked is None else asked)
        hold = Wait(until, f"the authority said: {detail.rstrip('.')}")
        if re.search(_ABOUT_SET, detail, re.IGNORECASE):
            self._holds[_set(names)] = hold
        elif (domain := re.search(_ABOUT_DOMAIN, detail, re.IGNORECASE)) is not None:
            self._holds[f"domain:{domain[1].lower()}"] = hold
        elif (name := re.search(_ABOUT_NAME, detail, re.IGNORECASE)) is not None:
            self._holds[f"name:{name[1].lower()}"] = hold
        elif re.search(_ABOUT_ALL, detail, re.IGNORECASE) or _words(detail, names) in self._learned:
            self._holds["all"] = hold
        else:
            self._holds[_set(names)] = hold
            self._suspicion(names, hold, detail)

    def hold(self, until: float, why: str) -> None:
        """
        The authority wants to be left alone altogether.

        @param until: POSIX seconds.
        @param why: For people.
        """
        self._holds["all"] = Wait(until, why)

    def uses(self, now: float) -> dict[str, float]:
        """
        What is in the buckets, to be handed to the next process.
        """
        self._empty = {key: at for key, at in self._empty.items() if at > now}
        return dict(self._empty)

    def holds(self, now: float) -> dict[str, Wait]:
        """
        What the authority asked for, likewise.
        """
        self._holds = {key: hold for key, hold in self._holds.items() if hold.until > now}
        return dict(self._holds)

    def _suspicion(self, names: tuple[str, ...], hold: Wait, detail: str) -> None:
        before = self._suspect
        if before is None or set(before) == set(names):
            self._suspect = names
        elif shared := set(_domains(before)) & set(_domains(names)):
            self._holds.update((f"domain:{domain}", hold) for domain in shared)
        else:
            self._holds["all"] = hold
            self._suspect = None
            self._learned.add(_words(detail, names))

    def _held(self, key: str, now: float) -> Wait | None:
        hold = self._holds.get(key)
        if hold is None or hold.until <= now:
            return None
        latest = now + LONGEST_WAIT
        return hold if hold.until <= latest else Wait(latest, hold.why)

    def _room(self, key: str, limit: Limit | None, now: float) -> Wait | None:
        if limit is None:
            return None
        free = self._emptyAt(key, limit, now) - (limit.count - 1) * limit.interval
        return Wait(free, f"the authority allows {limit.words}") if free > now + _ROUNDING else None

    def _turn(self, domain: str, now: float) -> Wait | None:
        full = self._room(f"domain:{domain}", self._limits.perDomain, now)
        if full is None or not self._inDomain[domain]:
            return None
        return Wait(inf, f"{full.why}; orders under {domain} are placed one by one")

    def _emptyAt(self, key: str, limit: Limit, now: float) -> float:
        return min(max(self._empty.get(key, now), now), now + limit.count * limit.interval)

    def _fill(self, key: str, limit: Limit | None, now: float) -> None:
        if limit is not None:
            full = now + limit.count * limit.interval
            self._empty[key] = min(full, self._emptyAt(key, limit, now) + limit.interval)

    def _giveBack(self, key: str, limit: Limit | None) -> None:
        if limit is not None and key in self._empty:
            self._empty[key] -= limit.interval


def _set(names: tuple[str, ...]) -> str:
    return "set:" + ",".join(sorted(set(names)))


def _words(detail: str, names: tuple[str, ...]) -> str:
    """
    What is left of a refusal without what is different each time.
    """
    for name in sorted(names, key=len, reverse=True):
        detail = detail.replace(name, "*")
    return re.sub(r"\d+", "#", detail)


def _domains(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(registeredDomain, names)))


def _parents(name: str) -> list[str]:
    labels = name.removeprefix("*.").split(".")
    return [".".join(labels[place:]) for place in range(len(labels) - 1)] or [name]
