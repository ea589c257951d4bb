"""
Targets that functions work out.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.dynamic import DynamicAction
from smartproxy_tw.actions.means import Means
from smartproxy_tw.actions.plugged import Plugged
from smartproxy_tw.actions.refusal import Refusal
from smartproxy_tw.config.dotted import Reference
from smartproxy_tw.config.model import Dynamic, Plugin, Target
from smartproxy_tw.facts import Address, ConnectionFacts

from ..plugins.given import given
from .recording import RecordingExchange, RecordingStream


class _Assortment:
    """
    Groups that are what they are for.
    """

    def group(self, targets: tuple[Target, ...], isTLS: bool | None) -> Any:
        """Or there is none."""
        if targets[0].host == "bad":
            raise ValueError("no such file")
        return (targets, isTLS)


class DynamicTests(SynchronousTestCase):
    """
    L{DynamicAction}.
    """

    def setUp(self) -> None:
        """
        A clock.
        """
        self.clock = Clock()

    def _action(self, *arguments: Any, **more: Any) -> DynamicAction:
        assortment: Any = _Assortment()
        means = Means(self.clock, Plugged(self.clock))
        return DynamicAction("shop", Dynamic(*arguments, **more), assortment, means)

    def _asked(self, *arguments: Any, **more: Any) -> RecordingExchange:
        exchange = RecordingExchange.to("shop.test", "/a")
        self._action(*arguments, **more).request(exchange)
        return exchange

    def _refused(self, exchange: Any) -> tuple[str, bool]:
        ((what, refusal),) = exchange.asked
        self.assertEqual(what, "forward")
        assert isinstance(refusal, Refusal), refusal
        return refusal.failure.reason, refusal.failure.isTimeout

    def test_whole(self) -> None:
        """
        The function is given the facts, of a request or of a connection.
        """
        met: list[Any] = []

        def decide(facts: Any) -> str:
            met.append(facts)
            return "a:1"

        exchange = self._asked(decide)
        self.assertEqual(exchange.asked, [("forward", ((Target("a", 1),), None))])
        stream = RecordingStream(ConnectionFacts(25, Address("10.0.0.1", 4)))
        self._action(decide).stream(stream)
        self.assertEqual(stream.asked, exchange.asked)
        self.assertEqual([type(each).__name__ for each in met], ["RequestFacts", "ConnectionFacts"])
        self.assertEqual(met[0].path, "/a")

    def test_apart(self) -> None:
        """
        Host and port by functions of their own, at once or later.
        """

        async def later(value: Any) -> Any:
            return value

        for host, port in (
            (lambda facts: facts.host, 1),
            (("shop.test",), lambda facts: 1),
            (lambda facts: later("shop.test"), lambda facts: succeed(1)),
            (lambda facts: "shop.test", lambda facts: later(1)),
            (lambda facts: succeed(["shop.test"]), 1),
        ):
            exchange = self._asked(host=host, port=port)
            self.assertEqual(exchange.asked, [("forward", ((Target("shop.test", 1),), None))])
        exchange = self._asked(host=lambda facts: "a", port=None)
        self.assertEqual(exchange.asked, [("forward", ((Target("a", None),), None))])

    def test_named(self) -> None:
        """
        By their names, which have to lead somewhere.
        """
        exchange = self._asked(host=Reference("tests.actions.test_dynamic.pick"), port=2)
        self.assertEqual(exchange.asked, [("forward", ((Target("picked", 2),), None))])
        why = str(self.assertRaises(ValueError, self._action, Reference("tests.actions.test_dynamic.pik")))
        self.assertIn("did you mean pick?", why)

    def test_source(self) -> None:
        """
        By a plug-in, which has to make a source.
        """
        given(self)
        exchange = self._asked(Plugin.having("ring", {"members": ["a:1", "b:2"]}))
        self.assertEqual(exchange.asked, [("forward", ((Target("a", 1), Target("b", 2)), None))])
        self.assertRaises(ValueError, self._action, Plugin("ring"))

    def test_later(self) -> None:
        """
        The request is held until the answer is there, and no timer is left.
        """
        answer: Deferred[Any] = Deferred()
        exchange = self._asked(lambda facts: answer)
        self.assertEqual(exchange.asked, [])
        answer.callback("https://a")
        self.assertEqual(exchange.asked, [("forward", ((Target("a", 443),), True))])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        exchange.end()

    def test_late(self) -> None:
        """
        One that does not come in time is waited for no more: 504.
        """
        cancelled: list[Any] = []
        answer: Deferred[Any] = Deferred(cancelled.append)
        exchange = self._asked(lambda facts: answer, timeout=2.0)
        self.clock.advance(1.9)
        self.assertEqual(exchange.asked, [])
        self.clock.advance(0.2)
        reason, isTimeout = self._refused(exchange)
        self.assertIn("gave no answer within 2 s", reason)
        self.assertTrue(isTimeout)
        self.assertEqual(cancelled, [answer])

    def test_stubborn(self) -> None:
        """
        One that does not hear of it, and answers later all the same, changes nothing.
        """
        inner: Deferred[Any] = Deferred(lambda _: None)

        async def decide(facts: Any) -> Any:
            try:
                await inner
            except Exception:
                return "a:1"

        exchange = self._asked(decide, timeout=2.0)
        self.clock.advance(3)
        self._refused(exchange)

    def test_gone(self) -> None:
        """
        When the client has left nobody waits for the answer.
        """
        cancelled: list[Any] = []
        answer: Deferred[Any] = Deferred(cancelled.append)
        exchange = self._asked(lambda facts: answer)
        exchange.end()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(exchange.asked, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_raises(self) -> None:
        """
        What raises, at once or later, is a failed target; its traceback is logged now
        and then.
        """

        def decide(facts: Any) -> Any:
            raise KeyError("secret")

        action = self._action(decide)
        for _ in range(3):
            exchange = RecordingExchange.to("shop.test", "/")
            action.request(exchange)
            reason, isTimeout = self._refused(exchange)
            self.assertTrue(reason.endswith("decide raised KeyError"), reason)
            self.assertFalse(isTimeout)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.clock.advance(61)
        action.request(RecordingExchange.to("shop.test", "/"))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

        def ends(facts: Any) -> Any:
            raise SystemExit

        self.assertIn("raised SystemExit", self._refused(self._asked(ends))[0])
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)
        for host, port in (
            (lambda facts: fail(OSError()), 1),
            (lambda facts: succeed("a"), lambda facts: fail(OSError())),
        ):
            self.assertIn("raised OSError", self._refused(self._asked(host=host, port=port))[0])
            self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_nonsense(self) -> None:
        """
        What means nothing is a failed target, and says what it was.
        """
        for more in (
            {"decide": lambda facts: 7},
            {"decide": lambda facts: succeed(7)},
            {"host": lambda facts: 7, "port": 1},
            {"host": lambda facts: succeed(7), "port": 1},
        ):
            reason, _ = self._refused(self._asked(**more))
            self.assertIn("returned 7, which is no", reason)
        reason, _ = self._refused(self._asked(lambda facts: "bad:1"))
        self.assertIn("no such file", reason)


def pick(facts: Any) -> str:
    """
    For those who know its name.
    """
    return "picked"
