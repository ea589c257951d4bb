"""
Tests for L{smartproxy_tw.store.note}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.note import Note


class NoteTests(SynchronousTestCase):
    """
    L{Note}.
    """

    def setUp(self) -> None:
        self.directory = SecureDirectory(os.path.abspath(self.mktemp())).open()
        self.told: list[dict[str, Any]] = []

    def note(self) -> Note[dict[str, int]]:
        """
        Numbers by name.
        """

        def parse(found: dict[str, Any]) -> dict[str, int]:
            return {name: int(number) for name, number in found.items()}

        return Note(self.directory, "numbers.json", parse, dict)

    def load(self) -> dict[str, int]:
        """
        What is remembered.
        """

        def tell(text: str, **fields: Any) -> None:
            self.told.append({"text": text, **fields})

        return self.note().load(tell, "numbers-unusable", "{path}: {why}")

    def test_acrossProcesses(self) -> None:
        """
        What was saved is loaded, in place of what was there; before anything was there is nothing,
        which is nothing to complain of.
        """
        self.assertEqual(self.load(), {})
        self.note().save({"a": 1, "b": 2})
        self.note().save({"a\xe4": 3}, isIndented=False)
        self.assertEqual(self.load(), {"a\xe4": 3})
        self.assertEqual(self.told, [])
        self.assertEqual(os.stat(self.directory.pathOf("numbers.json")).st_mode & 0o777, 0o600)

    def test_readable(self) -> None:
        """
        People may read it, unless it is too long for that.
        """
        self.note().save({"a": 1, "b": 2})
        self.assertEqual(self.directory.read("numbers.json"), b'{\n "a": 1,\n "b": 2\n}\n')
        self.note().save({"a": 1, "b": 2}, isIndented=False)
        self.assertEqual(self.directory.read("numbers.json"), b'{"a": 1, "b": 2}\n')

    def test_nonsense(self) -> None:
        """
        What is no JSON object, or means nothing, is passed over and told, with the file.
        """
        wrong = (b"", b"[]", b"\xff", b"{", b"null", b'{"a": "x"}', b"[" * 100_000)
        for content in wrong:
            self.directory.write("numbers.json", content)
            self.assertEqual(self.load(), {}, content[:20])
        self.assertEqual(len(self.told), len(wrong))
        for each in self.told:
            self.assertEqual((each["text"], each["event"]), ("{path}: {why}", "numbers-unusable"))
            self.assertEqual(each["path"], self.directory.pathOf("numbers.json"))
            self.assertTrue(each["why"])

    def test_unreadable(self) -> None:
        """
        So is what cannot be read.
        """
        os.mkdir(self.directory.pathOf("numbers.json"))
        self.assertEqual(self.load(), {})
        self.assertEqual(len(self.told), 1)

    def test_unwritten(self) -> None:
        """
        What could not be written is told to who wanted it, and what was there stays.
        """
        self.note().save({"a": 1})

        def write(name: str, content: bytes) -> None:
            raise OSError(28, "No space left on device")

        self.patch(self.directory, "write", write)
        self.assertRaises(OSError, self.note().save, {"a": 2})
        self.assertEqual(self.load(), {"a": 1})
