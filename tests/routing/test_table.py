"""
Tests for L{smartproxy_tw.routing.table}, and of the precedence that
L{smartproxy_tw.routing.rule} states.
"""

from __future__ import annotations

from dataclasses import replace
from time import process_time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import (
    TLS,
    Auto,
    ClientCertificates,
    Conditions,
    Config,
    Files,
    Internal,
    Route,
    Several,
    TLSPolicy,
)
from smartproxy_tw.facts import Address, ConnectionFacts, RequestFacts
from smartproxy_tw.routing.sight import Sight
from smartproxy_tw.routing.table import Chosen, Miss, PortTable, compileTable

from ..examples import examples
from ..plugins.given import given as givenPlugins
from .reference import View, configurations, labels, paths, slowDecision, views
from .routes import configure, http, https, passthrough, tcp, tlsTCP

steady = examples(120)


def port(number: int, *routes: Route, **more: Any) -> PortTable:
    """
    The table of one port of a configuration.
    """
    return compileTable(configure(*routes, **more)).ports[number]


def named(answer: Chosen | Miss) -> str | None:
    """
    The name of the chosen route.
    """
    return answer.route.name if isinstance(answer, Chosen) else None


class PrecedenceTests(SynchronousTestCase):
    """
    The first difference decides: priority, domain, path, order.
    """

    def order(self, host: str, path: str, *routes: Route) -> list[str]:
        """
        Which route is chosen, which one without that, and so on.
        """
        left, found = list(routes), []
        while left:
            answer = port(80, *left).decideRequest(False, host, path)
            if isinstance(answer, Miss):
                break
            found.append(answer.route.name)
            left = [route for route in left if route is not answer.route]
        return found

    def test_domains(self) -> None:
        """
        Exact, then the longest wildcard, then any name, then no domains.
        """
        routes = [
            http("none"),
            http("any", "*"),
            http("far", "**.example"),
            http("near", "**.b.example"),
            http("one", "*.b.example"),
            http("exact", "a.b.example"),
            http("other", "c.b.example"),
        ]
        self.assertEqual(
            self.order("a.b.example", "/", *routes), ["exact", "one", "near", "far", "any", "none"]
        )
        self.assertEqual(self.order("example", "/", *routes), ["any", "none"])
        self.assertEqual(self.order("", "/", *routes), ["none"])

    def test_paths(self) -> None:
        """
        Exact, then the longest prefix, then parameters, then no path.
        """
        routes = [
            http("none", "a.example"),
            http("all", "a.example", path="/*"),
            http("parameters", "a.example", path="/u/:id"),
            http("open", "a.example", path="/:a/*"),
            http("short", "a.example", path="/u/*"),
            http("exact", "a.example", path="/u/5"),
        ]
        self.assertEqual(
            self.order("a.example", "/u/5", *routes),
            ["exact", "short", "parameters", "open", "none", "all"],
        )
        self.assertEqual(self.order("a.example", "/u/5/6", *routes), ["short", "open", "none", "all"])

    def test_domainBeforePath(self) -> None:
        """
        A more specific domain outweighs a more specific path.
        """
        routes = [http("path", "*.example", path="/a"), http("domain", "a.example")]
        self.assertEqual(self.order("a.example", "/a", *routes), ["domain", "path"])

    def test_priorityBeforeAll(self) -> None:
        """
        Priority outweighs everything, negative ones included.
        """
        routes = [
            http("exact", "a.example", path="/a"),
            http("high", priority=1),
            http("low", "a.example", path="/a", priority=-1),
            http("middle", path="/*"),
        ]
        self.assertEqual(self.order("a.example", "/a", *routes), ["high", "exact", "middle", "low"])

    def test_order(self) -> None:
        """
        Of equals the first in the file is chosen.
        """
        routes = [http("first", "a.example", path="/a/*"), http("second", "a.example", path="/a/*")]
        self.assertEqual(self.order("a.example", "/a/", *routes), ["first", "second"])
        self.assertEqual(self.order("a.example", "/a/", *reversed(routes)), ["second", "first"])

    def test_severalDomains(self) -> None:
        """
        A route with several domains stands by the best one that matches.
        """
        routes = [http("one", "*.example"), http("two", "*", "b.example", "**.example")]
        self.assertEqual(self.order("b.example", "/", *routes), ["two", "one"])
        self.assertEqual(self.order("c.example", "/", *routes), ["one", "two"])


