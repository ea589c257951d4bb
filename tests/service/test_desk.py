"""
Tests for L{smartproxy_tw.service.desk}.
"""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as some
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.desk import Desk, Question, Refusal, Reply

from ..examples import awkwardText, examples


async def _echo(question: Question) -> Reply:
    question.only("names", "all", "q")
    return Reply({"names": question.texts("names"), "all": question.claim("all"), "by": question.asker})


async def _broken(question: Question) -> Reply:
    raise KeyError("a secret")


class DeskTests(SynchronousTestCase):
    """
    Questions and answers.
    """

    def setUp(self) -> None:
        self.desk = Desk()
        self.desk.take("GET", "/v1/echo", _echo)
        self.desk.take("POST", "/v1/echo", _echo)
        self.desk.take("POST", "/v1/broken", _broken)

    def ask(self, verb: str, path: str, body: bytes = b"", **parameters: tuple[str, ...]) -> Reply:
        """
        Ask.
        """
        asked = self.desk.answer(verb, path, parameters, body, "user 7")
        return self.successResultOf(Deferred.fromCoroutine(asked))

    def refused(
        self, verb: str, path: str, body: bytes = b"", **parameters: tuple[str, ...]
    ) -> tuple[int, str]:
        """
        The status and the code of a refusal, which has a sentence too.
        """
        reply = self.ask(verb, path, body, **parameters)
        error = reply.members["error"]
        self.assertTrue(error["message"].endswith("."), error)
        return reply.status, error["code"]

    def test_answered(self) -> None:
        """
        Whoever takes a question knows what was said, and by whom.
        """
        reply = self.ask("POST", "/v1/echo", b'{"names": ["a"], "all": true}')
        self.assertEqual((reply.status, reply.members), (200, {"names": ("a",), "all": True, "by": "user 7"}))
        self.assertEqual(self.ask("GET", "/v1/echo", q=("1",)).members["names"], ())
        self.assertEqual(self.desk.questions, ["GET /v1/echo", "POST /v1/echo", "POST /v1/broken"])

    def test_refused(self) -> None:
        """
        A path or a verb that nobody takes, what is no JSON object, and what is not
        known are refused, each by a code of its own.
        """
        self.assertEqual(self.refused("GET", "/v1/nothing"), (404, "unknown-path"))
        self.assertEqual(self.refused("PUT", "/v1/echo"), (405, "unknown-method"))
        self.assertEqual(self.ask("PUT", "/v1/echo").fields, {"Allow": "GET, POST"})
        for body in (b"{", b"\xff", b"[" * 60_000, b"[]", b'"a"', b"null"):
            self.assertEqual(self.refused("POST", "/v1/echo", body), (400, "bad-json"), body[:10])
        for body in (b'{"name": []}', b'{"names": "a"}', b'{"names": [1]}', b'{"all": 1}'):
            self.assertEqual(self.refused("POST", "/v1/echo", body), (400, "bad-question"), body)
        self.assertEqual(self.refused("GET", "/v1/echo", z=("1",)), (400, "bad-question"))

    def test_defect(self) -> None:
        """
        A defect is logged, and told without what is in it.
        """
        self.assertEqual(self.refused("POST", "/v1/broken"), (500, "defect"))
        self.assertNotIn("secret", str(self.ask("POST", "/v1/broken").members))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 2)

    def test_facts(self) -> None:
        """
        A refusal may say more.
        """
        reply = Refusal(429, "held", "Not yet.", retry_in=5).reply(**{"Retry-After": "5"})
        self.assertEqual(reply.members, {"error": {"code": "held", "message": "Not yet.", "retry_in": 5}})
        self.assertEqual((reply.status, reply.fields), (429, {"Retry-After": "5"}))

    @given(
        some.binary(max_size=200)
        | some.recursive(
            some.none() | some.booleans() | some.floats() | awkwardText(5),
            lambda inner: (
                some.lists(inner, max_size=3) | some.dictionaries(awkwardText(5), inner, max_size=3)
            ),
            max_leaves=8,
        ).map(lambda each: json.dumps(each).encode())
    )
    @examples()
    def test_anything(self, body: bytes) -> None:
        """
        Whatever is sent, there is an answer.
        """
        self.assertIn(self.ask("POST", "/v1/echo", body).status, (200, 400))
