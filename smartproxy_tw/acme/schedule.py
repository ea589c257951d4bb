"""
When to ask for a certificate: anew before it ends, and again after it could
not be had.

Times are POSIX seconds and spans are seconds.  Chance is handed in, as a number
from 0 up to 1; the same number gives the same answer.  There is no constant of
days about renewal: what counts is the fraction of a certificate's own life, so
certificates of an hour and of a year are treated alike.
"""

from __future__ import annotations

from ..values import dataclass

__all__ = [
    "LONGEST_WAIT",
    "Due",
    "Window",
    "adviceAfter",
    "lookAfter",
    "probeAfter",
    "renewAt",
    "renewalDue",
    "retryAfter",
]

#: A certificate is renewed when this part of its life is left.
_LEFT = 1 / 3

#: Renewals of certificates of one age are spread over this part of their life,
#: so that a fleet that began at once does not ask at once.
_SPREAD = 1 / 20

#: What is waited after the first failure in a row, the second, and so on; the
#: last one stays.  Five failures in an hour would exhaust Let's Encrypt's
#: budget of a name: here there are three.
_RETRIES = (60.0, 600.0, 3600.0, 4 * 3600.0, 12 * 3600.0, 86400.0)

#: Waits are changed by chance by up to this part of them.
_JITTER = 1 / 4

#: How often an authority that cannot be reached is asked whether it is back: one
#: cheap request for everybody, 1, 2, 4 ... 30 s apart.  The short waits several
#: times, and chance makes each of them shorter by up to a quarter: so the end of an
#: outage of six seconds is noticed within one, whenever in it the first try was, and
#: there is time left of three for the orders themselves.
_PROBES = (1.0,) * 8 + (2.0,) * 3 + (4.0, 4.0, 8.0, 8.0, 16.0, 16.0, 30.0)

#: What is waited between looks at something undecided: the first, what each
#: next one is longer by, and the longest of our own.
_FIRST_LOOK, _LOOK_GROWTH, _LAST_LOOK = 0.02, 1.5, 5.0

#: Authorities speak in whole seconds, and most of them have decided before one
#: has passed: so many looks, 1.0 s in all, are taken before their wish counts.
_QUICK_LOOKS = 8

#: A wish for more than this between two looks is not believed.
_LONGEST_LOOK = 60.0

#: How long until an authority is asked again when to renew: the shortest, what it
#: is where it does not say (RFC 9773 section 4.3.2), and the longest.
_SOONEST_ADVICE, _USUAL_ADVICE, _LATEST_ADVICE = 3600.0, 6 * 3600.0, 86400.0

#: No wait is longer, whatever an authority asks for.  Let's Encrypt's budgets
#: all renew themselves within a week.
LONGEST_WAIT = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Window:
    """
    When an authority wants a certificate to be renewed (RFC 9773 section 4.2).

    @ivar start: From then on, POSIX seconds.
    @ivar end: Until then; later than L{start}.
    @ivar explanation: URL of a page that says why, or L{None}.
    """

    start: float
    end: float
    explanation: str | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """
    When to ask for the successor of a certificate, and why then.

    @ivar at: POSIX seconds; in the past when it is due.
    @ivar why: For people, without a full stop.
    @ivar isSuggested: Whether the authority said so.
    """

    at: float
    why: str
    isSuggested: bool = False


def renewAt(notBefore: float, notAfter: float, jitter: float = 0.0) -> float:
    """
    When to ask for the successor of a certificate.

    @param notBefore: Valid from.
    @param notAfter: Valid until.
    @param jitter: 0 renews with a third of its life left, 1 a twentieth of its
        life earlier.
    @return: Always after C{notBefore}, and in the past when it is due.
    """
    lifetime = max(0.0, notAfter - notBefore)
    return notAfter - lifetime * (_LEFT + _SPREAD * jitter)


def renewalDue(notBefore: float, notAfter: float, jitter: float, window: Window | None = None) -> Due:
    """
    When to ask for the successor of a certificate, by the authority's wish if it
    has one: at a moment of its window, evenly spread (RFC 9773 section 4.3).  But
    never when less than a third of the life is left: of a window that ends after
    that, the part before it counts, and one that begins after it does not.

    @param notBefore: Valid from.
    @param notAfter: Valid until.
    @param jitter: Which moment.
    @param window: The authority's wish, or L{None}.
    """
    latest = renewAt(notBefore, notAfter)
    if window is None:
        at = renewAt(notBefore, notAfter, jitter)
        return Due(at, "a third of its life is left then, or a little more")
    if window.start >= latest:
        at = renewAt(notBefore, notAfter, jitter)
        return Due(at, "a third of its life is left then; the authority would have it later")
    at = window.start + (min(window.end, latest) - window.start) * jitter
    why = "the authority asks for it"
    return Due(at, f"{why}: {window.explanation}" if window.explanation else why, True)


def adviceAfter(failures: int, jitter: float = 0.0, asked: float | None = None) -> float:
    """
    How long to wait until an authority is asked again when to renew.

    @param failures: In a row; 0 when it has just answered.
    @param jitter: After failures, 1 waits a quarter longer than 0.
    @param asked: What it asked for, or L{None}; followed within an hour and a
        day.
    """
    if failures:
        wait = min(_USUAL_ADVICE, _SOONEST_ADVICE * 2.0 ** min(failures - 1, 8)) * (1 + _JITTER * jitter)
        return max(wait, min(asked or 0.0, _LATEST_ADVICE))
    return min(_LATEST_ADVICE, max(_SOONEST_ADVICE, _USUAL_ADVICE if asked is None else asked))


def retryAfter(failures: int, jitter: float = 0.0, asked: float | None = None) -> float:
    """
    How long to wait after an authority refused, or answered nonsense.

    @param failures: In a row, this one included: 1 or more.
    @param jitter: 1 waits a quarter longer than 0.
    @param asked: What the authority asked for
        (L{IssuanceFailed.retryAfter<smartproxy_tw.acme.errors.IssuanceFailed.retryAfter>}),
        or L{None}; never less is waited, up to L{LONGEST_WAIT}.
    """
    wait = _RETRIES[min(max(failures, 1), len(_RETRIES)) - 1] * (1 + _JITTER * jitter)
    return min(LONGEST_WAIT, max(wait, asked or 0.0))


def probeAfter(failures: int, jitter: float = 0.0, asked: float | None = None) -> float:
    """
    How long to wait after an authority could not be reached at all: to look
    whether it is back costs it nothing and counts against no budget.

    @param failures: In a row, this one included: 1 or more.
    @param jitter: 1 waits a quarter less than 0: those that many have lost at
        one moment do not come back at one moment, nor later for it.
    @param asked: As in L{retryAfter}.
    """
    wait = _PROBES[min(max(failures, 1), len(_PROBES)) - 1] * (1 - _JITTER * jitter)
    return min(LONGEST_WAIT, max(wait, asked or 0.0))


def lookAfter(looks: int, asked: float | None = None) -> float:
    """
    How long to wait until the next look at something that the authority has
    not decided.

    @param looks: So many there were: 1 or more.
    @param asked: What the authority asked for, or L{None}.
    """
    own = min(_LAST_LOOK, _FIRST_LOOK * _LOOK_GROWTH ** min(looks - 1, 32))
    if looks <= _QUICK_LOOKS or asked is None:
        return own
    return min(_LONGEST_LOOK, max(own, asked))