class RequestTests(SynchronousTestCase):
    """
    Requests are decided one by one.
    """

    def test_parameters(self) -> None:
        """
        The answer has the segments that the parameters stand for.
        """
        route = http("user", "a.example", path="/u/:id/posts/:post")
        table = port(80, route)
        self.assertEqual(
            table.decideRequest(False, "a.example", "/u/5/posts/7"),
            Chosen(route, (("id", "5"), ("post", "7"))),
        )
        self.assertEqual(
            table.decideRequest(False, "a.example", "/u/5/posts"),
            Miss("no route on port 80 for a.example has the path /u/5/posts"),
        )

    def test_plainAndTLSApart(self) -> None:
        """
        On one port plain requests go to plain routes, those over TLS to
        routes with TLS, and passthrough has nothing to do with either.
        """
        table = port(443, http("plain", "a.example", port=443), https("secure", "a.example"),
                     passthrough("through", "a.example"))  # fmt: skip
        self.assertEqual(named(table.decideRequest(False, "a.example", "/")), "plain")
        self.assertEqual(named(table.decideRequest(True, "a.example", "/")), "secure")
        self.assertTrue(table.takesHTTP and table.takesTLS and not table.takesTCP)

    def test_noRequestBeyondPath(self) -> None:
        """
        What decides is the host and the path alone, and the table says so.
        """
        self.assertEqual(port(80, http("a")).requestFactsBeyondPath, frozenset())
        self.assertFalse(port(80, http("a")).asksClient)

    def test_requestBeyondPath(self) -> None:
        """
        Otherwise it says what else decides about requests, and whether the client
        decides about connections.
        """
        inside = Conditions(clients=("10.0.0.0/8",))
        asked = Conditions((("a", ("b",)),), (("c", ("d",)),), ("GET",), ("::1",), ("1.3",))
        table = port(443, https("a", "a.example", conditions=asked), https("b"))
        self.assertEqual(
            table.requestFactsBeyondPath, {"headers", "query", "method", "client_ip", "tls_version"}
        )
        self.assertFalse(table.asksClient)
        for route in (passthrough("a", conditions=inside), tcp("a", port=443, conditions=inside)):
            table = port(443, route, https("b"))
            self.assertEqual((table.requestFactsBeyondPath, table.asksClient), (frozenset(), True))

    def test_conditions(self) -> None:
        """
        Whoever asks for more is before whoever asks for less, behind priority,
        domain and path; and all of it has to hold.
        """
        one = Conditions(methods=("GET",))
        two = Conditions(methods=("GET",), headers=(("x", ("*",)),))
        routes = [
            http("plain", "a.example", path="/a"),
            http("one", "a.example", path="/a", conditions=one),
            http("two", "a.example", path="/a", conditions=two),
            http("wide", "*.example", path="/a", conditions=two),
            http("prefix", "a.example", path="/*", conditions=two),
            http("first", priority=1, conditions=Conditions(query=(("first", ("",)),))),
        ]
        table = port(80, *routes)
        for sight, name in [
            (View(fields=(("x", ""),)).sight, "two"),
            (View().sight, "one"),
            (View(method="POST", fields=(("x", ""),)).sight, "plain"),
            (View(query="first").sight, "first"),
            (None, "plain"),
        ]:
            self.assertEqual(named(table.decideRequest(False, "a.example", "/a", sight)), name)

    def test_conditionsInReason(self) -> None:
        """
        A miss for the sake of conditions says so.
        """
        asked = Conditions(methods=("GET",))
        table = port(80, http("a", "a.example", path="/a", conditions=asked))
        sight = View(method="POST").sight
        self.assertEqual(
            table.decideRequest(False, "a.example", "/a", sight),
            Miss("no route on port 80 for a.example has the path /a and conditions that hold"),
        )
        self.assertEqual(
            table.decideRequest(False, "a.example", "/b", sight),
            Miss("no route on port 80 for a.example has the path /b"),
        )
        inside = Conditions(clients=("10.0.0.0/8",))
        table = port(443, passthrough("a", conditions=inside))
        self.assertEqual(
            table.decideHello("a.example", Sight("::1")),
            Miss("no route on port 443 for a.example has conditions that hold"),
        )

    def test_conditionsOfConnections(self) -> None:
        """
        Some clients are passed through where TLS ends for others, and are
        misdirected where others are not.
        """
        inside, other = Sight("10.0.0.7"), Sight("192.0.2.1")
        tls = TLS("terminate", Auto(("a.example", "b.example")))
        clients = Conditions(clients=("10.0.0.0/8",))
        table = port(
            443,
            https("web", "a.example", tls=tls, conditions=clients),
            passthrough("through", "b.example", conditions=clients),
            https("rest", "b.example", tls=tls),
        )
        self.assertEqual(named(table.decideHello("b.example", inside)), "through")
        self.assertEqual(named(table.decideHello("b.example", other)), "rest")
        # Whom a request is for is not known yet when its TLS begins.
        self.assertEqual(named(table.decideHello("a.example", other)), "web")
        self.assertTrue(table.isMisdirected("a.example", "b.example", inside))
        self.assertFalse(table.isMisdirected("a.example", "b.example", other))
        self.assertTrue(inside.isPersonal and other.isPersonal)
        self.assertEqual(table.certificateFor("b.example", other), tls.certificate)
        self.assertIsNone(table.certificateFor("b.example", inside))

    def test_reasons(self) -> None:
        """
        A miss says what was missing.
        """
        for routes, host, reason in [
            ([tcp("smtp", port=80)], "a.example", "no route on port 80 takes plain HTTP"),
            (
                [http("shop", "shop.example")],
                "a.example",
                "no route for plain HTTP on port 80 has the domain a.example",
            ),
            (
                [http("shop", "*")],
                "",
                "every route for plain HTTP on port 80 has domains, and no name was given",
            ),
            (
                [http("shop", "*.example", path="/a")],
                "a.example",
                "no route on port 80 for a.example has the path /b",
            ),
            ([http("shop", path="/a")], "", "no route on port 80 without domains has the path /b"),
        ]:
            self.assertEqual(port(80, *routes).decideRequest(False, host, "/b"), Miss(reason))

    def test_longPathInReason(self) -> None:
        """
        The log is not filled with the paths of others.
        """
        answer = port(80, http("a", path="/a")).decideRequest(False, "", "/" + "b" * 8000)
        assert isinstance(answer, Miss)
        self.assertLess(len(answer.reason), 300)


