"""
Tests for L{smartproxy_tw.config.hashes}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.hashes import kindOf, missingFor, usersIn

from ..examples import examples
from .protections import ARGON2, BCRYPT


class HashesTests(SynchronousTestCase):
    """
    Hashes, and files of them.
    """

    def test_kinds(self) -> None:
        """
        Each kind is known by how it begins, and is there.
        """
        for text, kind in ((ARGON2, "argon2"), (BCRYPT, "bcrypt"), (BCRYPT.replace("2b", "2y"), "bcrypt")):
            self.assertEqual(kindOf(text), kind)
            self.assertIs(missingFor(kindOf(text)), None)

    @examples(200)
    @given(st.binary(max_size=80).map(lambda data: data.decode("latin-1")))
    def test_anything(self, text: str) -> None:
        """
        Whatever is written is a file of users, or is told to be none, without a word of it that could
        be a password.
        """
        try:
            usersIn(text)
        except ValueError as why:
            self.assertIn(str(why).split(" ")[0], ("has",))

    def test_users(self) -> None:
        """
        Names and hashes, whatever else there is in the file.
        """
        self.assertEqual(
            usersIn(f"# us\r\nbob:{BCRYPT}\r\n\r\n  ann:{ARGON2}:Ann of Ux\r\n"),
            (("bob", BCRYPT), ("ann", ARGON2)),
        )
