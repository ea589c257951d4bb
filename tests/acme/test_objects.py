"""
Tests for L{smartproxy_tw.acme.objects}.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.errors import AuthorityNonsense, Problem
from smartproxy_tw.acme.objects import (
    Offer,
    readAuthorization,
    readDirectory,
    readOrder,
    readProblem,
    readRetryAfter,
)

from ..examples import anyText, examples

HERE = "https://ca.example/thing"

# The example of RFC 8555 section 7.1.3, its URLs and names shortened.
ORDER: dict[str, Any] = {
    "status": "valid",
    "expires": "2016-01-20T14:09:07.99Z",
    "identifiers": [
        {"type": "dns", "value": "www.Example.org"},
        {"type": "dns", "value": "example.org"},
    ],
    "notBefore": "2016-01-01T00:00:00Z",
    "authorizations": ["https://ca.example/a/1", "https://ca.example/a/2"],
    "finalize": "https://ca.example/o/1/finalize",
    "certificate": "https://ca.example/c/1",
}

AUTHORIZATION: dict[str, Any] = {
    "status": "pending",
    "identifier": {"type": "dns", "value": "example.org"},
    "challenges": [
        {"type": "http-01", "url": "https://ca.example/h/1", "token": "abc", "status": "processing"},
        {"type": "smoke-signal-01", "url": "https://ca.example/s/1", "hill": 3},
        "a string",
        7,
        None,
        {"type": 3, "url": "x"},
    ],
}

anything = some.recursive(
    some.none() | some.booleans() | some.integers() | anyText(9),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(anyText(5), inner, max_size=3),
    max_leaves=6,
)


def damaged(good: dict[str, Any]) -> some.SearchStrategy[Any]:
    """
    A good answer of which members were replaced by anything, or removed.
    """
    members = {key: some.just(value) | anything for key, value in good.items()}
    return anything | some.fixed_dictionaries({}, optional=members)


class DirectoryTests(SynchronousTestCase):
    def test_read(self) -> None:
        """
        What is needed is found among what is not.
        """
        read = readDirectory(
            HERE,
            {
                "newNonce": "https://ca.example/n",
                "newAccount": "https://ca.example/a",
                "newOrder": "https://ca.example/o",
                "meta": {
                    "termsOfService": "https://ca.example/terms",
                    "externalAccountRequired": True,
                    "caaIdentities": ["CA.example.", 7, "ca.test"],
                },
                "xkcd": 1,
            },
        )
        self.assertEqual(read.newOrder, "https://ca.example/o")
        self.assertEqual(read.termsOfService, "https://ca.example/terms")
        self.assertTrue(read.externalAccountRequired)
        self.assertEqual(read.caaIdentities, ("ca.example", "ca.test"))

    def test_plainHTTP(self) -> None:
        """
        A URL that is not https is not followed.
        """
        why = self.assertRaises(AuthorityNonsense, readDirectory, HERE, {"newNonce": "http://ca.example/n"})
        self.assertIn("'newNonce' is not an https URL", str(why))

    @examples(60)
    @given(anything)
    def test_anything(self, said: Any) -> None:
        """
        Whatever is said, only the declared error comes of it.
        """
        self.assertRaises(AuthorityNonsense, readDirectory, HERE, said)


class OrderTests(SynchronousTestCase):
    def test_read(self) -> None:
        """
        The example of RFC 8555, with names in normal form.
        """
        order = readOrder(HERE, ORDER, 3.0)
        self.assertEqual(order.names, ("www.example.org", "example.org"))
        self.assertEqual(order.authorizations, ("https://ca.example/a/1", "https://ca.example/a/2"))
        self.assertEqual((order.url, order.status, order.retryAfter), (HERE, "valid", 3.0))

    def test_repeatedAuthorization(self) -> None:
        """
        An authorization that is listed twice is one.
        """
        order = readOrder(HERE, {**ORDER, "authorizations": ["https://ca.example/a/1"] * 2})
        self.assertEqual(order.authorizations, ("https://ca.example/a/1",))

    def test_validWithoutCertificate(self) -> None:
        """
        An order cannot be valid and have nothing to show.
        """
        said = {key: value for key, value in ORDER.items() if key != "certificate"}
        self.assertRaises(AuthorityNonsense, readOrder, HERE, said)
        self.assertIsNone(readOrder(HERE, {**said, "status": "ready"}).certificate)

    def test_strangeStatus(self) -> None:
        """
        A status that RFC 8555 does not know is named in the complaint.
        """
        why = self.assertRaises(AuthorityNonsense, readOrder, HERE, {**ORDER, "status": "perhaps\n"})
        self.assertIn("perhaps", str(why))
        self.assertNotIn("\n", str(why))

    @examples(60)
    @given(damaged(ORDER))
    def test_damaged(self, said: Any) -> None:
        """
        Whatever is damaged, only the declared error comes of it.
        """
        try:
            readOrder(HERE, said)
        except AuthorityNonsense:
            pass


class AuthorizationTests(SynchronousTestCase):
    def test_read(self) -> None:
        """
        Offers of unknown kinds are kept, and those that are none are passed
        over.
        """
        read = readAuthorization(HERE, AUTHORIZATION)
        self.assertEqual(
            read.offers,
            (
                Offer("http-01", "https://ca.example/h/1", "abc", "processing"),
                Offer("smoke-signal-01", "https://ca.example/s/1", ""),
            ),
        )
        self.assertEqual((read.wanted, read.isWildcard), ("example.org", False))

    def test_wildcard(self) -> None:
        """
        A wildcard's authorization is for the name below, and says so.
        """
        self.assertEqual(readAuthorization(HERE, {**AUTHORIZATION, "wildcard": True}).wanted, "*.example.org")

    def test_problem(self) -> None:
        """
        Why it is invalid stands in its challenge; one without a reason has at
        least its status.
        """
        refused = {"type": "http-01", "url": HERE, "token": "a", "status": "invalid"}
        error = {"type": "urn:ietf:params:acme:error:connection", "detail": "no route."}
        said = {**AUTHORIZATION, "status": "invalid", "challenges": [{**refused, "error": error}]}
        problem = readAuthorization(HERE, said).problem
        self.assertEqual((problem.word, problem.detail), ("connection", "no route"))
        bare = readAuthorization(HERE, {**AUTHORIZATION, "status": "expired", "challenges": []})
        self.assertIn("expired", str(bare.problem))

    @examples(60)
    @given(damaged(AUTHORIZATION))
    def test_damaged(self, said: Any) -> None:
        """
        Whatever is damaged, only the declared error comes of it.
        """
        try:
            str(readAuthorization(HERE, said).problem)
        except AuthorityNonsense:
            pass


class ProblemTests(SynchronousTestCase):
    def test_subproblems(self) -> None:
        """
        Problems of single names keep them (RFC 8555 section 6.7.1).
        """
        problem = readProblem(
            {
                "type": "urn:ietf:params:acme:error:malformed",
                "detail": "Some of the identifiers requested were rejected",
                "subproblems": [
                    {
                        "type": "urn:ietf:params:acme:error:rejectedIdentifier",
                        "detail": "no such name",
                        "identifier": {"type": "dns", "value": "a.example"},
                    }
                ],
            },
            403,
        )
        self.assertEqual(problem.status, 403)
        self.assertEqual(
            problem.subproblems,
            (Problem("urn:ietf:params:acme:error:rejectedIdentifier", "no such name", 0, "a.example"),),
        )
        self.assertIn("[a.example: no such name (rejectedIdentifier)]", str(problem))

    def test_escaped(self) -> None:
        """
        Nothing from outside reaches a terminal or a line of log as it came.
        """
        problem = readProblem({"type": "x\x1b[31m", "detail": "a\r\nb" + "c" * 5000})
        self.assertEqual(problem.type, r"x\x1b[31m")
        self.assertTrue(problem.detail.startswith(r"a\r\nb"))
        self.assertLess(len(problem.detail), 1100)

    def test_deep(self) -> None:
        """
        Problems within problems are not followed for ever.
        """
        said: dict[str, Any] = {}
        for _ in range(500):
            said = {"subproblems": [said]}
        self.assertLess(len(str(readProblem(said))), 200)

    @examples(60)
    @given(anything)
    def test_anything(self, said: Any) -> None:
        """
        Every document can be read, and said.
        """
        self.assertTrue(json.dumps(str(readProblem(said))))


class RetryAfterTests(SynchronousTestCase):
    def test_seconds(self) -> None:
        """
        A number is of seconds.
        """
        self.assertEqual(readRetryAfter(" 120 ", 0.0), 120.0)

    def test_date(self) -> None:
        """
        A date counts from now on, and is now when it has passed.
        """
        date = "Sun, 06 Nov 1994 08:49:37 GMT"
        self.assertEqual(readRetryAfter(date, 784111777.0 - 60), 60.0)
        self.assertEqual(readRetryAfter(date, 784111777.0 + 60), 0.0)

    @examples(60)
    @given(anyText(40))
    def test_anything(self, value: str) -> None:
        """
        What cannot be read is as if it were not there.
        """
        read = readRetryAfter(value, 0.0)
        self.assertTrue(read is None or read >= 0.0)

    def test_none(self) -> None:
        """
        What is not there is not there.
        """
        for value in (None, "", "soon", "-3", "1.5"):
            self.assertIsNone(readRetryAfter(value, 0.0))