class HelloTests(SynchronousTestCase):
    """
    What becomes of TLS is decided by the name alone.
    """

    def test_passthroughAndTerminated(self) -> None:
        """
        Both kinds stand side by side on a port.
        """
        table = port(443, https("shop", "shop.example"), passthrough("mail", "*.example"))
        self.assertEqual(named(table.decideHello("shop.example")), "shop")
        self.assertEqual(named(table.decideHello("mail.example")), "mail")
        self.assertEqual(
            table.decideHello("a.b.example"), Miss("no route for TLS on port 443 has the domain a.b.example")
        )

    def test_pathPlaysNoPart(self) -> None:
        """
        A route for some paths holds its name like any other; among several
        the first in the file speaks, whatever their paths.
        """
        table = port(443, https("api", "shop.example", path="/api/*"))
        self.assertEqual(named(table.decideHello("shop.example")), "api")
        table = port(443, https("all", "shop.example"), https("api", "shop.example", path="/api"))
        self.assertEqual(named(table.decideHello("shop.example")), "all")
        self.assertEqual(named(table.decideRequest(True, "shop.example", "/api")), "api")

    def test_remembered(self) -> None:
        """
        What is remembered of names is bounded, and nothing of one that nobody takes.
        """
        table = port(443, passthrough("any", "*.a.example"), https("b", "b.example"))
        for number in range(3000):
            self.assertEqual(named(table.decideHello(f"{number}.a.example")), "any")
            self.assertIsInstance(table.decideHello(f"{number}.nobody.example"), Miss)
            self.assertLessEqual(len(table._known), 1024)
        self.assertEqual(named(table.decideHello("b.example")), "b")
        self.assertFalse([name for name in table._known if "nobody" in str(name)])

    def test_noName(self) -> None:
        """
        A route with domains never takes a connection without a name, be the
        domain any at all.
        """
        reason = Miss("every route for TLS on port 443 has domains, and no name was given")
        self.assertEqual(port(443, https("any", "*")).decideHello(None), reason)
        table = port(443, passthrough("any", "*"), https("fallback"))
        self.assertEqual(named(table.decideHello(None)), "fallback")
        self.assertEqual(named(table.decideHello("a.example")), "any")

    def test_plainRoutesHoldNoNames(self) -> None:
        """
        A plain route has no say about TLS.
        """
        table = port(443, http("plain", "a.example", port=443), tcp("other", port=443))
        self.assertEqual(table.decideHello("a.example"), Miss("no route on port 443 takes TLS"))
        self.assertFalse(table.takesTLS)

    def test_certificates(self) -> None:
        """
        The certificate is that of the route that speaks for the name.
        """
        own, wide = Files("/a.pem", "/a.key"), Internal(("*.example",))
        table = port(
            443,
            https("wide", "*.example", tls=TLS("terminate", wide)),
            https("own", "a.example", path="/x", tls=TLS("terminate", own)),
            https("later", "a.example", tls=TLS("terminate", Auto(("a.example",)))),
            passthrough("through", "b.example"),
        )
        self.assertEqual(table.certificateFor("a.example"), own)
        self.assertEqual(table.certificateFor("c.example"), wide)
        self.assertIsNone(table.certificateFor("b.example"))
        self.assertIsNone(table.certificateFor(None))

    def test_misdirected(self) -> None:
        """
        A request is on the wrong connection where its name would have been
        shown something else.
        """
        shared = TLS("terminate", Auto(("a.example", "b.example")))
        table = port(
            443,
            https("a", "a.example", tls=shared),
            https("b", "b.example", tls=shared),
            https("c", "c.example"),
            passthrough("d", "d.example"),
        )
        for serverName, host, expected in [
            ("a.example", "a.example", False),
            ("a.example", "b.example", False),
            ("a.example", "c.example", True),
            ("a.example", "d.example", True),
            ("a.example", "unknown.example", True),
            ("a.example", "", True),
            (None, "a.example", True),
            (None, "", False),
        ]:
            self.assertEqual(table.isMisdirected(serverName, host), expected, (serverName, host))

    def test_several(self) -> None:
        """
        Where the names of a route are divided, each name has its part, and a
        request on the connection of another part is misdirected.
        """
        first, second = Auto(("a.example", "b.example")), Auto(("*.c.example",))
        tls = TLS("terminate", Several((*first.names, *second.names), (first, second)))
        table = port(443, https("all", "a.example", "b.example", "*.c.example", tls=tls))
        self.assertEqual(table.certificateFor("b.example"), first)
        self.assertEqual(table.certificateFor("x.c.example"), second)
        self.assertFalse(table.isMisdirected("a.example", "b.example"))
        self.assertFalse(table.isMisdirected("x.c.example", "y.c.example"))
        self.assertTrue(table.isMisdirected("a.example", "x.c.example"))

    def test_misdirectedPolicy(self) -> None:
        """
        So it is where its name would have been held to another policy, be the
        certificate the same.
        """
        lax = TLS("terminate", Auto(("a.example", "b.example")))
        strict = replace(lax, policy=TLSPolicy(clients=ClientCertificates("require", "/ca.pem")))
        table = port(443, https("a", "a.example", tls=lax), https("b", "b.example", tls=strict))
        self.assertTrue(table.isMisdirected("a.example", "b.example"))
        self.assertTrue(table.isMisdirected("b.example", "a.example"))
        self.assertTrue(table.isMisdirected(None, "b.example"))


