"""
Tests for L{smartproxy_tw.guards.gatehouse}.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import TLS, Block, Route
from smartproxy_tw.config.security import (
    BasicAuth,
    CertificateHeaders,
    Cors,
    ForwardAuth,
    JWTAuth,
    RateLimit,
    Security,
    SecurityHeaders,
)
from smartproxy_tw.guards.gatehouse import Gatehouse
from smartproxy_tw.guards.passage import Guarded

from .test_verifier import BCRYPT
from .visiting import Arrival, Behind, Visit, connection

EVERYTHING = Security(
    allowed=("192.0.2.0/24",),
    blocked=("192.0.2.9",),
    connections=10,
    perClient=5,
    rate=60,
    limit=RateLimit(5, 60.0, 5),
    basic=BasicAuth((("bob", BCRYPT),)),
    jwt=JWTAuth(("HS256",), secret="x" * 32, source="cookie", sourceName="t"),
    forward=ForwardAuth("http://127.0.0.1:1/"),
    certificate=CertificateHeaders(subject="X-Subject"),
)


def route(security: Security | None = None, name: str = "a", **more: Any) -> Route:
    """
    One with guards.
    """
    return Route(name, (80,), Block(), "http", security=security, **more)


class GatehouseTests(SynchronousTestCase):
    """
    L{Gatehouse}.
    """

    def setUp(self) -> None:
        self.denied: list[tuple[str, str, str, str]] = []
        self.house = Gatehouse(Clock(), lambda: 0.0, lambda *said: self.denied.append(said))
        self.addCleanup(self.house.close)
        self.behind = Behind()

    def use(self, *routes: Route, workers: int = 1) -> list[Any]:
        """
        Put routes to use.
        """
        posts = self.house.posts(workers)
        actions = [posts.before(each, self.behind) for each in routes]
        self.house.use(posts)
        return actions

    def kinds(self, action: Any) -> list[str]:
        """
        Who stands before it.
        """
        return [type(each).__name__ for each in action.guards]

    def test_none(self) -> None:
        """
        A route that asks for nothing has nothing in its way.
        """
        self.assertEqual(self.use(route(), route(Security(), "b")), [self.behind, self.behind])

    def test_order(self) -> None:
        """
        Guards stand in their order: who it is, is asked last.
        """
        (action,) = self.use(
            route(
                EVERYTHING,
                cors=Cors(("https://a.test",)),
                securityHeaders=SecurityHeaders((("A", "b"),), None),
            )
        )
        self.assertEqual(
            self.kinds(action),
            ["Lists", "Crowd", "Arrivals", "Requests", "Sharing", "Basic", "Bearer", "Inquiry", "Shown"],
        )
        self.assertEqual(
            [type(each).__name__ for each in action._doorkeepers], ["Lists", "Crowd", "Arrivals"]
        )

    def test_alone(self) -> None:
        """
        Each of them stands there alone, if it is all that is asked for.
        """
        for name, kind in (
            ("allowed", "Lists"),
            ("blocked", "Lists"),
            ("connections", "Crowd"),
            ("perClient", "Crowd"),
            ("rate", "Arrivals"),
            ("limit", "Requests"),
            ("basic", "Basic"),
            ("jwt", "Bearer"),
            ("forward", "Inquiry"),
            ("certificate", "Shown"),
        ):
            only: Any = {name: getattr(EVERYTHING, name)}
            (action,) = self.use(route(Security(**only)))
            self.assertEqual(self.kinds(action), [kind], name)

    def test_reload(self) -> None:
        """
        What a route says the same of is kept, counts and all, whatever else changes; what it has no
        need of any more is closed.
        """
        (before,) = self.use(route(EVERYTHING))
        changed = replace(EVERYTHING, basic=None, perClient=7)
        (after, other) = self.use(route(changed), route(EVERYTHING, "b"))
        kept = {type(each).__name__ for each in before.guards if each in after.guards}
        self.assertEqual(kept, {"Lists", "Arrivals", "Requests", "Bearer", "Inquiry"})
        shared = {type(each).__name__ for each in other.guards if each in before.guards}
        self.assertEqual(shared, {"Lists"})
        closed: list[str] = []
        for each in after.guards:
            if type(each).__name__ == "Inquiry":
                self.patch(each, "close", lambda: closed.append("Inquiry"))
        self.use(route(changed))
        self.assertEqual(closed, [])
        self.use(route(replace(changed, forward=None)))
        self.assertEqual(closed, ["Inquiry"])

    def test_longLists(self) -> None:
        """
        Long lists are read step by step, once for all routes that have them, and not again.
        """
        blocked = tuple(f"10.{number // 256}.{number % 256}.1" for number in range(2000))
        routes = [route(Security(blocked=blocked), str(number)) for number in range(5)]
        posts = self.house.posts(1)
        self.assertGreater(sum(1 for _ in posts.reading(routes)), 20)
        actions: list[Any] = [posts.before(each, self.behind) for each in routes]
        self.assertEqual(len({id(each.guards[0]) for each in actions}), 1)
        self.house.use(posts)
        again = self.house.posts(1)
        self.assertEqual(sum(1 for _ in again.reading(routes)), 0)
        after: Any = again.before(routes[0], self.behind)
        self.assertIs(after.guards[0], actions[0].guards[0])
        self.house.use(again)
        bad = self.house.posts(1).reading([route(Security(allowed=("x",)))])
        self.assertRaises(ValueError, list, bad)

    def test_unusable(self) -> None:
        """
        When something cannot be used what is in use stays.
        """
        (before,) = self.use(route(EVERYTHING))
        posts = self.house.posts(1)
        bad = Security(forward=ForwardAuth("https://127.0.0.1:1/", caFile="/nowhere.pem"))
        self.assertRaises(ValueError, posts.before, route(bad), self.behind)
        (after,) = self.use(route(EVERYTHING))
        self.assertIs(after.guards[0], before.guards[0])

    def test_workers(self) -> None:
        """
        Each of some workers has its share of what is limited for all.
        """
        (action,) = self.use(route(Security(connections=3, perClient=2)), workers=2)
        passed = []
        for number in range(4):
            exchange = Visit(Arrival(by=connection(f"192.0.2.{number}")).exchange.facts())
            before = len(self.behind.reached)
            action.request(exchange)
            passed.append(len(self.behind.reached) > before)
        self.assertEqual(passed, [True, True, False, False])

    def test_told(self) -> None:
        """
        A denial is told with the name of the route.
        """
        (action,) = self.use(route(Security(blocked=("192.0.2.1",)), "shop"))
        action.request(Arrival().exchange)
        self.assertEqual(self.denied, [("shop", "blocked", "192.0.2.1", "")])

    def test_advice(self) -> None:
        """
        What browsers are told is in the answers of guards too; of TLS only where there is TLS.
        """
        advice = SecurityHeaders((("X-A", "b"),), "max-age=5")
        for tls, expected in (
            (None, b"X-A: b\r\n"),
            (TLS("terminate"), b"X-A: b\r\nStrict-Transport-Security: max-age=5\r\n"),
        ):
            settings = Security(blocked=("192.0.2.1",))
            (action,) = self.use(route(settings, tls=tls, securityHeaders=advice))
            assert isinstance(action, Guarded)
            exchange = Arrival().exchange
            action.request(exchange)
            self.assertEqual(exchange.shows(b""), expected)
            self.assertEqual(exchange.asked[0][1], 403)

    def test_keys(self) -> None:
        """
        Keys are fetched from where it is said, when there is a token.
        """
        (action,) = self.use(route(Security(jwt=JWTAuth(("RS256",), url="http://127.0.0.1:1/"))))
        (guard,) = action.guards
        self.assertEqual(guard._keyring._url, "http://127.0.0.1:1/")

    def test_prefix(self) -> None:
        """
        Who is one client by IPv6 is as the route says.
        """
        for prefix, passed in ((64, 2), (48, 1)):
            (action,) = self.use(route(Security(perClient=1, prefix=prefix)))
            before = len(self.behind.reached)
            for client in ("2001:db8:0:1::1", "2001:db8:0:2::1"):
                action.request(Visit(Arrival(by=connection(client)).exchange.facts()))
            self.assertEqual(len(self.behind.reached) - before, passed)

    def test_trust(self) -> None:
        """
        Whom to trust where keys are fetched is read at once; a file that cannot be used is told.
        """
        settings = JWTAuth(("RS256",), url="https://127.0.0.1:1/", caFile="/nowhere.pem")
        posts = self.house.posts(1)
        why = self.assertRaises(ValueError, posts.before, route(Security(jwt=settings)), self.behind)
        self.assertIn("/nowhere.pem", str(why))

    def test_patience(self) -> None:
        """
        Somebody else is waited for as long as the route says.
        """
        (action,) = self.use(route(Security(forward=ForwardAuth("http://127.0.0.1:1/", timeout=7.0))))
        (guard,) = action.guards
        self.assertEqual(guard._web._timeout, 7.0)
