"""
Tests for L{smartproxy_tw.acme.external}, and for accounts that are bound by it.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from smartproxy_tw.acme.errors import AuthorityProblem, ExternalAccountUnusable
from smartproxy_tw.acme.external import ExternalKey, readExternalKey
from smartproxy_tw.config.model import Authority, ExternalAccount
from smartproxy_tw.testing.authority import Authority as TestingAuthority

from .suite import AuthorityStory, Opened

SECRET = b"a secret of 32 bytes, or so it is"
TEXT = urlsafe_b64encode(SECRET).rstrip(b"=").decode("ascii")


class ReadingTests(SynchronousTestCase):
    def read(self, external: ExternalAccount | None) -> ExternalKey | None:
        return readExternalKey(Authority(directory="https://ca.example/dir", external=external))

    def test_sources(self) -> None:
        """
        The key comes from the configuration or from a file, and neither form
        of it shows in what is printed.
        """
        self.assertIsNone(self.read(None))
        file = Path(self.mktemp())
        file.write_text(TEXT + "\n")
        for external in (ExternalAccount("k", TEXT), ExternalAccount("k", hmacKeyFile=str(file))):
            found = self.read(external)
            self.assertEqual(found, ExternalKey("k", SECRET))
            for shown in (repr(external), repr(found)):
                self.assertNotIn(TEXT, shown)
                self.assertNotIn(repr(SECRET), shown)

    def test_unusable(self) -> None:
        """
        A file that is not there, or holds no key, is named with the option and
        the authority; what it holds is not told.
        """
        path = Path(self.mktemp())
        for content in (None, b"", b"not! a key", b"\xff\xfe\0"):
            if content is not None:
                path.write_bytes(content)
            external = ExternalAccount("k", hmacKeyFile=str(path))
            why = str(self.assertRaises(ExternalAccountUnusable, self.read, external))
            for part in (str(path), "acme.external_account", "https://ca.example/dir"):
                self.assertIn(part, why)
            self.assertNotIn("not!", why)


class BindingTests(AuthorityStory, TestCase):
    """
    Those who meet an authority that demands it.
    """

    timeout = 300

    def openAuthority(self, httpPort: int, tlsPort: int, nonceReject: float) -> Opened:
        authority: Any = TestingAuthority(
            reactor, httpPort=httpPort, tlsPort=tlsPort, externalKeys={"known": SECRET}
        )
        authority.caFile = self.write(authority.root)
        return authority

    async def test_bound(self) -> None:
        """
        Who has the key gets an account, once, and certificates.
        """
        await self.opens()
        issuer = self.issuer(external=ExternalAccount("known", TEXT))
        got = await issuer.obtain(("a.example",), self.install)
        self.verify(got, "a.example")
        # Who has an account needs no key any more.
        await self.issuer().obtain(("b.example",), self.install)

    async def test_unbound(self) -> None:
        """
        Who has none is told which option to set, before the authority is asked
        for anything but its directory; the authority's own refusal says the
        same.
        """
        await self.opens()
        authority: Any = self.authority
        why = await self.refused(self.issuer(), ExternalAccountUnusable, "a.example")
        self.assertIn("none is configured", str(why))
        self.assertEqual(authority.requests, 1)
        authority._isExternalRequired = False
        why = await self.refused(self.issuer(), ExternalAccountUnusable, "a.example")
        self.assertIn("externalAccountRequired", str(why))

    async def test_unknown(self) -> None:
        """
        A key that the authority does not know is refused in its words.
        """
        await self.opens()
        for external in (ExternalAccount("other", TEXT), ExternalAccount("known", "AAAA")):
            issuer = self.issuer(external=external)
            why = await self.refused(issuer, AuthorityProblem, "a.example")
            self.assertIn("registering an account", str(why))
            self.assertNotIn(TEXT, str(why))
