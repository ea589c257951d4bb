"""
Tests for L{smartproxy_tw.upstream.crumbs}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Sticky
from smartproxy_tw.upstream.crumbs import Crumbs

from ..examples import examples
from ..spending import taken

SECRET = b"s" * 32
TEXTS = st.binary(max_size=40).map(lambda data: data.decode("latin-1"))


def crumbs(kept: bytes = SECRET, **settings: object) -> Crumbs:
    """
    Those of a group.
    """
    return Crumbs(Sticky(**settings), lambda: kept)  # type: ignore[arg-type]


class CrumbsTests(SynchronousTestCase):
    """
    What clients are told.
    """

    def test_same(self) -> None:
        """
        Two processes with one secret make the same, for each target another one; with
        another secret, or for another cookie, they are others.
        """
        made = crumbs().crumb("10.0.0.7:80")
        self.assertEqual(crumbs().crumb("10.0.0.7:80"), made)
        others = {
            crumbs().crumb("10.0.0.8:80"),
            crumbs(b"o" * 32).crumb("10.0.0.7:80"),
            crumbs(cookie="sid").crumb("10.0.0.7:80"),
            crumbs(secret="0123456789abcdef").crumb("10.0.0.7:80"),
        }
        self.assertEqual(len(others | {made}), 5)

    def test_namesNobody(self) -> None:
        """
        Nothing of the target is in it.
        """
        self.assertRegex(crumbs().crumb("10.0.0.7:80"), r"^[A-Za-z0-9_-]{24}$")

    def test_unsigned(self) -> None:
        """
        Before there is a secret there is none; when there is, it is by that.
        """
        secret = b""
        some = Crumbs(Sticky(), lambda: secret)
        self.assertEqual(some.crumb("a:1"), "")
        secret = SECRET
        self.assertEqual(some.crumb("a:1"), crumbs().crumb("a:1"))

    def test_shown(self) -> None:
        """
        It is found among other cookies, and in several fields.
        """
        for fields, found in (
            ([("cookie", "smartproxy=x")], "x"),
            ([("cookie", "a=b; smartproxy=x; c=d")], "x"),
            ([("host", "smartproxy=y"), ("cookie", "a=b"), ("cookie", "smartproxy=x")], "x"),
            ([("cookie", "smartproxyx=y; xsmartproxy=z")], ""),
            ([("cookie", "smartproxy")], ""),
            ([("cookie", "smartproxy =x; smartproxy=")], ""),
            ([("cookie", " \tsmartproxy=x=y \t; smartproxy=z")], "x=y"),
            ([], ""),
        ):
            self.assertEqual(crumbs().shown(fields), found)
        some = crumbs()
        for heap in (";" * 60000, " " * 60000, "; " * 30000, "smartproxy;" * 5000):
            fields = [("cookie", heap + "; smartproxy=x")]
            self.assertEqual(some.shown(fields), "x")
            self.assertLess(taken(lambda fields=fields: some.shown(fields)), 10000)  # type: ignore[misc]

    @examples()
    @given(st.lists(st.tuples(st.sampled_from(["cookie", "x"]), TEXTS)))
    def test_anything(self, fields: list[tuple[str, str]]) -> None:
        """
        Whatever clients send is read.
        """
        self.assertIsInstance(crumbs().shown(fields), str)

    def test_line(self) -> None:
        """
        A client is told for all paths, not for scripts, and over TLS only where it came
        by that.
        """
        some = crumbs(cookie="sid", maxAge=60)
        crumb = some.crumb("a:1").encode("ascii")
        self.assertEqual(
            some.line("a:1", isSecure=True),
            b"Set-Cookie: sid=" + crumb + b"; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure\r\n",
        )
        crumb = crumbs().crumb("a:1").encode("ascii")
        self.assertEqual(
            crumbs().line("a:1", isSecure=False),
            b"Set-Cookie: smartproxy=" + crumb + b"; Path=/; HttpOnly; SameSite=Lax\r\n",
        )
