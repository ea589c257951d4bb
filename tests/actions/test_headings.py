"""
Tests for L{smartproxy_tw.actions.headings}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smartproxy_tw.actions.headings import Headings
from smartproxy_tw.config.revision import FieldChanges
from smartproxy_tw.facts import AnswerHead
from smartproxy_tw.interfaces import ILens
from smartproxy_tw.routing.filling import Words

from .recording import RecordingExchange

LINES = b"Server: x\r\nX-Debug-A: 1\r\nset-cookie: a\r\nDate: d\r\nX-Debug-B: 2\r\n"


class HeadingsTests(SynchronousTestCase):
    """
    L{Headings}.
    """

    def seen(self, changes: FieldChanges, value: str = "") -> bytes:
        """
        The fields of an answer as the client gets it.
        """
        exchange = RecordingExchange.to("h", "/", "", 80, ("x-a", value))
        lens = Headings(changes).lens(Words(exchange.facts, exchange.fields))
        verifyObject(ILens, lens)
        head = lens.look(exchange.facts, AnswerHead(200, LINES, 5))
        self.assertEqual(head[:1] + head[2:5], (200, 5, (), False))
        return head.fields

    def test_changes(self) -> None:
        """
        What is removed goes, what is set takes the place of what came, what is added stands beside it.
        """
        for changes, fields in (
            (
                FieldChanges(remove=("x-debug-*", "server", "other")),
                b"set-cookie: a\r\nDate: d\r\n",
            ),
            (
                FieldChanges(set=(("Server", "y"), ("Server", "z"))),
                LINES[11:] + b"Server: y\r\nServer: z\r\n",
            ),
            (
                FieldChanges(add=(("Set-Cookie", "b"), ("Set-Cookie", "c"))),
                LINES + b"Set-Cookie: b\r\nSet-Cookie: c\r\n",
            ),
            (
                FieldChanges((("X-Debug-A", "3"),), remove=("x-debug-*",)),
                b"Server: x\r\nset-cookie: a\r\nDate: d\r\nX-Debug-A: 3\r\n",
            ),
            # What a glob fits and is beyond reach stays.
            (FieldChanges(remove=("d*", "s*")), b"X-Debug-A: 1\r\nDate: d\r\nX-Debug-B: 2\r\n"),
        ):
            self.assertEqual(self.seen(changes), fields)

    def test_blanks(self) -> None:
        """
        Blanks are filled in, and stay in their line.
        """
        changes = FieldChanges(add=(("A", "{header:x-a} of {client_ip}"),))
        self.assertEqual(self.seen(changes, "b\r\nC: d"), LINES + b"A: b  C: d of 192.0.2.1\r\n")
        self.assertEqual(self.seen(changes, "\u00fc"), LINES + b"A: \xc3\xbc of 192.0.2.1\r\n")

    def test_trailers(self) -> None:
        """
        What goes is not to stand behind the body either; so it is with what is set.  Where nothing goes
        nobody asks.
        """
        exchange = RecordingExchange.to("h", "/")
        words = Words(exchange.facts, exchange.fields)
        changes = FieldChanges((("Server", "y"),), (("X-New", "1"),), remove=("x-debug-*", "sum"))
        head = Headings(changes).lens(words).look(exchange.facts, AnswerHead(200, LINES, 5))
        (isBarred,) = head.barred
        names = (b"server", b"sum", b"x-debug-a", b"x-new", b"sums", b"date", b"x\xfc")
        self.assertEqual([name for name in names if isBarred(name)], list(names[:3]))
        head = Headings(FieldChanges(add=(("X-New", "1"),))).lens(words).look(exchange.facts, head)
        self.assertEqual(head.barred, (isBarred,))

    def test_shared(self) -> None:
        """
        Where nothing depends on the request one lens serves all of them.
        """
        exchange = RecordingExchange.to("h", "/")
        words = Words(exchange.facts, exchange.fields)
        fixed = Headings(FieldChanges((("A", "b"),)))
        self.assertIs(fixed.lens(words), fixed.lens(words))
        filled = Headings(FieldChanges((("A", "{path}"),)))
        self.assertIsNot(filled.lens(words), filled.lens(words))
