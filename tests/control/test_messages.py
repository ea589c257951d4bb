"""
Tests for L{smartproxy_tw.control.messages}; how they travel is told by
L{tests.control.test_supervised}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Config
from smartproxy_tw.control.messages import Letter, keysOf, keysText, opened, tallied, tallyText
from smartproxy_tw.control.packing import packed
from smartproxy_tw.control.state import Install, UseTable
from smartproxy_tw.facts import Credential

SMALL = Install("a", Credential(b"chain", b"key"))
LARGE = Install("b", Credential(b"c" * 200_000, b"key"))


class LetterTests(SynchronousTestCase):
    """
    L{Letter}.
    """

    def test_small(self) -> None:
        """
        What AMP takes is in the letter itself.
        """
        with Letter((SMALL, UseTable(Config((), "/x")))) as letter:
            self.assertEqual(list(letter.arguments), ["letter"])
            self.assertEqual(
                opened(letter.arguments["letter"], None), packed((SMALL, UseTable(Config((), "/x"))))
            )

    def test_large(self) -> None:
        """
        What is too long for AMP is memory, which each reader reads whole and
        closes.
        """
        with Letter((LARGE, SMALL)) as letter:
            self.assertEqual(list(letter.arguments), ["memory"])
            for _ in range(3):
                handed = os.dup(letter.arguments["memory"])
                self.assertEqual(opened(None, handed), packed((LARGE, SMALL)))
                self.assertRaises(OSError, os.fstat, handed)
            memory = letter.arguments["memory"]
        self.assertRaises(OSError, os.fstat, memory)

    def test_sealed(self) -> None:
        """
        Nobody can change it under its reader, and no other program gets it.
        """
        with Letter((LARGE,)) as letter:
            memory = letter.arguments["memory"]
            self.assertRaises(OSError, os.write, memory, b"x")
            self.assertRaises(OSError, os.pwrite, memory, b"x", 0)
            self.assertRaises(OSError, os.ftruncate, memory, 1)
            self.assertFalse(os.get_inheritable(memory))

    def test_bound(self) -> None:
        """
        Whatever its size, no value on the line exceeds what AMP takes.
        """
        for size in (59_000, 59_900, 60_000, 65_535, 70_000):
            change = Install("k", Credential(b"c" * size, b""))
            with Letter((change,)) as letter:
                self.assertLess(len(letter.arguments.get("letter", b"")), 65_536)
                memory = letter.arguments.get("memory")
                handed = None if memory is None else os.dup(memory)
                self.assertEqual(opened(letter.arguments.get("letter"), handed), packed((change,)))

    def test_keys(self) -> None:
        """
        Keys travel as they are, as many as there is room for, the first ones
        first.
        """
        self.assertEqual(keysOf(keysText(())), ())
        few = ("auto:a.test,b.test", "internal:")
        self.assertEqual(keysOf(keysText(few)), few)
        many = [f"auto:{number}.{'x' * 200}.test" for number in range(1000)]
        text = keysText(many)
        self.assertLess(len(text), 65536)
        self.assertEqual(keysOf(text), tuple(many[: len(keysOf(text))]))
        self.assertGreater(len(keysOf(text)), 200)

    def test_tally(self) -> None:
        """
        Counts travel as text.
        """
        self.assertEqual(tallied(tallyText({"requests": 3, "open": 0})), {"requests": 3, "open": 0})
