"""
Routes by what they are for.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw import routes
from smartproxy_tw.config.dotted import Reference
from smartproxy_tw.config.lasting import RouteTimeouts, WebSocket
from smartproxy_tw.config.model import (
    TLS,
    Auto,
    Conditions,
    Dynamic,
    Files,
    Forward,
    Internal,
    ProxyHeader,
    Redirect,
    Route,
    Target,
    UpstreamTLS,
)
from smartproxy_tw.config.schema import jsonSchema
from smartproxy_tw.routes import RouteError

from .examples import awkwardText, examples

APP = "127.0.0.1:3000"
TARGET = Target("127.0.0.1", 3000)


def pick(facts: Any) -> str:
    """
    A function of somebody's.
    """
    return APP


class BuilderTests(SynchronousTestCase):
    """
    Each function.
    """

    def test_http(self) -> None:
        """
        Plain HTTP, with all that can be asked for.
        """
        self.assertEqual(
            routes.http("Shop.example", APP),
            Route("shop.example:80", (80,), Forward((TARGET,)), "http", ("shop.example",)),
        )
        made = routes.http(
            None,
            [APP, 80],
            ports=[8080, 8081],
            name="all",
            path="/a/*",
            headers={"X-A": "b", "X-C": ["d", "e"]},
            query={"q": "1"},
            methods=["GET", "HEAD"],
            clients=["10.0.0.0/8"],
            priority=7,
        )
        conditions = Conditions(
            (("x-a", ("b",)), ("x-c", ("d", "e"))), (("q", ("1",)),), ("GET", "HEAD"), ("10.0.0.0/8",)
        )
        self.assertEqual(
            made,
            Route(
                "all",
                (8080, 8081),
                Forward((TARGET, Target("127.0.0.1", 80))),
                "http",
                path="/a/*",
                priority=7,
                conditions=conditions,
            ),
        )

    def test_targets(self) -> None:
        """
        As files have them, as values, as functions, named or not.
        """
        for given_, action in (
            (80, Forward((Target("127.0.0.1", 80),))),
            (
                Target("h", None, ProxyHeader(2, ("ssl",))),
                Forward((Target("h", None, ProxyHeader(2, ("ssl",))),)),
            ),
            (Target("/run/a", 0), Forward((Target("/run/a", 0),))),
            ("https://h", Forward((Target("h", 443),), UpstreamTLS())),
            (pick, Forward((), dynamic=Dynamic(pick))),
            (Reference("a.b"), Forward((), dynamic=Dynamic(Reference("a.b")))),
            ({"host": pick, "port": 3}, Forward((), dynamic=Dynamic(None, pick, 3))),
            ({"host": "h", "port": pick}, Forward((), dynamic=Dynamic(None, ("h",), pick))),
        ):
            self.assertEqual(routes.http("a.test", given_).action, action)  # type: ignore[arg-type]
        made = routes.http("a.test", [pick, {"host": "h", "port": 1, "match": {"path": "/a"}}])
        assert isinstance(made.action, Forward)
        self.assertEqual([each.path for each in made.action.branches], [None, "/a"])
        self.assertEqual(made.action.branches[0].forward.dynamic, Dynamic(pick))

    def test_https(self) -> None:
        """
        Ended here, ended and begun again, or passed on.
        """
        auto = TLS("terminate", Auto(("a.test",)))
        self.assertEqual(routes.httpsTerminate("a.test", APP).tls, auto)
        again = routes.httpsTerminate("a.test", APP, reencrypt=True, certificate="internal")
        self.assertEqual(again.tls, TLS("terminate", Internal(("a.test",))))
        self.assertEqual(again.action, Forward((TARGET,), UpstreamTLS()))
        files = Files("/etc/passwd", "/etc/passwd")
        self.assertEqual(routes.httpsTerminate(None, APP, certificate=files).tls, TLS("terminate", files))
        passed = routes.httpsPassthrough("a.test", APP)
        self.assertEqual((passed.tls, passed.protocol, passed.ports), (TLS("passthrough"), "tcp", (443,)))
        wild = routes.httpsTerminate("*.a.test", APP, byDNS=True)
        self.assertEqual(wild.tls, TLS("terminate", Auto(("*.a.test",))))

    def test_redirect(self) -> None:
        """
        To HTTPS, on whatever port that is.
        """
        self.assertEqual(routes.redirectToHTTPS("a.test").action, Redirect("https://{domain}{path}"))
        made = routes.redirectToHTTPS(None, ports=8080, httpsPort=8443, status=301)
        self.assertEqual(made.action, Redirect("https://{domain}:8443{path}", 301))

    def test_complete(self) -> None:
        """
        Both, by one call.
        """
        secure, plain = routes.completeHTTPSServer(["a.test", "www.a.test"], APP, port=8443, httpPort=8080)
        self.assertEqual(
            (secure.name, secure.ports, secure.tls),
            ("a.test", (8443,), TLS("terminate", Auto(("a.test", "www.a.test")))),
        )
        self.assertEqual((plain.name, plain.ports), ("a.test (to HTTPS)", (8080,)))
        self.assertEqual(plain.action, Redirect("https://{domain}:8443{path}"))
        self.assertEqual(routes.together(secure, plain), (secure, plain))

    def test_others(self) -> None:
        """
        Balanced, an API, WebSockets, ports.
        """
        balanced = routes.loadBalancer("a.test", ["b:1", "c:1"], certificate="auto")
        self.assertEqual(
            (balanced.ports, balanced.action), ((443,), Forward((Target("b", 1), Target("c", 1))))
        )
        self.assertEqual(routes.loadBalancer("a.test", ["b:1", "c:1"]).ports, (80,))
        self.assertEqual(routes.api("/api/", APP).path, "/api/*")
        self.assertEqual(routes.api("/u/:id", APP, domains="a.test").path, "/u/:id")
        chat = routes.webSocket("a.test", APP, path="/ws", headers={"Origin": "https://a.test"})
        self.assertEqual(
            chat.conditions.headers, (("upgrade", ("/^(?i:websocket)$/",)), ("origin", ("https://a.test",)))
        )
        mapped = routes.portMapping(2525, "mail:25")
        self.assertEqual((mapped.protocol, mapped.action), ("tcp", Forward((Target("mail", 25),))))
        several = routes.offsetPortMapping(range(80, 83), "h", 8000, name="up")
        self.assertEqual([each.name for each in several], ["up 80", "up 81", "up 82"])
        self.assertEqual(
            [each.action for each in several], [Forward((Target("h", 8000 + n),)) for n in (80, 81, 82)]
        )

    def test_dynamic(self) -> None:
        """
        By a function, or by its name, which travels.
        """
        made = routes.dynamic("a.test", pick, timeout=2)
        self.assertEqual(made.action, Forward((), dynamic=Dynamic(pick, timeout=2.0)))
        for name in ("shop.pick", "python:shop.pick", Reference("shop.pick")):
            made = routes.dynamic("a.test", name)
            self.assertEqual(made.action, Forward((), dynamic=Dynamic(Reference("shop.pick"))))
            self.assertEqual(pickle.loads(pickle.dumps(made)), made)

    def test_mistakes(self) -> None:
        """
        What is wrong is told by the name of the argument.
        """
        mistakes: tuple[tuple[Callable[[], object], str], ...] = (
            (lambda: routes.http("a b", APP), "http(): domains: 'a b' is not a host name"),
            (lambda: routes.http("a.test", "x"), "http(): targets: 'x' has no port"),
            (lambda: routes.http("a.test", ["a:1", "x"]), "http(): targets[1]: 'x' has no port"),
            (lambda: routes.http("a.test", object()), "targets: <object"),  # type: ignore[arg-type]
            (lambda: routes.http("a.test", APP, ports=0), "http(): ports: has to be at least 1"),
            (lambda: routes.http("a.test", APP, path="a"), "http(): path: "),
            (lambda: routes.http("a.test", APP, methods=["get it"]), "methods[0]: "),
            (lambda: routes.http("a.test", APP, clients=["x"]), "clients[0]: "),
            (lambda: routes.http("a.test", APP, headers={"a b": "c"}), "headers"),
            (lambda: routes.http("a.test", APP, priority="x"), "priority: "),  # type: ignore[arg-type]
            (lambda: routes.http({1}, APP, name=b""), "wrong kind"),  # type: ignore[arg-type]
            (lambda: routes.httpsTerminate("*.a.test", APP), "httpsTerminate(): certificate: "),
            (lambda: routes.httpsTerminate(None, APP), "httpsTerminate(): certificate: "),
            (lambda: routes.httpsTerminate("a.b", 1, certificate=Files("/no", "/no")), "certificate.cert: "),
            (lambda: routes.httpsPassthrough("a.test", APP, path="/a"), "httpsPassthrough(): "),
            (lambda: routes.redirectToHTTPS("a.test", httpsPort=0), "httpsPort: 0 is no port"),
            (lambda: routes.redirectToHTTPS("a.test", status=200), "status: "),  # type: ignore[arg-type]
            (lambda: routes.loadBalancer("a.test", ["a:1"]), "loadBalancer(): targets: needs at least two"),
            (lambda: routes.loadBalancer("a.test", ["a:1", "b:1"], reencrypt=True), "reencrypt: needs a"),
            (lambda: routes.offsetPortMapping([], "h", 1), "offsetPortMapping(): ports: is empty"),
            (lambda: routes.offsetPortMapping([65535], "h", 1), "offset: leads from port 65535 to 65536"),
            (lambda: routes.dynamic("a.test", "pick"), "dynamic(): targets: "),
            (lambda: routes.dynamic("a.test", 7), "decide: 7 is no function"),  # type: ignore[arg-type]
            (lambda: routes.dynamic("a.test", pick, timeout=0), "timeout: 0 has to be above 0"),
            (lambda: routes.clone(routes.http("a.test", APP), "b", path_="/"), "clone(): path_: is no field"),
            (lambda: routes.http("a.test", APP, pth="/a"), "http(): pth: is no argument"),  # type: ignore[call-arg]
            (lambda: routes.redirectToHTTPS("a.test", pool={}), "pool: is no argument"),  # type: ignore[call-arg]
            (
                lambda: routes.http("a.test", APP, tls={"http2": False}),
                "http(): tls: needs TLS that ends",
            ),
            (lambda: routes.httpsPassthrough("a.test", APP, tls={"http2": False}), "tls: needs TLS that"),
            (lambda: routes.httpsTerminate("a.b", 1, tls={"certificate": "auto"}), "tls.certificate: is an"),
            (lambda: routes.httpsTerminate("a.b", 1, tls={"min_version": "2"}), "tls.min_version: "),
            (lambda: routes.webSocket("a.b", 1, webSocket={"idel": 1}), "webSocket(): webSocket.idel: "),
            (lambda: routes.http("a.b", 1, timeouts={"idle": -1}), "http(): timeouts.idle: "),
            (lambda: routes.http("a.b", 1, securityHeaders=7), "securityHeaders"),  # type: ignore[arg-type]
            (lambda: routes.http("a.b", 1, loadBalancing="best"), "http(): loadBalancing: "),
            (lambda: routes.http("a.b", 1, headerChanges={"requests": {}}), "headerChanges.requests: "),
            (
                lambda: routes.together(routes.http("a.test", APP), [routes.http("a.test", 1, name="b")]),
                "together(): b: can never be reached",
            ),
        )
        for make, words in mistakes:
            self.assertIn(words, str(self.assertRaises(RouteError, make)))

    def test_webSocket(self) -> None:
        """
        How long WebSockets last, and whose pages may open them, is said where they are asked for.
        """
        made = routes.webSocket(
            "a.test",
            APP,
            webSocket={"idle": 5, "lifetime": 50, "origins": ["https://a.test"]},
            timeouts={"connect": 2},
        )
        wanted = WebSocket(idle=5.0, lifetime=50.0, origins=("https://a.test",))
        self.assertEqual((made.webSocket, made.timeouts), (wanted, RouteTimeouts(connect=2.0)))

    def test_everyOption(self) -> None:
        """
        Whatever a file can say of a route that forwards or redirects can be said to a function here,
        but for what is listed.
        """
        written: list[dict[str, Any]] = []
        read = routes._Making._read

        def see(making: Any, whole: dict[str, Any]) -> Any:
            written.extend(whole["routes"])
            return read(making, whole)

        self.patch(routes._Making, "_read", see)
        ca = self.mktemp()
        Path(ca).write_text("")
        page = {"body": "x"}
        routes.httpsTerminate(
            "a.test",
            "a:1",
            reencrypt=True,
            name="all",
            path="/a",
            headers={"x-a": "b"},
            query={"q": "a"},
            methods=["GET"],
            clients=["10.0.0.0/8"],
            tlsVersions=["1.3"],
            priority=5,
            timeouts={"idle": 5},
            webSocket={"idle": 5},
            limits={"body_bytes": 5},
            security={"rate_limit": {"requests": 5, "window": 5}},
            cors={"origins": ["https://a.test"]},
            securityHeaders={"frame_options": "DENY"},
            headerChanges={"response": {"set": {"X-A": "b"}}},
            rewrite={"strip_prefix": "/a"},
            compress=True,
            errorPages={"5xx": page},
            loadBalancing="least-connections",
            health={"active": {"path": "/"}},
            pool={"connections": 5},
            protocol="h2",
            sendProxyProtocol="v2",
            tls={
                "min_version": "1.2",
                "max_version": "1.3",
                "ciphers": ["ECDHE-RSA-AES128-GCM-SHA256"],
                "client_certificates": {"mode": "require", "ca_file": ca},
                "http2": False,
                "server_name": "b.test",
                "ca_file": ca,
            },
        )
        routes.httpsTerminate("a.test", "a:1", reencrypt=True, tls={"insecure_skip_verify": True})
        routes.redirectToHTTPS("a.test")
        known = jsonSchema()["$defs"]
        said = {
            "Route": {key for each in written for key in each},
            "Match": {key for each in written for key in each["match"]},
            "Forward": {key for each in written[:2] for key in each["action"]},
            "Reencrypt": {key for each in written[:2] for key in each["action"]["tls"]},
            "Redirect": set(written[2]["action"]),
        }
        self.assertEqual(
            {name: sorted(known[name]["properties"].keys() - keys) for name, keys in said.items()},
            {
                # Who does not want it does not call the function.
                "Route": ["enabled"],
                # Said by which function is called.
                "Match": ["protocol"],
                # dynamic(timeout=...) sets it in the route that was read.
                "Forward": ["decision_timeout"],
                "Reencrypt": [],
                # Plain HTTP is what is redirected.
                "Redirect": ["tls"],
            },
        )
        kinds = {each["$ref"].rpartition("/")[2] for each in known["Route"]["properties"]["action"]["oneOf"]}
        # These have no function of their own: their values are short, in Route(..., Respond(...)).
        self.assertEqual(kinds - said.keys(), {"Respond", "Block", "Files", "Socket"})

    def test_environment(self) -> None:
        """
        Texts are what they are: nothing is filled in.
        """
        made = routes.http("a.test", APP, headers={"X-A": "${HOME}"})
        self.assertEqual(made.conditions.headers, (("x-a", ("${HOME}",)),))


ROUTES = st.builds(
    lambda name, ports, target, path, priority: Route(
        name, ports, Forward((), dynamic=Dynamic(target)), "http", path=path, priority=priority
    ),
    awkwardText(20, 1),
    st.tuples(st.integers(1, 65535)),
    st.sampled_from([pick, Reference("a.b"), len]),
    st.none() | st.sampled_from(["/a", "/b/*"]),
    st.integers(-3, 3),
)


class CombiningTests(SynchronousTestCase):
    """
    L{routes.clone}, L{routes.merge} and L{routes.together}.
    """

    @given(ROUTES, awkwardText(20, 1))
    @examples()
    def test_clone(self, route: Route, name: str) -> None:
        """
        A clone is the same in all but its name, back and forth, its function the very same.
        """
        made = routes.clone(route, name)
        self.assertEqual(made.name, name)
        self.assertEqual(routes.clone(made, route.name), route)
        assert isinstance(made.action, Forward) and isinstance(route.action, Forward)
        assert made.action.dynamic is not None and route.action.dynamic is not None
        self.assertIs(made.action.dynamic.decide, route.action.dynamic.decide)

    @given(ROUTES, ROUTES)
    @examples()
    def test_merge(self, base: Route, over: Route) -> None:
        """
        With itself a route is itself; of two, what is said last counts.
        """
        self.assertEqual(routes.merge(base, base), base)
        made = routes.merge(base, over)
        self.assertEqual((made.name, made.ports), (over.name, over.ports))
        self.assertIs(made.action, over.action)
        self.assertEqual(made.path, over.path or base.path)
        self.assertEqual(made.priority, over.priority or base.priority)
        self.assertEqual(routes.merge(base, made), made)

    def test_together(self) -> None:
        """
        The later one of a name has the place of the earlier one.
        """
        one, two, three = (routes.http(f"{name}.test", APP, name=name) for name in "abc")
        other = routes.http("d.test", APP, name="a")
        self.assertEqual(routes.together(one, [two, three], other), (other, two, three))
