"""
Responders that somebody else wrote for txacme (C{txacme.interfaces.IResponder}),
called just as txacme calls them: with a name, and with the challenge and the
response as objects of C{acme.challenges}.

Their errors become L{RecordFailed<smartproxy_tw.records.errors.RecordFailed>},
and one that never answers is given up after a while: it costs its own order a
failure, and no other order anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, TimeoutError, fail, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..bounds.within import within
from ..facts import DNS01, HTTP01
from ..interfaces import IRecords
from ..records.errors import RecordFailed

if TYPE_CHECKING:
    from txacme.interfaces import IResponder

__all__ = ["Respondents", "Responding", "ResponderRecords"]

#: So long a responder may take until the challenge can be verified, in seconds: as
#: long as C{acme.dns.patience} is by default, records take their time.
START_PATIENCE = 120.0

#: So long it may take to clear away, in seconds.
STOP_PATIENCE = 30.0

#: What is asked of a responder.
_PARTS = ("challenge_type", "start_responding", "stop_responding")


class Responding:
    """
    One responder, with an end in time and words for its failures.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, responder: IResponder) -> None:
        """
        @param clock: Ends what takes too long.
        @param responder: What is called.
        """
        self._clock = clock
        self._responder = responder

    def start(self, evidence: HTTP01 | DNS01) -> Deferred[None]:
        """
        Have it answer.

        @return: Fires when the challenge is ready to be verified.  Fails with
            L{RecordFailed<smartproxy_tw.records.errors.RecordFailed>}; it may
            answer all the same then.
        """
        return self._call("start_responding", evidence, START_PATIENCE)

    def stop(self, evidence: HTTP01 | DNS01) -> Deferred[None]:
        """
        Have it answer no more; fails as L{start} does.
        """
        return self._call("stop_responding", evidence, STOP_PATIENCE)

    def startAgain(self, evidence: HTTP01 | DNS01) -> None:
        """
        Have it answer what an earlier process presented.  Nobody waits for
        that, and a failure is logged.
        """
        self.start(evidence).addErrback(self._notAgain, evidence.name)

    def _call(self, method: str, evidence: HTTP01 | DNS01, seconds: float) -> Deferred[None]:
        what = f"{type(self._responder).__name__}.{method} for {evidence.name}"
        try:
            spoken = _spoken(evidence)
        except ValueError as why:
            return fail(RecordFailed(f"{what} cannot be called: {why}"))
        doing: Deferred[Any] = maybeDeferred(getattr(self._responder, method), evidence.name, *spoken)
        # Here already, so that a CancelledError of its own is not taken for one of ours.
        doing.addErrback(_failed, what)
        return within(seconds, self._clock, doing).addCallbacks(_nothing, _late, errbackArgs=(what, seconds))

    def _notAgain(self, failure: Failure, name: str) -> None:
        self._log.warn(
            "The answer for {name} that an order left behind is not presented anew: {why}",
            event="order-answer-unusable",
            name=name,
            why=str(failure.value),
        )


@implementer(IRecords)
class ResponderRecords:
    """
    A responder for dns-01 as a way into the DNS.
    """

    def __init__(self, responding: Responding) -> None:
        """
        @param responding: It.
        """
        self._responding = responding

    def present(self, record: DNS01) -> Deferred[None]:
        """
        See L{IRecords}.
        """
        return self._responding.start(record)

    def withdraw(self, record: DNS01) -> Deferred[None]:
        """
        See L{IRecords}.
        """
        return self._responding.stop(record)

    def recall(self, record: DNS01) -> Deferred[None]:
        """
        See L{IRecords}.  The DNS has it still: to add it twice would leave one.
        """
        return succeed(None)


class Respondents:
    """
    All the responders that a proxy was handed, by what they answer.  Of several
    for one kind the first is used, as txacme does it.

    @ivar records: The one for dns-01, or L{None}.
    @ivar http: The one for http-01, or L{None}.
    """

    def __init__(self, clock: IReactorTime, responders: Iterable[IResponder]) -> None:
        """
        @param clock: Ends what takes too long.
        @param responders: They need not declare that they provide the interface.
        @raise ValueError: One is not a responder, or is for a challenge that
            only the proxy itself can answer.
        """
        found: dict[str, Responding] = {}
        for each in responders:
            missing = [part for part in _PARTS if not hasattr(each, part)]
            if missing:
                raise ValueError(f"{each!r} is no txacme responder: it has no {', '.join(missing)}.")
            if each.challenge_type not in ("http-01", "dns-01"):
                raise ValueError(
                    f"{each!r} answers {each.challenge_type}. Responders can be for http-01 and dns-01;"
                    " tls-alpn-01 is answered by the proxy, and tls-sni-01 by no authority any more."
                )
            found.setdefault(each.challenge_type, Responding(clock, each))
        dns = found.get("dns-01")
        self.records = None if dns is None else ResponderRecords(dns)
        self.http = found.get("http-01")


def _spoken(evidence: HTTP01 | DNS01) -> tuple[Any, Any]:
    """
    The challenge and the response, as txacme has them.

    @raise ValueError: They cannot say what is meant.
    """
    # It takes its time, and few need it.
    from acme import challenges
    from josepy.b64 import b64decode

    kind = challenges.DNS01 if isinstance(evidence, DNS01) else challenges.HTTP01
    try:
        challenge = kind(token=b64decode(evidence.token))
        isSame = challenge.encode("token") == evidence.token
    except ValueError:
        isSame = False
    if not isSame:
        raise ValueError("the authority's token is no base64url of whole bytes")
    return challenge, kind.response_cls(key_authorization=evidence.keyAuthorization)


def _nothing(_: object) -> None:
    """
    What a responder's Deferred fires with means nothing.
    """


def _failed(failure: Failure, what: str) -> Any:
    why = failure.value
    raise RecordFailed(f"{what} failed with {type(why).__name__}: {str(why).rstrip('.')}") from why


def _late(failure: Failure, what: str, seconds: float) -> Any:
    if isinstance(failure.value, TimeoutError):
        raise RecordFailed(f"{what} did not answer within {seconds:g} s")
    return failure
