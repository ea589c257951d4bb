"""
Tests for L{smartproxy_tw.config.environment}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config import yamlfile
from smartproxy_tw.config.document import FromEnvironment, Node, plain
from smartproxy_tw.config.environment import fill

from .reading import ENVIRONMENT, complaints, understood


class FillTests(SynchronousTestCase):
    """
    What becomes of C{${NAME}}.
    """

    def filled(self, text: str, **environ: str) -> tuple[Node, list[str]]:
        """
        A tree with its variables filled in, and what was wrong.
        """
        problems: list[Any] = []
        root = yamlfile.read(text, "f", problems)
        assert root is not None
        fill(root, environ, problems)
        return root, [str(problem) for problem in problems]

    def test_forms(self) -> None:
        """
        Variables, defaults and the escape are filled in; any other dollar stays.
        """
        for written, expected in (
            ("${A}", "1"),
            ("x${A}y${B}z", "x1y2z"),
            ("${A:-d}", "1"),
            ("${E:-d}", "d"),
            ("${N:-d}", "d"),
            ("${N:-}", ""),
            ("${N:-a:-b $x}", "a:-b $x"),
            ("${E}", ""),
            ("$${A}", "${A}"),
            ("$$${A}", "$${A}"),
            ("$A $ $$ {A}", "$A $ $$ {A}"),
        ):
            root, problems = self.filled(f"[{written!r}]", A="1", B="2", E="")
            self.assertEqual((plain(root), problems), ([expected], []), written)

    def test_notAgain(self) -> None:
        """
        What was filled in is not looked at again.
        """
        root, problems = self.filled("['${A}']", A="${B}")
        self.assertEqual((plain(root), problems), (["${B}"], []))

    def test_missing(self) -> None:
        """
        A variable that is not set is named, with its place, once even where
        aliases repeat it.
        """
        _, problems = self.filled("a:\n - &x [q, '${NOPE}']\n - *x")
        self.assertEqual(problems, ["f:2:11: a[0][1]: needs the environment variable NOPE, which is not set"])

    def test_malformed(self) -> None:
        """
        What begins like a variable and is none is told.
        """
        for text in ("${", "${}", "${1A}", "${A B}", "${A-b}", "${A", "x ${A:b}"):
            _, problems = self.filled(f"['{text}']", A="1")
            self.assertEqual(len(problems), 1, text)
            self.assertIn("has a ${ that begins no variable", problems[0])

    def test_keys(self) -> None:
        """
        Keys are filled in too, and two that come to the same are told.
        """
        root, problems = self.filled("{'${A}': 1, '${B}': 2, z: 3}", A="x", B="y")
        self.assertEqual((plain(root), problems), ({"x": 1, "y": 2, "z": 3}, []))
        root, problems = self.filled("x: 1\n'${A}': 2", A="x")
        self.assertEqual(plain(root), {"x": 1})
        self.assertEqual(
            problems, ["f:2:1: [${A}]: names the same as line 1, once its variables are filled in"]
        )

    def test_remembersHowItWasWritten(self) -> None:
        """
        The text knows what stands in the file.
        """
        root, _ = self.filled("['x${A}']", A="1")
        text = root.value[0].value
        assert isinstance(text, FromEnvironment)
        self.assertEqual(text.written, "x${A}")


class UseTests(SynchronousTestCase):
    """
    Variables in whole configurations.
    """

    def test_numbersAndClaims(self) -> None:
        """
        A variable can stand for a port, a number, a claim, a site and its target.
        """
        config = understood(
            """
            sites: {"${SITE}": "${TARGET}"}
            timeouts: {head: "${SECONDS}", idle: "${WHOLE}"}
            workers: ${ONE}
            routes:
            - match: {ports: ["${PORT}", {from: 91, to: "${LAST}"}]}
              enabled: ${YES}
              priority: "${WHOLE}"
              action:
                type: forward
                targets: ["${PORT}", {host: h, port: "${PORT}"}]
                tls: {mode: terminate-and-reencrypt, certificate: internal, insecure_skip_verify: "${YES}"}
            - {match: {ports: 1}, enabled: "${NO}", action: {type: block}}
            - {match: {ports: 2}, action: {type: redirect, to: /x, status: "${STATUS}"}}
            - match: {ports: 3}
              action: {type: respond, headers: {X-A: "${WHOLE}"}}
              headers: {response: {set: {X-B: "${WHOLE}"}, add: {X-C: ["${WHOLE}", x]}}}
            """,
            environ=ENVIRONMENT
            | {
                "SITE": "example.com",
                "TARGET": "3000",
                "SECONDS": "2.5",
                "WHOLE": "7",
                "ONE": "1",
                "PORT": "90",
                "LAST": "92",
                "YES": "true",
                "NO": "false",
                "STATUS": "307",
            },
        )
        first, second = config.routes[:2]
        self.assertEqual(first.ports, (90, 91, 92))
        self.assertEqual([str(each) for each in first.action.targets], ["127.0.0.1:90", "h:90"])
        self.assertFalse(first.action.tls.verify)
        self.assertEqual(first.priority, 7)
        self.assertEqual(second.action.status, 307)
        self.assertEqual((config.timeouts.head, config.timeouts.idle), (2.5, 7.0))
        third = config.routes[2]
        self.assertEqual(third.action.headers, (("X-A", "7"),))
        self.assertEqual(third.headers.response.set, (("X-B", "7"),))
        self.assertEqual(third.headers.response.add, (("X-C", "7"), ("X-C", "x")))
        self.assertEqual(config.routes[3].domains, ("example.com",))

    def test_valuesAreNotTold(self) -> None:
        """
        A message quotes what stands in the file, never the value of a variable.
        """
        told = complaints(
            """
            acme: {email: "${SECRET}", directory: "https://${SECRET}/", http_port: "${SECRET}"}
            bind: ["${SECRET}"]
            sites: {a.example: "x${SECRET}"}
            routes: [{match: {ports: 1, domains: "${SECRET}"}, action: {type: block}, priority: "${SECRET}"}]
            """,
            environ=ENVIRONMENT | {"SECRET": "hunter two"},
        )
        self.assertEqual(len(told), 7)
        for line in told:
            self.assertIn("${SECRET}", line)
            self.assertNotIn("hunter", line)

    def test_missingIsToldOnce(self) -> None:
        """
        A variable that is missing is not also told as a bad value.
        """
        (line,) = complaints("acme: {email: '${NOPE}'}\nsites: {a.example: 1}")
        self.assertEqual(line, "1:15: acme.email: needs the environment variable NOPE, which is not set")
