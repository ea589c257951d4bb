"""
Targets that are for some requests only.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.branches import BranchesAction
from smartproxy_tw.actions.forward import ForwardAction
from smartproxy_tw.actions.means import Means
from smartproxy_tw.actions.plugged import Plugged
from smartproxy_tw.actions.refusal import Refusal
from smartproxy_tw.config.model import Branch, Conditions, Forward, Target
from smartproxy_tw.facts import Address, Amendment, ConnectionFacts, RequestFacts

from .recording import RecordingExchange, RecordingStream


def branch(*names: str, **more: Any) -> Branch:
    """
    One, to some targets.
    """
    return Branch(Forward(tuple(Target(name, 80) for name in names)), **more)


class BranchesTests(SynchronousTestCase):
    """
    L{BranchesAction}.
    """

    def _action(self, *branches: Branch) -> BranchesAction:
        actions: list[Any] = [ForwardAction(each.forward) for each in branches]  # type: ignore[arg-type]
        return BranchesAction(branches, actions, Means(Clock(), Plugged(None)))

    def _where(self, action: BranchesAction, path: str = "/", *fields: tuple[str, str], **more: Any) -> str:
        connection = ConnectionFacts(80, Address("10.0.0.1", 5))
        facts = RequestFacts(connection, more.pop("method", "GET"), "a.test", path, **more)
        exchange = RecordingExchange(facts)
        exchange._fields = list(fields)
        action.request(exchange)
        ((_, upstream),) = exchange.asked
        if isinstance(upstream, Refusal):
            return str((upstream.failure.reason, upstream.failure.isBusy))
        return str(upstream.targets[0].host)

    def test_conditions(self) -> None:
        """
        By path, method, field, parameter and client; whoever is for nobody has the rest.
        """
        action = self._action(
            branch("rest"),
            branch("path", path="/api/*"),
            branch("field", conditions=Conditions(headers=(("x-beta", ("*",)),))),
            branch("query", conditions=Conditions(query=(("v", ("2",)),))),
            branch("put", conditions=Conditions(methods=("PUT",))),
            branch("client", conditions=Conditions(clients=("10.9.0.0/16",))),
        )
        self.assertEqual(self._where(action), "rest")
        self.assertEqual(self._where(action, "/api/x"), "path")
        self.assertEqual(self._where(action, "/", ("x-beta", "1")), "field")
        self.assertEqual(self._where(action, query="v=2"), "query")
        self.assertEqual(self._where(action, method="PUT"), "put")
        self.assertEqual(self._where(action, client="10.9.1.1"), "client")

    def test_priority(self) -> None:
        """
        The highest of those that hold, also before what has conditions.
        """
        action = self._action(
            branch("low", path="/a"),
            branch("high", path="/*", priority=2),
            branch("top", path="/t", priority=3),
        )
        self.assertEqual(self._where(action, "/a"), "high")
        self.assertEqual(self._where(action, "/t"), "top")

    def test_turns(self) -> None:
        """
        Those with the same conditions take turns, each as often as it has targets.
        """
        action = self._action(branch("a", "a2", "a3"), branch("b", headers=(("X", "y"),)))
        exchange = RecordingExchange.to("a.test", "/")
        for _ in range(8):
            action.request(exchange)
        hosts = [each[1].targets[0].host for each in exchange.asked if each[0] == "forward"]
        self.assertEqual((hosts.count("a"), hosts.count("b")), (6, 2))
        self.assertEqual(hosts[:4], hosts[4:])
        amendments = exchange.amendments
        self.assertEqual(amendments, [Amendment(removed=frozenset([b"x"]), fields=b"X: y\r\n")] * 2)

    def test_nobody(self) -> None:
        """
        Without any for the rest it is 503, for a stream a close.
        """
        action = self._action(branch("a", path="/a"))
        self.assertEqual(
            self._where(action, "/b"), "('no target is for this, and none is for the rest', True)"
        )
        stream = RecordingStream(ConnectionFacts(25, Address("10.0.0.1", 4)))
        action.stream(stream)
        self.assertIsInstance(stream.asked[0][1], Refusal)

    def test_stream(self) -> None:
        """
        Of what is not HTTP the client is known.
        """
        action = self._action(branch("near", conditions=Conditions(clients=("10.0.0.0/8",))), branch("far"))
        for host, where in (("10.0.0.1", "near"), ("11.0.0.1", "far")):
            stream = RecordingStream(ConnectionFacts(25, Address(host, 4)))
            action.stream(stream)
            self.assertEqual(stream.asked[0][1].targets[0].host, where)
