"""
Tests for L{smartproxy_tw.acme.entry}.
"""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.entry import LONGEST, OPEN, Answer, Entry, decode, encode

KEY = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
ANSWER = Answer("http-01", "a.example", "t" * 22, "t" * 22 + ".print")
ENTRY = Entry(
    "https://ca.example/dir",
    ("a.example", "b.example"),
    KEY,
    1_800_000_000.5,
    "https://ca.example/account/1",
    "https://ca.example/order/1",
    (ANSWER,),
)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1)
URLS = st.none() | TEXTS.map("https://".__add__)


class EntryTests(SynchronousTestCase):
    """
    What is written down of an order.
    """

    @settings(max_examples=60, derandomize=True, deadline=None)
    @given(
        st.builds(
            Entry,
            TEXTS,
            st.lists(TEXTS, min_size=1, max_size=5).map(tuple),
            st.just(KEY),
            st.floats(0, 1e11),
            URLS,
            URLS,
            st.lists(st.builds(Answer, TEXTS, TEXTS, TEXTS, TEXTS), max_size=5).map(tuple),
        )
    )
    def test_roundTrip(self, entry: Entry) -> None:
        """
        What was written is read as it was.
        """
        self.assertEqual(decode(encode(entry)), entry)

    def test_cutAnywhere(self) -> None:
        """
        Half of an entry is none, wherever it was cut.
        """
        text = encode(ENTRY).rstrip()
        for length in range(len(text)):
            self.assertRaises(ValueError, decode, text[:length])

    def test_wrongMembers(self) -> None:
        """
        Whatever is wrong is named.
        """
        good = json.loads(encode(ENTRY))
        answer = good["answers"][0]
        for member, wrong, named in (
            ("directory", None, "'directory'"),
            ("directory", "https://bücher.example", "'directory'"),
            ("names", [], "no name"),
            ("names", "a.example", "'names'"),
            ("names", [7], "a name"),
            ("key", "secret", "'key'"),
            ("key", None, "'key'"),
            ("began", "now", "'began'"),
            ("began", True, "'began'"),
            ("began", 10**400, "'began'"),
            ("began", float("nan"), "'began'"),
            ("account", "http://ca.example/", "'account'"),
            ("order", 7, "'order'"),
            ("answers", {}, "'answers'"),
            ("answers", ["x"], "an answer"),
            *(("answers", [{**answer, each: None}], f"'{each}'") for each in answer),
        ):
            with self.subTest(member=member, wrong=wrong):
                text = json.dumps({**good, member: wrong}).encode()
                self.assertIn(named, str(self.assertRaises(ValueError, decode, text)))

    def test_strangeFiles(self) -> None:
        """
        What is no JSON object, is nested for ever, or is far too long, is
        refused.
        """
        for text in (b"", b"[]", b"\xff\xfe", b"[" * 100_000, b" " * (LONGEST + 1)):
            self.assertRaises(ValueError, decode, text)

    def test_secrets(self) -> None:
        """
        Neither the key nor what proves the account shows.
        """
        self.assertNotIn("AAAA", repr(ENTRY))
        self.assertNotIn(".print", repr(ENTRY))

    def test_isOpen(self) -> None:
        """
        An entry is good for a day, to whichever side the clock jumped.
        """
        for later, isOpen in ((0, True), (OPEN - 1, True), (OPEN, False), (-60, True), (-OPEN, False)):
            self.assertEqual(ENTRY.isOpen(ENTRY.began + later), isOpen)
