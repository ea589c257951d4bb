"""
Tests for L{smartproxy_tw.routing.conditions}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Conditions
from smartproxy_tw.routing.conditions import holds, readConditions
from smartproxy_tw.routing.sight import Sight


class ConditionTests(SynchronousTestCase):
    """
    What a route can ask for.
    """

    def why(self, asked: Conditions, sight: Sight) -> str | None:
        """
        Why it does not hold; and that what holds has nothing against it.
        """
        some = readConditions(asked)
        failing = [each.objection(sight) for each in some if not each.holds(sight)]
        self.assertEqual(holds(some, sight), not failing)
        return failing[0] if failing else None

    def test_headers(self) -> None:
        """
        A field in whatever case, of which one value is like one of the texts.
        """
        asked = Conditions(headers=(("X-Beta", ("yes", "b-*")),))
        for fields, why in [
            ([("x-beta", "yes")], None),
            ([("x-beta", "no"), ("x-beta", "b-7")], None),
            ([("x-beta", "no")], "header: x-beta is not 'yes' or 'b-*'"),
            ([("x-other", "yes")], "header: x-beta is not there"),
        ]:
            self.assertEqual(self.why(asked, Sight("", fields=lambda fields=fields: fields)), why)

    def test_secret(self) -> None:
        """
        What a secret has to be is not told.
        """
        asked = Conditions(headers=(("authorization", ("hush",)),))
        sight = Sight("", fields=lambda: [("authorization", "mine")])
        self.assertEqual(self.why(asked, sight), "header: authorization is not (hidden)")

    def test_query(self) -> None:
        """
        A parameter, of which one value is like one of the texts.
        """
        asked = Conditions(query=(("v", ("2",)), ("debug", ("*",))))
        for query, why in [
            ("v=2&debug", None),
            ("v=1&v=%32&debug=0", None),
            ("v=2", "query: debug is not there"),
            ("V=2&debug", "query: v is not there"),
            ("v=3&debug", "query: v is not '2'"),
        ]:
            self.assertEqual(self.why(asked, Sight("", query=query)), why)

    def test_methods(self) -> None:
        """
        One of some; HEAD is not GET.
        """
        asked = Conditions(methods=("GET", "POST"))
        self.assertIsNone(self.why(asked, Sight("", "POST")))
        self.assertEqual(self.why(asked, Sight("", "HEAD")), "method: HEAD is not GET or POST")

    def test_clients(self) -> None:
        """
        One of some, not all of which are told if there are many.
        """
        asked = Conditions(clients=("10.0.0.0/8", "2001:db8::/32", "1.*.*.*", "::1", "::2", "::3"))
        self.assertIsNone(self.why(asked, Sight("2001:db8::7")))
        meant = "10.0.0.0/8 or 2001:db8::/32 or 1.*.*.* or ::1 or one of 2 more"
        self.assertEqual(self.why(asked, Sight("11.0.0.1")), f"client: 11.0.0.1 is not {meant}")
        self.assertEqual(self.why(asked, Sight("")), f"client: it needs {meant}, and none is given")

    def test_versions(self) -> None:
        """
        One of some; where TLS does not end here there is none.
        """
        asked = Conditions(tlsVersions=("1.3",))
        self.assertIsNone(self.why(asked, Sight("", version=lambda: "1.3")))
        self.assertEqual(
            self.why(asked, Sight("", version=lambda: "1.2")), "tls: its version is 1.2, not 1.3"
        )
        self.assertIsNotNone(self.why(asked, Sight("")))

    def test_headFirst(self) -> None:
        """
        Who the client is is looked at only where the head does not decide.
        """
        some = readConditions(Conditions((("a", ("b",)),), (("c", ("d",)),), ("GET",), ("::/0",), ("1.3",)))
        self.assertEqual(
            [each.fact for each in some], ["method", "headers", "query", "client_ip", "tls_version"]
        )
        sight = Sight("::1", "POST")
        self.assertFalse(holds(some, sight))
        self.assertFalse(sight.isPersonal)

    def test_refused(self) -> None:
        """
        What is none, from Python, is refused in words.
        """
        for asked, why in [
            (Conditions(headers=(("a", ("x" * 1001,)),)), "what the header 'a' has to be is longer"),
            (Conditions(query=(("a", ("x" * 1001,)),)), "what the query parameter 'a' has to be is longer"),
            (Conditions(clients=("x",)), "the client 'x' is not an IP address"),
        ]:
            self.assertIn(why, str(self.assertRaises(ValueError, readConditions, asked)))
