"""
Tests for L{smartproxy_tw.guards.passage}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.guards.passage import Guarded
from smartproxy_tw.guards.visit import WAITING, Denial, Request, Verdict, refusal
from smartproxy_tw.interfaces import IAction

from .visiting import Arrival, Behind, stream

NO = refusal("no", 403, "No")


class _Asks:
    """
    A guard that has to ask somebody.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.cancelled = 0

    def ask(self, request: Request) -> Verdict:
        """Not yet."""
        request.hold(self._cancel)
        self.requests.append(request)
        return WAITING

    def _cancel(self) -> None:
        self.cancelled += 1

    def close(self) -> None:
        """Nothing."""


class _Says:
    """
    A guard that says the same to everybody.
    """

    def __init__(self, verdict: Any) -> None:
        self.verdict = verdict
        self.asked = 0

    def ask(self, visit: Any) -> Verdict:
        """It."""
        self.asked += 1
        if isinstance(self.verdict, Exception):
            raise self.verdict
        found: Verdict = self.verdict
        return found

    def close(self) -> None:
        """Nothing."""


class PassageTests(SynchronousTestCase):
    """
    L{Guarded}.
    """

    def test_order(self) -> None:
        """
        Guards are asked one after another; behind one that denies nobody is asked.
        """
        first, second, third = _Says(None), _Says(NO), _Says(None)
        arrival = Arrival(first, second, third)
        self.assertEqual((first.asked, second.asked, third.asked), (1, 1, 0))
        self.assertEqual(arrival.exchange.asked, [("respond", 403, NO.fields, b"No\n")])
        self.assertEqual(arrival.told, [("no", "192.0.2.1", "")])
        self.assertFalse(arrival.hasPassed)
        self.assertTrue(Arrival(first, third).hasPassed)

    def test_interface(self) -> None:
        """
        It is an action itself.
        """
        verifyObject(IAction, Guarded(Behind(), (), lambda *_: None))

    def test_failing(self) -> None:
        """
        A guard that fails has denied, with requests and streams; the bug is logged.
        """
        broken = _Says(RuntimeError("bug"))
        arrival = Arrival(broken)
        self.assertEqual((arrival.status, arrival.reasons), (500, ["guard_failed"]))
        behind, call = Behind(), stream()
        Guarded(behind, [broken], lambda *_: None, doorkeepers=1).stream(call)
        self.assertEqual((behind.reached, call.asked), ([], [("abort",)]))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)

    def test_waitingStream(self) -> None:
        """
        A stream cannot wait: it ends.
        """
        behind, call = Behind(), stream()
        Guarded(behind, [_Says(WAITING)], lambda *_: None, doorkeepers=1).stream(call)
        self.assertEqual((behind.reached, call.asked), ([], [("abort",)]))

    def test_waiting(self) -> None:
        """
        A guard holds a request and lets it go on later, to the next one that holds it.
        """
        one, two, last = _Asks(), _Asks(), _Says(None)
        arrival = Arrival(one, two, last)
        self.assertTrue(arrival.isWaiting)
        one.requests[0].goOn(None)
        self.assertTrue(arrival.isWaiting)
        two.requests[0].goOn(None)
        self.assertTrue(arrival.hasPassed)
        self.assertEqual(last.asked, 1)
        arrival.exchange.end()
        self.assertEqual((one.cancelled, two.cancelled), (0, 0))

    def test_deniedLater(self) -> None:
        """
        Or it denies later.
        """
        asks = _Asks()
        arrival = Arrival(asks)
        asks.requests[0].goOn(NO)
        self.assertEqual((arrival.status, arrival.reasons), (403, ["no"]))

    def test_clientLeaves(self) -> None:
        """
        When the client leaves what was asked is cancelled, and nothing goes on.
        """
        for verdict in (None, NO):
            asks, last = _Asks(), _Says(None)
            arrival = Arrival(asks, last)
            arrival.exchange.end()
            self.assertEqual(asks.cancelled, 1)
            asks.requests[0].goOn(verdict)
            self.assertTrue(arrival.isWaiting)
            self.assertEqual((last.asked, arrival.told), (0, []))

    def test_failsLater(self) -> None:
        """
        When what is guarded fails after a wait the request ends.
        """
        for what in (RuntimeError, SystemExit):
            asks = _Asks()
            arrival = Arrival(asks)

            def fails(exchange: Any, what: type[BaseException] = what) -> None:
                raise what("bug")

            arrival.behind.request = fails  # type: ignore[method-assign]
            asks.requests[0].goOn(None)
            self.assertEqual(arrival.exchange.asked, [("abort",)])
            self.assertEqual(len(self.flushLoggedErrors(what)), 1)

    def test_answers(self) -> None:
        """
        What is no denial but an answer is not reported.
        """
        arrival = Arrival(_Says(Denial("", 204)))
        self.assertEqual((arrival.status, arrival.told), (204, []))

    def test_streamsPass(self) -> None:
        """
        Streams meet those guards only that are for them.
        """
        behind, call = Behind(), stream()
        keeper, other = _Says(None), _Says(NO)
        Guarded(behind, [keeper, other], lambda *_: None, doorkeepers=1).stream(call)
        self.assertEqual((behind.reached, keeper.asked, other.asked), ([call], 1, 0))