class StreamTests(SynchronousTestCase):
    """
    Connections that are not HTTP.
    """

    def test_plain(self) -> None:
        """
        They go to the plain TCP route without domains.
        """
        table = port(25, tcp("first"), tcp("second"), tcp("named", "a.example"))
        self.assertEqual(named(table.decideStream(False, None)), "first")
        self.assertTrue(table.takesTCP and not table.takesHTTP and not table.takesTLS)
        self.assertEqual(
            port(25, http("web", port=25)).decideStream(False, None),
            Miss("no route on port 25 takes plain TCP"),
        )

    def test_terminated(self) -> None:
        """
        What comes out of TLS goes by the name of its ClientHello.
        """
        table = port(993, tlsTCP("imap", "mail.example", port=993), tlsTCP("other", port=993))
        self.assertEqual(named(table.decideStream(True, "mail.example")), "imap")
        self.assertEqual(named(table.decideStream(True, None)), "other")
        self.assertFalse(table.takesTCP)


class TableTests(SynchronousTestCase):
    """
    The table as a whole.
    """

    def connection(self, number: int, isTLS: bool = False, name: str | None = None) -> ConnectionFacts:
        """
        Facts of a connection.
        """
        return ConnectionFacts(number, Address("192.0.2.1", 5), name, (), isTLS)

    def test_decide(self) -> None:
        """
        Facts of either kind find their way to the right question.
        """
        table = compileTable(
            configure(
                https("shop", "shop.example", path="/a"),
                http("web", path="/:what"),
                tcp("smtp"),
                tcp("rest", port=443),
            )
        )
        decide, connection = table.decide, self.connection
        self.assertEqual(named(decide(connection(443, True, "shop.example"))), "shop")
        self.assertEqual(
            decide(connection(443, True, "a.example")),
            Miss("no route for TLS on port 443 has the domain a.example"),
        )
        self.assertEqual(named(decide(connection(443))), "rest")
        self.assertEqual(named(decide(connection(25))), "smtp")
        self.assertEqual(named(decide(connection(25, True, "a.example"))), "smtp")
        self.assertEqual(decide(connection(80, True, "a.example")), Miss("no route on port 80 takes TLS"))
        self.assertEqual(decide(connection(81)), Miss("no route listens on port 81"))
        secure = connection(443, True, "shop.example")
        self.assertEqual(named(decide(RequestFacts(secure, "GET", "shop.example", "/a"))), "shop")
        plain = connection(80)
        answer = decide(RequestFacts(plain, "GET", "shop.example", "/x"))
        assert isinstance(answer, Chosen)
        self.assertEqual((answer.route.name, answer.parameters), ("web", (("what", "x"),)))

    def test_portOfChallenge(self) -> None:
        """
        A port that is there for a challenge only has a table, which misses.
        """
        table = compileTable(configure(https("shop", "shop.example")))
        self.assertEqual(sorted(table.ports), [80, 443])
        self.assertEqual(
            table.ports[80].decideRequest(False, "shop.example", "/"),
            Miss("no route on port 80 takes plain HTTP"),
        )

    def test_immutable(self) -> None:
        """
        Nothing can be put into a table once it is made.
        """
        table = compileTable(configure(http("a")))
        with self.assertRaises(TypeError):
            table.ports[81] = table.ports[80]  # type: ignore[index]
        with self.assertRaises(AttributeError):
            table.ports[80].takesTLS = True  # type: ignore[misc]

    def test_range(self) -> None:
        """
        Each port of a range has its own table and says its own number.
        """
        table = compileTable(configure(tcp("many", ports=tuple(range(9000, 9100))), http("one", port=9050)))
        self.assertEqual(len(table.ports), 100)
        for number, one in table.ports.items():
            self.assertEqual(one.number, number)
            self.assertEqual(one.takesHTTP, number == 9050)
            self.assertEqual(named(one.decideStream(False, None)), "many")

    def test_badPattern(self) -> None:
        """
        A pattern that is none, from Python, is refused by the route's name.
        """
        for route in (http("odd", "a*.example"), http("odd", path="a")):
            error = self.assertRaises(ValueError, compileTable, configure(route))
            self.assertIn("route 'odd': the ", str(error))


