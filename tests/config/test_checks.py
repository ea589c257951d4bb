"""
Tests for L{smartproxy_tw.config.checks}.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.checks import Placed, certificateProblem, conflicts, serverNameProblem
from smartproxy_tw.config.document import Mark
from smartproxy_tw.config.model import (
    TLS,
    Auto,
    Block,
    ClientCertificates,
    Conditions,
    Files,
    Internal,
    Redirect,
    Route,
    TLSPolicy,
)

PASSTHROUGH = TLS("passthrough")
TERMINATE = TLS("terminate", Internal(("a.b",)))


def route(name: str = "first", **fields: Any) -> Route:
    """
    A route on port 1, otherwise as told.
    """
    return replace(Route(name, (1,), Block(), "tcp"), **fields)


class ConflictTests(SynchronousTestCase):
    """
    What routes do to one another.
    """

    def found(self, *routes: Route) -> list[tuple[int, str]]:
        """
        The index of each route that is told something, and what.
        """
        placed = [Placed(each, (index,), Mark("f", index + 1, 1)) for index, each in enumerate(routes)]
        return [(int(path[0]), message) for path, message in conflicts(placed)]

    def test_nothing(self) -> None:
        """
        Routes that differ in anything that matters are at peace.
        """
        others: list[dict[str, Any]] = [
            {"ports": (2,)},
            {"ports": (1, 3)},
            {"protocol": "http"},
            {"domains": ("a.b",), "protocol": "http"},
            {"domains": ("a.b", "c.d"), "protocol": "http", "path": "/x"},
            {"path": "/x", "protocol": "http"},
            {"tls": TERMINATE},
            {"tls": PASSTHROUGH, "domains": ("a.b",)},
            {"tls": TERMINATE, "domains": ("*.b",), "protocol": "http"},
        ]
        routes = [route()] + [route(f"other{index}", **each) for index, each in enumerate(others)]
        self.assertEqual(self.found(*routes), [])

    def test_policies(self) -> None:
        """
        One name on one port has one handshake: routes for it agree on versions,
        ciphers and client certificates.
        """
        first = route(tls=TERMINATE, protocol="http", domains=("a.b",))
        policies = {
            "only TLS 1.3": TLSPolicy(lowest="1.3"),
            "only TLS 1.2": TLSPolicy(highest="1.2"),
            "ciphers X Y": TLSPolicy(ciphers=("X", "Y")),
            "client certificates required, by /ca": TLSPolicy(clients=ClientCertificates("require", "/ca")),
            "client certificates requested, by /ca": TLSPolicy(clients=ClientCertificates("request", "/ca")),
        }
        for words, policy in policies.items():
            other = replace(first, name="second", path="/x", tls=replace(TERMINATE, policy=policy))
            message = (
                f"says terminate, http inside, {words} for a.b on port 1, but 'first' (line 1 of f) says "
                "terminate, http inside: only one is possible"
            )
            self.assertEqual(self.found(first, other), [(1, message)])
            self.assertEqual(self.found(first, replace(other, ports=(2,))), [])
            self.assertEqual(self.found(first, replace(other, domains=("c.b",))), [])
            self.assertEqual(self.found(other, replace(other, name="third", path="/y")), [])

    def test_names(self) -> None:
        """
        Names are unique.
        """
        self.assertEqual(
            self.found(route(), route(ports=(2,))),
            [(1, "two routes have one name, 'first' (line 1 of f): names have to be unique")],
        )

    def test_unreachable(self) -> None:
        """
        A route that matches only what another takes before it is told, by the
        order in which they are asked.
        """
        message = (
            "can never be reached: 'first' (line 1 of f) is asked before it and takes all that it matches"
        )
        self.assertEqual(self.found(route(), route("second")), [(1, message)])
        self.assertEqual(self.found(route(ports=(1, 2)), route("second")), [(1, message)])
        self.assertEqual(self.found(route(priority=1), route("second")), [(1, message)])
        backwards = self.found(route(), route("second", priority=1))
        self.assertEqual([index for index, _ in backwards], [0])

    def test_unreachableByDomains(self) -> None:
        """
        A route is reached as long as one of its domains is its own.
        """
        first = route(protocol="http", domains=("a.b", "c.d"))
        self.assertEqual(len(self.found(first, route("second", protocol="http", domains=("a.b",)))), 1)
        self.assertEqual(self.found(first, route("second", protocol="http", domains=("a.b", "e.f"))), [])

    def test_unreachableByPath(self) -> None:
        """
        C{/*} is every path, the same as none.
        """
        first = route(protocol="http")
        self.assertEqual(len(self.found(first, route("second", protocol="http", path="/*"))), 1)
        self.assertEqual(self.found(first, route("second", protocol="http", path="/a/*")), [])

    def test_conditions(self) -> None:
        """
        Routes that ask for something else are others, whichever comes first.
        """
        asked = Conditions(methods=("POST",))
        first = route(protocol="http")
        self.assertEqual(self.found(first, route("second", protocol="http", conditions=asked)), [])
        again = route("third", protocol="http", conditions=asked)
        self.assertEqual(
            [at for at, _ in self.found(route("second", protocol="http", conditions=asked), again)], [1]
        )

    def test_layersOfClients(self) -> None:
        """
        Some clients can be passed through where TLS ends for the others; what is
        asked of requests makes no such difference.
        """
        inside = Conditions(clients=("10.0.0.0/8",))
        through = route("through", domains=("a.b",), tls=PASSTHROUGH, conditions=inside)
        ended = route("ended", domains=("a.b",), tls=TERMINATE, protocol="http")
        self.assertEqual(self.found(through, ended), [])
        policy = replace(TERMINATE, policy=TLSPolicy(lowest="1.3"))
        other = replace(ended, name="other", tls=policy, conditions=inside)
        self.assertEqual([at for at, _ in self.found(ended, other)], [1])

    def test_layers(self) -> None:
        """
        One name on one port cannot be passed through and terminated, whatever the
        priorities, nor be two protocols inside of TLS.
        """
        first = route(tls=PASSTHROUGH, domains=("a.b", "c.d"), ports=(1, 2))
        ((index, message),) = self.found(first, route("second", tls=TERMINATE, domains=("c.d",), priority=5))
        self.assertEqual(index, 1)
        self.assertIn("says terminate, tcp inside for c.d on port 1, but 'first' (line 1 of f)", message)
        self.assertEqual(self.found(first, route("second", tls=TERMINATE, domains=("c.d",), ports=(3,))), [])
        both = self.found(route(tls=TERMINATE), route("second", tls=TERMINATE, protocol="http"))
        self.assertIn("for connections without a name on port 1", both[0][1])

    def test_oneMessageEach(self) -> None:
        """
        A route that is told one thing is not told its consequences.
        """
        self.assertEqual(len(self.found(route(), route())), 1)

    def test_loops(self) -> None:
        """
        A redirect to exactly what its route takes is told.
        """
        secure = Redirect("https://{domain}{path}")
        plain = Redirect("http://{domain}{path}")
        for action, tls, ports, isLoop in (
            (secure, TERMINATE, (443,), True),
            (plain, None, (80,), True),
            (secure, None, (80,), False),
            (plain, TERMINATE, (443,), False),
            (secure, TERMINATE, (8443,), False),
            (Redirect("https://www.{domain}{path}"), TERMINATE, (443,), False),
        ):
            found = self.found(route(action=action, tls=tls, ports=ports, protocol="http"))
            self.assertEqual([message[:16] for _, message in found], ["redirects to its"] if isLoop else [])

    def test_loopsOfMethods(self) -> None:
        """
        One that is followed by GET does not lead back to a route that takes none.
        """
        posts, gets = Conditions(methods=("POST",)), Conditions(methods=("POST", "GET"))
        for status, asked, isLoop in ((303, posts, False), (307, posts, True), (303, gets, True)):
            action = Redirect("http://{domain}{path}", status)
            found = self.found(route(action=action, ports=(80,), protocol="http", conditions=asked))
            self.assertEqual(bool(found), isLoop, (status, asked))


class ServerNameTests(SynchronousTestCase):
    """
    Names that no client sends.
    """

    def test_addresses(self) -> None:
        """
        The first IP address is named; names and wildcards are fine.
        """
        self.assertIsNone(serverNameProblem(()))
        self.assertIsNone(serverNameProblem(("a.b", "*.c", "*", "localhost")))
        for address in ("1.2.3.4", "::1"):
            message = serverNameProblem(("a.b", address))
            assert message is not None
            self.assertTrue(message.startswith(f"{address} never comes as a server name"))


class CertificateTests(SynchronousTestCase):
    """
    Certificates that cannot be had.
    """

    def test_possible(self) -> None:
        """
        Host names by ACME, wildcards of one label by the local authority, files.
        """
        for source in (
            Auto(("a.b", "localhost")),
            Internal(()),
            Internal(("*.b", "1.2.3.4")),
            Files("/a", "/b"),
        ):
            self.assertIsNone(certificateProblem(source))

    def test_impossible(self) -> None:
        """
        What cannot be had is told with the name and with what to do.
        """
        for source, name in (
            (Auto(()), "needs domains"),
            (Auto(("a.b", "*.b")), "*.b is a wildcard"),
            (Auto(("*",)), "* is a wildcard"),
            (Auto(("1.2.3.4",)), "1.2.3.4 is an IP address"),
            (Auto(("::1",)), "::1 is an IP address"),
            (Internal(("**.b",)), "cannot name **.b"),
            (Internal(("*",)), "cannot name *"),
        ):
            message = certificateProblem(source)
            assert message is not None
            self.assertIn(name, message)
            self.assertIn("use ", message)
