"""
Tests for L{smartproxy_tw.store.naming}.
"""

from __future__ import annotations

from string import ascii_lowercase, digits

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import LETSENCRYPT, LETSENCRYPT_STAGING
from smartproxy_tw.store.directory import SecureDirectory
from smartproxy_tw.store.naming import authorityName, entryName

from ..examples import awkwardText, examples, textOf

_ENDS = f"{ascii_lowercase}{digits}"
NAMES = st.one_of(
    st.sampled_from(_ENDS),
    st.tuples(
        st.sampled_from(["", "*."]),
        st.sampled_from(_ENDS),
        textOf(f"{_ENDS}.-", 250),
        st.sampled_from(_ENDS),
    ).map("".join),
)


class AuthorityNameTests(SynchronousTestCase):
    """
    What an authority is called.
    """

    def test_neverMixed(self) -> None:
        """
        Staging and production differ, as do two directories of one host.
        """
        urls = (
            LETSENCRYPT,
            LETSENCRYPT_STAGING,
            "https://ca.example/a",
            "https://ca.example/b",
            "https://ca.example:8443/a",
        )
        self.assertEqual(len({authorityName(url) for url in urls}), len(urls))
        self.assertTrue(authorityName(LETSENCRYPT).startswith("acme-v02.api.letsencrypt.org-"))

    @examples()
    @given(st.sampled_from(["https://", "", "https://["]), awkwardText(400))
    def test_alwaysAFileName(self, scheme: str, rest: str) -> None:
        """
        Whatever the URL, its name fits into a file system; what is no URL at
        all is told so.
        """
        try:
            name = authorityName(scheme + rest)
        except ValueError:
            return
        self.assertEqual(SecureDirectory("/nowhere").pathOf(name + ".json"), f"/nowhere/{name}.json")


class EntryNameTests(SynchronousTestCase):
    """
    What the certificate for some names is called.
    """

    def test_oneName(self) -> None:
        """
        One name is called by itself, as txacme does it.
        """
        self.assertEqual(entryName(["shop.example"]), "shop.example")

    def test_severalNames(self) -> None:
        """
        Several share an entry whatever their order, and other names have
        another one.
        """
        one = entryName(["www.shop.example", "shop.example"])
        self.assertEqual(one, entryName(["shop.example", "www.shop.example", "shop.example"]))
        self.assertNotEqual(one, entryName(["shop.example", "api.shop.example"]))
        self.assertRegex(one, r"^shop\.example\+1-[0-9a-f]{16}$")

    def test_wildcard(self) -> None:
        """
        An asterisk is spelled out, so that no shell takes it for a pattern.
        """
        self.assertEqual(entryName(["*.shop.example"]), "_wildcard.shop.example")

    @examples()
    @given(st.lists(NAMES, min_size=1))
    def test_alwaysAFileName(self, names: list[str]) -> None:
        """
        Whatever the names, the entry fits into a file system.
        """
        name = entryName(names)
        directory = SecureDirectory("/nowhere")
        self.assertEqual(directory.pathOf(name + ".pem"), f"/nowhere/{name}.pem")