class ReferenceTests(SynchronousTestCase):
    """
    The compiled table decides as the plain reading of the rules does.
    """

    def setUp(self) -> None:
        """
        There are some plug-ins.
        """
        givenPlugins(self)

    @steady
    @given(configurations(), st.lists(st.tuples(st.just("") | labels, paths, views), min_size=1, max_size=6))
    def test_decisions(self, config: Config, asked: list[tuple[str, str, View]]) -> None:
        """
        For any routes, any name, any path, and whatever else can be asked for.
        """
        table = compileTable(config)
        for number, one in table.ports.items():
            for name, path, view in asked:

                def slow(
                    ask: str, number: int = number, name: str = name, path: str = path, view: View = view
                ) -> str | None:
                    return slowDecision(config.routes, number, ask, name, path, view)

                sight = view.sight
                self.assertEqual(named(one.decideHello(name or None, sight)), slow("hello"))
                if not sight.isPersonal:
                    # Asked again, it is remembered.
                    for _ in range(2):
                        self.assertEqual(named(one.decideHello(name or None)), slow("hello"))
                self.assertEqual(named(one.decideStream(True, name or None, sight)), slow("inner"))
                for isTLS, ask in ((False, "plain"), (True, "secure")):
                    found = one.decideRequest(isTLS, name, path, sight)
                    self.assertEqual(named(found), slow(ask), (name, path, view))
                found = one.decideStream(False, None, sight)
                self.assertEqual(named(found), slow("stream", name="", path=""))

    @steady
    @given(configurations(), st.just("") | labels, paths, views, views)
    def test_remembered(self, config: Config, name: str, path: str, view: View, other: View) -> None:
        """
        What was decided without a look at who it is for is the same for everybody
        who sends the same.
        """
        other = replace(view, client=other.client, version=other.version)
        for one in compileTable(config).ports.values():
            for isTLS in (False, True):
                sight = view.sight
                found = one.decideRequest(isTLS, name, path, sight)
                if not sight.isPersonal:
                    self.assertEqual(found, one.decideRequest(isTLS, name, path, other.sight))
                if not one.requestFactsBeyondPath:
                    self.assertEqual(found, one.decideRequest(isTLS, name, path))
                sight = view.sight
                isWrong = one.isMisdirected("a.b", name, sight)
                if not sight.isPersonal:
                    self.assertIs(one.isMisdirected("a.b", name, other.sight), isWrong)
                if not one.asksClient:
                    self.assertIs(one.isMisdirected("a.b", name), isWrong)


