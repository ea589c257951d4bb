"""
Tests for L{smartproxy_tw.plane.foreign}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from smartproxy_tw.facts import AnswerHead, RequestFacts
from smartproxy_tw.interfaces import IExchange, ILens
from smartproxy_tw.plane.foreign import ascribe

from .conversation import GET, DeedTests, status
from .harness import field


class Through:
    """
    An exchange that notes through what its answer is seen.
    """

    def __init__(self) -> None:
        self.lenses: list[ILens] = []

    def through(self, lens: ILens) -> None:
        """
        See L{IExchange}.
        """
        self.lenses.append(lens)


def ascribed(status: int) -> list[ILens]:
    """
    Through what an answer with this status is seen, if it is somebody else's.
    """
    exchange: Any = Through()
    ascribe(exchange, status)
    lenses: list[ILens] = exchange.lenses
    return lenses


def unasked() -> RequestFacts:
    """
    The facts, which cost something.
    """
    raise AssertionError("nobody needs them")


class ForeignTests(SynchronousTestCase):
    """
    L{ascribe}.
    """

    def test_failures(self) -> None:
        """
        A failure is said not to be ours, and nothing else of it is touched.
        """
        filter_: Any = object()
        head = AnswerHead(404, b"X-A: b\r\n", 5, (filter_,), isOurs=True)
        for code in (400, 404, 500, 599):
            [lens] = ascribed(code)
            verifyObject(ILens, lens)
            self.assertEqual(lens.look(unasked, head), head._replace(isOurs=False))
            # A second look, as of the next exchange, is the same.
            self.assertEqual(lens.look(unasked, head._replace(isOurs=False)), head._replace(isOurs=False))

    def test_others(self) -> None:
        """
        An answer that nobody would replace goes on as it would, unseen.
        """
        for code in (200, 204, 304, 399):
            self.assertEqual(ascribed(code), [])


@implementer(ILens)
class Replacing:
    """
    Puts its own page in place of what the proxy says.
    """

    def look(self, facts: Callable[[], RequestFacts], head: AnswerHead) -> AnswerHead:
        """
        See L{ILens}.
        """
        return head._replace(fields=head.fields + b"X-Replaced: yes\r\n") if head.isOurs else head


class AnswerTests(DeedTests):
    """
    On the data path.
    """

    async def test_leftAlone(self) -> None:
        """
        Those who replace what the proxy says leave alone what is said to be somebody else's, though
        they were there first; the next answer on the connection is ours again.
        """
        whose = ["ours", "somebody else's", "ours"]

        def deed(exchange: IExchange) -> None:
            exchange.through(Replacing())
            if whose[0] != "ours":
                ascribe(exchange, 503)
            exchange.respond(503, b"", b"sorry")

        client = await self.client(await self.begin(deed))
        while whose:
            client.sends(GET)
            head, body = await client.message()
            self.assertEqual((status(head), body), (503, b"sorry"))
            expected = b"yes" if whose.pop(0) == "ours" else None
            self.assertEqual(field(head, b"x-replaced"), expected)
