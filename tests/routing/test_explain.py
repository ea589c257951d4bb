"""
Tests for L{smartproxy_tw.routing.explain}.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import (
    TLS,
    Acme,
    Application,
    Block,
    Conditions,
    Config,
    Files,
    FileTree,
    Forward,
    Internal,
    Redirect,
    Target,
    TLSPolicy,
    UpstreamTLS,
)
from smartproxy_tw.config.revision import FieldChanges, Headers, Rewrite
from smartproxy_tw.facts import Address, ConnectionFacts, RequestFacts
from smartproxy_tw.routing.explain import Circumstances, Explanation, explain, explaining
from smartproxy_tw.routing.table import Chosen, compileTable

from ..examples import anyText, examples
from ..plugins.given import given as givenPlugins
from .routes import configure, http, https, passthrough, tcp, tlsTCP
from .test_table import View, configurations, views

steady = examples(80)

SHOP = configure(
    https(
        "shop",
        "shop.example",
        "www.shop.example",
        path="/api/*",
        action=Forward((Target("127.0.0.1", 3000), Target("127.0.0.1", 3001))),
        line=4,
    ),
    passthrough("imaps", "mail.example", ports=(993, 994, 995)),
    passthrough("mail", "mail.example"),
    http("to-https", "shop.example", action=Redirect("https://{domain}{path}"), line=20),
    https("rest", "shop.example"),
    https("wide", "*.example", "*.test", "*.invalid", "a.test", "b.test"),
    https("user", "users.local", path="/u/:id"),
    tcp("smtp", port=2525),
    tcp("other", port=443),
)


def reasons(explanation: Explanation) -> dict[str, str | None]:
    """
    The reasons by the names of the routes.
    """
    return {verdict.route.name: verdict.reason for verdict in explanation.verdicts}


class ExplainTests(SynchronousTestCase):
    """
    A person learns which route takes a URL, and why each other does not.
    """

    def test_render(self) -> None:
        """
        The whole text for a request over TLS.
        """
        self.assertEqual(
            explain(SHOP, "https://shop.example/x/../api/x?a=1").render(),
            """\
https://shop.example:443/api/x?a=1

  taken by    shop (line 4)
  tls         ends here
  certificate by ACME for shop.example, www.shop.example
  action      forward to 127.0.0.1:3000, 127.0.0.1:3001 in turn

The other routes:
  imaps     port: it listens on 993-995
  mail      domain: shop.example is not mail.example
  to-https  port: it listens on 80
  rest      precedence: shop is before it, by its more specific path
  wide      precedence: shop is before it, by its more specific domain
  user      domain: shop.example is not users.local
  smtp      port: it listens on 2525
  other     tls: it takes plain connections only
""",
        )

    def test_miss(self) -> None:
        """
        Where no route takes it, every route says why.
        """
        self.assertEqual(
            explain(SHOP, "https://users.local/u/5/more").render(),
            """\
https://users.local:443/u/5/more

  not taken   no route on port 443 for users.local has the path /u/5/more

The routes:
  shop      domain: users.local is not one of shop.example, www.shop.example
  imaps     port: it listens on 993-995
  mail      domain: users.local is not mail.example
  to-https  port: it listens on 80
  rest      domain: users.local is not shop.example
  wide      domain: users.local is not one of *.example, *.test, *.invalid, a.test, 1 more
  user      path: /u/5/more is not /u/:id
  smtp      port: it listens on 2525
  other     tls: it takes plain connections only