class CostTests(SynchronousTestCase):
    """
    Many routes cost no more than few.
    """

    def many(self, count: int) -> PortTable:
        """
        A table with as many exact hosts.
        """
        return port(443, *[https(f"r{n}", f"h{n}.example") for n in range(count)])

    def seconds(self, table: PortTable) -> float:
        """
        The CPU time of one decision, at best of several tries.
        """
        best = 1.0
        for _ in range(7):
            begin = process_time()
            for _ in range(2000):
                table.decideRequest(True, "h7.example", "/a/b")
            best = min(best, (process_time() - begin) / 2000)
        return best

    def test_decision(self) -> None:
        """
        With 10,000 exact hosts a decision costs at most 5 microseconds more
        than with 10; and the table is compiled within 2 seconds.
        """
        begin = process_time()
        large = self.many(10_000)
        self.assertLess(process_time() - begin, 2.0)
        self.assertLess(self.seconds(large) - self.seconds(self.many(10)), 5e-6)

    def test_besideConditions(self) -> None:
        """
        A host without conditions costs nothing more beside two thousand with some.
        """
        asked = Conditions(methods=("PUT",), clients=("10.0.0.0/8",))
        others = [https(f"c{n}", f"c{n}.example", conditions=asked) for n in range(2_000)]
        large = port(443, *others, *[https(f"r{n}", f"h{n}.example") for n in range(10)])
        self.assertLess(self.seconds(large) - self.seconds(self.many(10)), 5e-6)

    def test_manyPathsOfOneHost(self) -> None:
        """
        Nor does a host with a thousand paths of each kind make a long search.
        """
        routes = [http(f"e{n}", "a.example", path=f"/e{n}") for n in range(1000)]
        routes += [http(f"p{n}", "a.example", path=f"/p{n}/*") for n in range(1000)]
        table = port(80, *routes)
        begin = process_time()
        for _ in range(500):
            table.decideRequest(False, "a.example", "/p999/b")
            table.decideRequest(False, "a.example", "/" * 8000)
        self.assertLess((process_time() - begin) / 1000, 50e-6)