""",
        )

    def test_stepByStep(self) -> None:
        """
        Of many routes it is thought in many steps, with the same end.
        """
        routes = [http(f"r{number}", "**.b", priority=number) for number in range(500)]
        config = configure(*routes)
        steps, count = explaining(config, "http://a.b/"), 0
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found = end.value
                break
            count += 1
        self.assertGreater(count, 15)
        self.assertEqual(found, explain(config, "http://a.b/"))
        self.assertEqual(found.route.name, "r499")
        self.assertEqual(len(found.verdicts), 500)

    def test_nothingListens(self) -> None:
        """
        A port that no route names is said first.
        """
        explanation = explain(SHOP, "https://shop.example:8443/")
        self.assertEqual(explanation.miss, "nothing listens on port 8443")
        self.assertIsNone(explanation.route)
        self.assertEqual(reasons(explanation)["shop"], "port: it listens on 443")

    def test_unknownName(self) -> None:
        """
        A name that no TLS route has gets no further than its ClientHello.
        """
        explanation = explain(SHOP, "https://a.b.c/")
        self.assertEqual(explanation.miss, "no route for TLS on port 443 has the domain a.b.c")
        self.assertEqual(
            reasons(explanation)["wide"],
            "domain: a.b.c is not one of *.example, *.test, *.invalid, a.test, 1 more",
        )

    def test_passthrough(self) -> None:
        """
        Passed through, the path is nobody's business here.
        """
        explanation = explain(SHOP, "https://mail.example/any")
        self.assertEqual(
            explanation.deeds, (("tls", "passed through untouched"), ("action", "forward to 127.0.0.1:3000"))
        )
        self.assertEqual(
            reasons(explanation)["wide"], "precedence: mail takes the TLS first, by its more specific domain"
        )

    def test_certificateOfAnother(self) -> None:
        """
        Where one route speaks for the name and another takes the request,
        both are named.
        """
        config = configure(
            https("own", "a.example", tls=TLS("terminate", Files("/a.pem", "/a.key"))),
            https("api", "a.example", path="/u/:id", tls=TLS("terminate", Internal(()))),
        )
        self.assertEqual(
            explain(config, "https://a.example/u/5").deeds,
            (
                ("tls", "ends here, as own says"),
                ("certificate", "from /a.pem"),
                ("parameters", "id=5"),
                ("action", "respond with 200 and 0 bytes"),
            ),
        )

    def test_precedence(self) -> None:
        """
        Each rule of precedence has its words.
        """
        config = configure(
            http("first", "a.example", path="/a"),
            http("same", "a.example", path="/a"),
            http("path", "a.example"),
            http("domain", "*", path="/a"),
            http("priority", "a.example", path="/a", priority=-2),
        )
        self.assertEqual(
            reasons(explain(config, "http://a.example/a")),
            {
                "first": None,
                "same": "precedence: first is before it, by its place in the file",
                "path": "precedence: first is before it, by its more specific path",
                "domain": "precedence: first is before it, by its more specific domain",
                "priority": "precedence: first is before it, by its priority of 0 over -2",
            },
        )

    def test_kinds(self) -> None:
        """
        Routes of another kind say which kind they take.
        """
        config = configure(
            http("web", port=443),
            tcp("raw", port=443),
            https("secure"),
            tlsTCP("inner"),
            passthrough("through"),
        )
        self.assertEqual(
            reasons(explain(config, "http://a.example:443/")),
            {
                "web": None,
                "raw": "protocol: it takes connections that are not HTTP only",
                "secure": "tls: it takes TLS only",
                "inner": "tls: it takes TLS only",
                "through": "tls: it takes TLS only",
            },
        )
        self.assertEqual(
            reasons(explain(config, "tcp://a.example:443"))["web"], "protocol: it takes HTTP only"
        )
        self.assertEqual(
            reasons(explain(config, "https://a.example/")),
            {
                "web": "tls: it takes plain connections only",
                "raw": "tls: it takes plain connections only",
                "secure": None,
                "inner": "precedence: secure takes the TLS first, by its place in the file",
                "through": "precedence: secure takes the TLS first, by its place in the file",
            },
        )

    def test_streams(self) -> None:
        """
        TCP, plain and out of TLS.
        """
        explanation = explain(SHOP, "tcp://anything:2525")
        assert explanation.route is not None
        self.assertEqual(explanation.route.name, "smtp")
        config = configure(tlsTCP("imap", "mail.example", port=993))
        explanation = explain(config, "tls://mail.example:993")
        self.assertEqual(
            explanation.deeds,
            (
                ("tls", "ends here"),
                ("certificate", "by ACME for mail.example"),
                ("action", "forward to 127.0.0.1:3000"),
            ),
        )

    def test_bytesAsTheyCome(self) -> None:
        """
        A plain TCP route that is alone on its port takes TLS and HTTP too, and
        that is said.
        """
        for url in ("https://a.example:2525/", "http://a.example:2525/", "tls://a.example:2525"):
            explanation = explain(SHOP, url)
            assert explanation.route is not None
            self.assertEqual(explanation.route.name, "smtp")
            self.assertIn("taken as they come", explanation.deeds[-1][1])

    def test_portOfChallenges(self) -> None:
        """
        A port that is there for challenges answers nothing else.
        """
        config = configure(https("shop", "shop.example"))
        self.assertEqual(explain(config, "http://shop.example/").miss, "no route on port 80 takes plain HTTP")
        config = configure(https("shop", "shop.example"), tcp("raw", port=80))
        url = "http://shop.example/.well-known/acme-challenge/x"
        explanation = explain(config, url)
        assert explanation.route is not None
        self.assertEqual(explanation.route.name, "raw")
        self.assertIn("answered here before any route", explanation.render())

    def test_tlsOnly(self) -> None:
        """
        For a terminated name tls:// says who decides about the TLS.
        """
        explanation = explain(SHOP, "tls://shop.example")
        assert explanation.route is not None
        self.assertEqual(explanation.route.name, "shop")
        self.assertIn("each request is routed by its path", explanation.render())

    def test_challenge(self) -> None:
        """
        The path of a challenge is answered before any route, where it is.
        """
        url = "http://shop.example/.well-known/acme-challenge/abc"
        self.assertIn("answered here before any route", explain(SHOP, url).render())
        for config in (
            replace(SHOP, acme=Acme(httpPort=8080)),
            replace(SHOP, acme=Acme(challenges=("tls-alpn-01",))),
            configure(http("web")),
        ):
            self.assertIn("no ACME challenge is answered on this port", explain(config, url).render())
        self.assertNotIn("ACME challenge", explain(SHOP, "http://shop.example/").render())

    def test_actions(self) -> None:
        """
        Every action has its words.
        """
        secure = UpstreamTLS("inner.example"), UpstreamTLS(), UpstreamTLS(verify=False)
        for action, text in [
            (Redirect("https://{domain}{path}", 301), "redirect with 301 to https://{domain}{path}"),
            (Block(), "block: 403"),
            (Block(451), "block: 451"),
            (Block(isReset=True), "block: reset the connection"),
            (FileTree("/srv/www"), "answer with the files below /srv/www"),
            (Application("a.b:c", "asgi"), "hand over to asgi a.b:c"),
            (Application("a.b:c"), "hand over to the application a.b:c"),
            (
                Forward((Target("/run/app.sock", 0),)),
                "forward to unix:/run/app.sock",
            ),
            (
                Forward((Target("::1", None),), secure[0]),
                "forward to [::1]:preserve, over TLS, its certificate verified for inner.example",
            ),
            (Forward((Target("h", 1),), secure[1]), "forward to h:1, over TLS, its certificate verified"),
            (Forward((Target("h", 1),), secure[2]), "forward to h:1, over TLS, its certificate NOT verified"),
        ]:
            self.assertEqual(
                explain(configure(http("r", action=action)), "http://a/").deeds, (("action", text),)
            )
        config = configure(tcp("r", action=Block()))
        self.assertEqual(explain(config, "tcp://a:25").deeds, (("action", "block: close the connection"),))

    def test_rewritten(self) -> None:
        """
        What the target is asked for is told, and what else is changed on the way.
        """
        route = http(
            "r",
            path="/api/:id/*",
            action=Forward((Target("h", 1),)),
            headers=Headers(response=FieldChanges(remove=("server",))),
            rewrite=Rewrite("/api", querySet=(("who", "{header:x-a} {client_ip} {method}"),)),
        )
        config = configure(route)
        facts = Circumstances(("X-A: b",), "POST", "192.0.2.1")
        self.assertEqual(
            explain(config, "http://a/api/7/x?y=1", facts).deeds,
            (
                ("parameters", "id=7"),
                ("action", "forward to h:1"),
                ("asked for", "/7/x?y=1&who=b%20192.0.2.1%20POST"),
                ("rewrites", "strips /api; query with who"),
                ("answers", "without server"),
            ),
        )
        config = configure(replace(route, rewrite=Rewrite("/other"), headers=None))
        self.assertIn(("asked for", "/api/7/x?y"), explain(config, "http://a/api/7/x?y").deeds)
        config = configure(replace(route, rewrite=Rewrite(replacePath="/{header:x-a}"), headers=None))
        deeds = explain(config, "http://a/api/7/x", Circumstances(("X-A: ..",))).deeds
        self.assertIn(("asked for", "nothing: what comes of rewriting is answered with 400"), deeds)

    def test_hidden(self) -> None:
        """
        What a query is given by a name that secrets have is not shown; what came is, and what else is given.
        """
        route = http(
            "r",
            action=Forward((Target("h", 1),)),
            rewrite=Rewrite(
                addPrefix="/v",
                querySet=(("a", "1"), ("API_Key", "gehe&im"), ("t\u00f6ken token", "g"), ("b", "{path}")),
            ),
        )
        config = configure(route)
        for query, came in (
            ("?y=(1)&token=mine&a=9", "y=(1)&token=mine&"),
            ("", ""),
            ("?API_Key=gehe%26im", ""),
        ):
            said = f"/v/x?{came}a=1&API_Key=(hidden)&t%C3%B6ken%20token=(hidden)&b=%2Fx"
            self.assertIn(("asked for", said), explain(config, f"http://a/x{query}").deeds)
        config = configure(replace(route, rewrite=Rewrite(querySet=(("key", "g" * 70000),))))
        self.assertIn(
            ("asked for", "nothing: what comes of rewriting is answered with 414"),
            explain(config, "http://a/").deeds,
        )

    def test_policy(self) -> None:
        """
        A route that is before the one that the handshake was made by, and
        demands another, gets nothing: that is told.
        """
        strict = TLS("terminate", Internal(("*.x",)), TLSPolicy(lowest="1.3"))
        config = configure(
            https("own", "a.x", path="/own"),
            https("wide", "*.x", path="/wide", tls=strict),
        )
        explanation = explain(config, "https://a.x/wide")
        self.assertIn("421: wide demands another handshake than own", explanation.miss or "")
        self.assertIsNone(explain(config, "https://a.x/own").miss)
        self.assertIn(("tls", "ends here, only TLS 1.3"), explain(config, "https://b.x/wide").deeds)

    def test_address(self) -> None:
        """
        A client sends no server name for an address, so that routes with
        domains do not take it.
        """
        config = configure(https("any", "*"), https("fallback"))
        explanation = explain(config, "https://127.0.0.1/")
        self.assertIn("421: the TLS for no name is not that for 127.0.0.1", explanation.miss or "")
        self.assertEqual(
            reasons(explanation),
            {
                "any": "tls: it is not asked, as the connection is for another name",
                "fallback": "tls: it is not asked, as the connection is for another name",
            },
        )
        explanation = explain(configure(https("fallback")), "https://127.0.0.1/")
        assert explanation.route is not None
        self.assertEqual(
            explanation.deeds[-1], ("note", "a client that connects to an address sends no server name")
        )
        self.assertEqual(explain(config, "https://[2001:DB8::0:1]/").url, "https://[2001:db8::1]:443/")
        self.assertEqual(
            reasons(explain(config, "tls://127.0.0.1"))["any"],
            "domain: it needs *, and no name is given",
        )


class CircumstancesTests(SynchronousTestCase):
    """
    What a URL does not tell.
    """

    CONFIG = configure(
        http("put", conditions=Conditions(methods=("PUT",))),
        http("beta", conditions=Conditions((("x-beta", ("yes",)), ("host", ("a:80*", "a")))), line=3),
        http("old", conditions=Conditions(query=(("v", ("1",)),))),
        http("inside", conditions=Conditions(clients=("10.0.0.0/8",))),
        http("rest"),
    )

    def test_each(self) -> None:
        """
        Each can be told, and each route says what it lacks.
        """
        somebody = Circumstances(client="192.0.2.1")
        self.assertEqual(
            reasons(explain(self.CONFIG, "http://a/", somebody)),
            {
                "put": "method: GET is not PUT",
                "beta": "header: x-beta is not there",
                "old": "query: v is not there",
                "inside": "client: 192.0.2.1 is not 10.0.0.0/8",
                "rest": None,
            },
        )
        for circumstances, url, name in [
            (replace(somebody, method="PUT"), "http://a/x", "put"),
            (replace(somebody, headers=("X-BETA:  yes ",)), "http://a/x", "beta"),
            (replace(somebody, headers=("x-beta: no", "x-beta: yes")), "http://a/x", "beta"),
            (replace(somebody, headers=("x-beta: yes",)), "http://b/x", "rest"),
            (somebody, "http://a/x?a=b&v=%31", "old"),
            (replace(somebody, client="::ffff:10.0.0.7"), "http://a/x", "inside"),
        ]:
            found = explain(self.CONFIG, url, circumstances)
            self.assertEqual([each for each, why in reasons(found).items() if why is None], [name])
        self.assertEqual(
            reasons(explain(self.CONFIG, "http://a/", replace(somebody, headers=("x-beta: yes",))))["rest"],
            "precedence: beta is before it, by its 2 conditions over 0",
        )

    def test_noClient(self) -> None:
        """
        That none is given is said where somebody asks for one.
        """
        found = explain(self.CONFIG, "http://a/")
        self.assertEqual(reasons(found)["inside"], "client: it needs 10.0.0.0/8, and none is given")
        self.assertIn("no client is given (--client ADDRESS)", found.render())
        self.assertNotIn("--client", explain(SHOP, "http://shop.example/").render())
        self.assertNotIn("--client", explain(self.CONFIG, "http://a/", Circumstances(client="::1")).render())

    def test_connections(self) -> None:
        """
        Connections have clients too.
        """
        inside = Conditions(clients=("10.0.0.0/8",))
        config = configure(tcp("inside", conditions=inside), passthrough("through", conditions=inside))
        for url, name in (("tcp://a:25", "inside"), ("tls://a", "through"), ("https://a/", "through")):
            found = explain(config, url, Circumstances(client="10.0.0.7"))
            assert found.route is not None
            self.assertEqual(found.route.name, name)
            found = explain(config, url, Circumstances(client="::1"))
            self.assertIsNone(found.route)
            self.assertEqual(reasons(found)[name], "client: ::1 is not 10.0.0.0/8")
            assert found.miss is not None
            self.assertIn("conditions that hold", found.miss)

    def test_versions(self) -> None:
        """
        TLS is of the highest version that is spoken, or of the one that is told.
        """
        config = configure(
            https("old", conditions=Conditions(tlsVersions=("1.2",))),
            https("new"),
            https("modern", "b", tls=TLS("terminate", Internal(("b",)), TLSPolicy("1.3"))),
        )
        self.assertEqual(reasons(explain(config, "https://a/"))["old"], "tls: its version is 1.3, not 1.2")
        found = explain(config, "https://a/", Circumstances(tlsVersion="1.2"))
        self.assertEqual(found.route, config.routes[0])
        error = self.assertRaises(ValueError, explain, config, "https://b/", Circumstances(tlsVersion="1.2"))
        self.assertEqual(str(error), "TLS 1.2 is not spoken here: modern has 1.3 to 1.3")

    def test_refused(self) -> None:
        """
        What cannot be is refused in words.
        """
        for circumstances, why in [
            (Circumstances(headers=("x",)), "the header field 'x' has no colon: write 'Name: value'"),
            (Circumstances(headers=("a b: c",)), "the header field 'a b' is not the name of a header field"),
            (Circumstances(headers=("Connection: x",)), "the header field 'Connection' is for one hop only"),
            (Circumstances(headers=("Host: x",)), "the header field Host is the name in the URL"),
            (Circumstances(method="get"), "the method 'get' would never match"),
            (Circumstances(client="a"), "the client 'a' is not an IP address"),
        ]:
            error = self.assertRaises(ValueError, explain, self.CONFIG, "http://a/", circumstances)
            self.assertIn(why, str(error))


class URLTests(SynchronousTestCase):
    """
    Which URLs are understood, and how.
    """

    def test_normalForm(self) -> None:
        """
        A URL is read as a client would send it.
        """
        for url, expected in [
            ("https://Shop.Example./a", "https://shop.example:443/a"),
            ("https://bücher.example/ä b", "https://xn--bcher-kva.example:443/%C3%A4%20b"),
            ("http://shop.example", "http://shop.example:80/"),
            ("http://shop.example?q", "http://shop.example:80/?q"),
            ("http://shop.example/a/%2e%2e/b#part", "http://shop.example:80/b"),
            ("http://shop.example//a", "http://shop.example:80//a"),
            ("tls://shop.example/", "tls://shop.example:443"),
            ("TCP://:25", "tcp://:25"),
            (" http://a/ ", "http://a:80/"),
        ]:
            self.assertEqual(explain(SHOP, url).url, expected)

    def test_refused(self) -> None:
        """
        Anything else is refused in words.
        """
        for url in [
            "",
            "shop.example",
            "shop.example:443",
            "ftp://shop.example/",
            "https://",
            "http:///path",
            "https://shop.example:99999/",
            "https://shop.example:x/",
            "https://shop.example:0/",
            "https://[::1/",
            "https://user@shop.example/",
            "https://a..b/",
            "https://a b/",
            "tcp://shop.example",
            "tcp://shop.example:25/path",
            "tls://shop.example/path",
            "https://shop.example/\x1b[2J",
            "https://" + "ü" * 300 + ".example/",
        ]:
            error = self.assertRaises(ValueError, explain, SHOP, url)
            self.assertIn("the URL '", str(error))
            self.assertTrue(str(error).isprintable())

    @steady
    @given(st.sampled_from(["https://", "http://", "tls://", "tcp://", ""]), anyText(20))
    def test_anything(self, scheme: str, text: str) -> None:
        """
        Whatever is typed, the answer is an explanation or a ValueError.
        """
        try:
            found = explain(SHOP, scheme + text)
        except ValueError:
            return
        self.assertEqual(explain(SHOP, found.url).verdicts, found.verdicts)
        self.assertTrue(found.render().replace("\n", "").isprintable())


class AgreementTests(SynchronousTestCase):
    """
    What is explained is what the table decides.
    """

    def setUp(self) -> None:
        """
        With a plug-in that some of the routes ask.
        """
        givenPlugins(self)

    @steady
    @given(
        configurations(),
        st.sampled_from(["a", "b", "a.b", "b.a.b"]),
        st.sampled_from(["/", "/a", "/a/b", "/b/a/c"]),
        views,
    )
    def test_agreement(self, config: Config, name: str, path: str, view: View) -> None:
        """
        The same route, one reason for each other, and never a bug.
        """
        table = compileTable(config)
        for scheme, number in (("http", 80), ("https", 443)):
            circumstances = Circumstances(
                tuple(f"{each}: {value}" for each, value in view.fields), view.method, view.client
            )
            view = replace(view, version="1.3", query=view.query and f"?{view.query}")
            found = explain(config, f"{scheme}://{name}{path}{view.query}", circumstances)
            view = replace(view, query=view.query[1:])
            taking = [verdict.route for verdict in found.verdicts if verdict.reason is None]
            self.assertEqual(taking, [] if found.route is None else [found.route])
            self.assertFalse([each for each in found.verdicts if "not asked" in (each.reason or "")])
            isTLS = scheme == "https"
            connection = ConnectionFacts(number, Address("::1", 9), name if isTLS else None, (), isTLS)
            sight = view.sight
            answer = table.decide(connection, sight)
            if isTLS and isinstance(answer, Chosen) and answer.route.tls is not None:
                if answer.route.tls.mode == "terminate" and answer.route.protocol == "http":
                    answer = table.decide(RequestFacts(connection, "GET", name, path), sight)
            elif not isTLS and number in table.ports and table.ports[number].takesHTTP:
                answer = table.decide(RequestFacts(connection, "GET", name, path), sight)
            self.assertEqual(found.route, answer.route if isinstance(answer, Chosen) else None)
