"""
What every certificate authority must stand, ours in C{testing} as well as the
real one in C{tests/live}: neither can be wrong alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater

from smartproxy_tw.acme.errors import (
    AuthorityProblem,
    AuthorityUnreachable,
    ChallengeNotServed,
    IssuanceFailed,
    NoChallengeUsable,
)
from smartproxy_tw.acme.issuer import Issuer
from smartproxy_tw.acme.x509 import describe, newKey
from smartproxy_tw.config.model import Authority
from smartproxy_tw.facts import Account, Credential

from .loopback import LoopbackPlane

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase as _Base
else:
    _Base = object

__all__ = ["Accounts", "AuthorityStory", "AuthoritySuite", "Opened"]

Kind = Literal["http-01", "tls-alpn-01"]


class Opened(Protocol):
    """
    What the suite needs of an authority that is open.
    """

    directoryURL: str
    caFile: str
    root: bytes

    def start(self) -> Deferred[None]: ...

    def stop(self) -> Deferred[None]: ...


class Accounts:
    """
    Remembers accounts and every deed.
    """

    def __init__(self) -> None:
        self.kept: dict[str, Account] = {}
        self.story: list[str] = []
        self.broken = False

    def load(self, directory: str) -> Account | None:
        if self.broken:
            raise PermissionError(13, "Permission denied", "/state/accounts")
        return self.kept.get(directory)

    def save(self, directory: str, account: Account) -> None:
        self.story.append("key" if account.url is None else "account")
        self.kept[directory] = account


class AuthorityStory(_Base):
    """
    What such tests begin with and tell; to be mixed into a C{TestCase}.
    """

    def openAuthority(self, httpPort: int, tlsPort: int, nonceReject: float) -> Opened:
        """
        Make an authority.

        @param nonceReject: The part of good nonces that it refuses.
        """
        raise NotImplementedError

    def counted(self) -> tuple[int, int]:
        """
        The orders placed so far, and the authorizations that came to nothing.
        """
        raise NotImplementedError

    async def opens(self, nonceReject: float = 0.0) -> None:
        """
        Given an authority and a data path.
        """
        # A port that is opened while the reactor works through a batch of
        # events may get the descriptor of a connection closed in that batch,
        # and an event that was meant for it.  Timed calls are outside of it.
        await deferLater(reactor, 0)
        self.plane = LoopbackPlane(reactor)
        self.addCleanup(self.plane.close)
        self.authority = self.openAuthority(*self.plane.listen(), nonceReject)
        await self.authority.start()
        self.addCleanup(self.authority.stop)
        self.accounts = Accounts()
        self.installed: list[Credential] = []
        self.events: list[str] = []

    def issuer(self, *challenges: Kind, email: str | None = "ops@site.example", **settings: Any) -> Issuer:
        """
        Somebody who asks it.
        """
        found = Authority(email, self.authority.directoryURL, self.authority.caFile, **settings)
        issuer = Issuer(
            reactor,
            found,
            challenges=challenges or ("http-01", "tls-alpn-01"),
            accounts=self.accounts,  # type: ignore[arg-type]
            plane=self.plane,  # type: ignore[arg-type]
            observe=self.observe,
        )
        self.addCleanup(issuer.close)
        return issuer

    def observe(self, event: str, **facts: Any) -> None:
        self.events.append(event)

    def install(self, credential: Credential) -> Deferred[None]:
        """
        The third party to the story: remembers what it was given, and when.
        """
        self.installed.append(credential)
        self.plane.story.append("install")
        done: Deferred[None] = Deferred()
        reactor.callLater(0, done.callback, None)  # type: ignore[attr-defined]
        return done

    def verify(self, credential: Credential, name: str) -> None:
        """
        Fail unless who trusts the authority's root believes the certificate.
        """
        store = Store(x509.load_pem_x509_certificates(self.authority.root))
        leaf, *between = x509.load_pem_x509_certificates(credential.chain)
        policy = PolicyBuilder().store(store).time(datetime.now(UTC).replace(tzinfo=None))
        try:
            subject: Any = x509.IPAddress(ip_address(name))
        except ValueError:
            subject = x509.DNSName(name)
        policy.build_server_verifier(subject).verify(leaf, between)

    async def refused(self, issuer: Issuer, kind: type[IssuanceFailed], *names: str) -> Any:
        """
        Ask in vain; nothing may stay presented.
        """
        why = await self.assertFailure(issuer.obtain(names, self.install), kind)
        self.assertEqual(self.plane.presented, [])
        self.assertEqual(self.installed, [])
        return why

    async def oneName(self, kind: Kind) -> None:
        await self.opens()
        got = await self.issuer(kind).obtain(("a.example",), self.install)
        self.verify(got, "a.example")
        self.assertEqual(self.installed, [got])
        self.assertEqual(self.plane.story, ["present a.example", "install", "withdraw a.example"])
        self.assertIn("a.example", self.plane.asked)
        self.assertEqual(self.counted(), (1, 0))
        self.assertEqual(self.events, ["ordered", "presented", "authorized", "issued", "installed"])

    async def giveUpAt(self, issuer: Issuer, event: str) -> None:
        def observe(seen: str, **facts: Any) -> None:
            if seen == event:
                reactor.callLater(0, obtaining.cancel)  # type: ignore[attr-defined]

        issuer._observe = observe
        obtaining = issuer.obtain((f"{event}.example",), lambda credential: Deferred())
        await self.assertFailure(obtaining, CancelledError)

    def write(self, text: bytes) -> str:
        """
        A file with that text.
        """
        path = Path(self.mktemp())
        path.write_bytes(text)
        return str(path)


class AuthoritySuite(AuthorityStory):
    """
    The tests.
    """

    async def test_http(self) -> None:
        """
        A name is proved by http-01; its certificate is trusted by who trusts
        the authority.
        """
        await self.oneName("http-01")

    async def test_tlsALPN(self) -> None:
        """
        A name is proved by tls-alpn-01.
        """
        await self.oneName("tls-alpn-01")

    async def test_manyNames(self) -> None:
        """
        All names of a certificate are in one order, and all are presented
        before the authority is told of any.
        """
        await self.opens()
        names = ("c.example", "a.example", "b.example", "www.a.example")
        got = await self.issuer().obtain(names, self.install)
        for name in names:
            self.verify(got, name)
        self.assertEqual(self.counted(), (1, 0))
        story = self.plane.story
        self.assertEqual(sorted(story[:4]), sorted(f"present {name}" for name in names))
        self.assertEqual(story[4], "install")
        self.assertEqual(sorted(story[5:]), sorted(f"withdraw {name}" for name in names))

    async def test_address(self) -> None:
        """
        An IP address is proved by either kind (RFC 8738).
        """
        await self.opens()
        for kind in ("http-01", "tls-alpn-01"):
            got = await self.issuer(kind).obtain(("127.0.0.1",), self.install)
            self.verify(got, "127.0.0.1")

    async def test_atOnce(self) -> None:
        """
        Many ask at once: one account is registered, and each has one order.
        """
        await self.opens()
        issuer = self.issuer()
        names = [(f"{number}.example",) for number in range(8)]
        got = await gatherResults([issuer.obtain(each, self.install) for each in names])
        for credential, (name,) in zip(got, names, strict=True):
            self.verify(credential, name)
        self.assertEqual(self.accounts.story, ["key", "account"])
        self.assertEqual(self.counted(), (8, 0))
        self.assertEqual(self.plane.presented, [])

    async def test_sharedNames(self) -> None:
        """
        Two that ask for the same name at once do not spoil each other's proof.
        """
        await self.opens()
        issuer = self.issuer("tls-alpn-01")
        wanted = [("a.example", "b.example"), ("b.example", "c.example"), ("b.example",)]
        got = await gatherResults([issuer.obtain(each, self.install) for each in wanted])
        for credential in got:
            self.verify(credential, "b.example")
        self.assertEqual(self.counted(), (3, 0))

    async def test_sameAccount(self) -> None:
        """
        After a restart the account is found in the store, and the authority
        makes no other; not even where only the key had been saved.
        """
        await self.opens()
        await self.issuer().obtain(("a.example",), self.install)
        [(directory, account)] = self.accounts.kept.items()
        await self.issuer().obtain(("b.example",), self.install)
        self.assertEqual(self.accounts.kept[directory], account)
        self.accounts.kept[directory] = Account(account.key, None)
        await self.issuer(email=None).obtain(("c.example",), self.install)
        self.assertEqual(self.accounts.kept[directory], account)

    async def test_unknownAccount(self) -> None:
        """
        An authority that has forgotten the account is told of it anew, with
        the same key, and the order goes on.
        """
        await self.opens()
        await self.issuer().obtain(("a.example",), self.install)
        [(directory, account)] = self.accounts.kept.items()
        lost = Account(newKey(), (account.url or "") + "0")
        self.accounts.kept[directory] = lost
        issuer = self.issuer()
        await gatherResults([issuer.obtain((f"{each}.example",), self.install) for each in "bcd"])
        self.assertEqual(self.accounts.kept[directory].key, lost.key)
        self.assertNotEqual(self.accounts.kept[directory].url, lost.url)

    async def test_keyType(self) -> None:
        """
        The key of a certificate is of the kind that is configured.
        """
        await self.opens()
        both = self.issuer(keyType="both")
        for issuer, isTwin, size in (
            (self.issuer(keyType="rsa"), False, 2048),
            (self.issuer(keyType="rsa-3072"), False, 3072),
            (both, True, 2048),
        ):
            got = await issuer.obtain(("a.example",), self.install, isTwin=isTwin)
            self.verify(got, "a.example")
            public: Any = x509.load_pem_x509_certificate(got.chain).public_key()
            self.assertEqual((type(public).__name__, public.key_size), ("RSAPublicKey", size))
            await self.issuer().revoke(got, byKey=True)
        got = await both.obtain(("a.example",), self.install)
        self.assertFalse(describe(got.chain).isRSA)

    async def test_account(self) -> None:
        """
        The account gets another key, revokes what it ordered, and is given up; a
        certificate's own key revokes it too.
        """
        await self.opens()
        issuer = self.issuer()
        first = await issuer.obtain(("a.example",), self.install)
        [(directory, before)] = self.accounts.kept.items()
        await issuer.changeKey()
        after = self.accounts.kept[directory]
        self.assertEqual((after.url, after.nextKey), (before.url, None))
        self.assertNotEqual(after.key, before.key)
        second = await self.issuer().obtain(("b.example",), self.install)
        await issuer.revoke(first, 4)
        await issuer.revoke(second, 1, byKey=True)
        for each in (first, second):
            why = await self.assertFailure(issuer.revoke(each), AuthorityProblem)
            self.assertEqual(why.problem.word, "alreadyRevoked")
        await issuer.deactivate()
        await issuer.obtain(("c.example",), self.install)
        self.assertNotIn(self.accounts.kept[directory].url, (None, before.url))

    async def test_wrongAnswer(self) -> None:
        """
        A name that could not be proved is named with the authority's reason;
        the others of the order are not blamed.
        """
        await self.opens()
        self.plane.wrong.add("b.example")
        why = await self.refused(self.issuer("http-01"), AuthorityProblem, "a.example", "b.example")
        self.assertEqual(list(why.byName), ["b.example"])
        self.assertEqual(why.byName["b.example"].word, "unauthorized")
        self.assertIn("b.example: ", str(why))
        self.assertEqual(self.counted(), (1, 1))

    async def test_anotherWay(self) -> None:
        """
        Where one way does not lead to a proof the next attempt takes another one,
        though nothing was mended.
        """
        await self.opens()
        self.plane.wrong.add("a.example")
        issuer = self.issuer("http-01", "tls-alpn-01")
        await self.refused(issuer, AuthorityProblem, "a.example")
        self.verify(await issuer.obtain(("a.example",), self.install), "a.example")
        self.assertEqual(self.counted(), (2, 1))

    async def test_wildcard(self) -> None:
        """
        A wildcard can be proved by neither kind, and nothing is presented for
        an order that holds one.
        """
        await self.opens()
        why = await self.refused(self.issuer(), NoChallengeUsable, "a.example", "*.a.example")
        self.assertEqual(why.name, "*.a.example")
        self.assertEqual(self.plane.story, [])

    async def test_rejectedName(self) -> None:
        """
        A name that the authority does not take is refused with its reason.
        """
        await self.opens()
        why = await self.refused(self.issuer(), AuthorityProblem, "a_b.example")
        self.assertIn(why.problem.word, ("rejectedIdentifier", "malformed"))
        self.assertIn("ordering a_b.example", str(why))

    async def test_badNonces(self) -> None:
        """
        An authority that refuses every second good nonce is served all the
        same, by one order each.
        """
        await self.opens(nonceReject=0.5)
        issuer = self.issuer()
        await gatherResults([issuer.obtain((f"{each}.example",), self.install) for each in "abc"])
        self.assertEqual(self.counted(), (3, 0))
        self.assertEqual(self.accounts.story, ["key", "account"])

    async def test_away(self) -> None:
        """
        While the authority is away that is what is said, and when it is back
        all is well.
        """
        await self.opens()
        await self.authority.stop()
        issuer = self.issuer()
        await self.refused(issuer, AuthorityUnreachable, "a.example")
        await self.authority.start()
        self.verify(await issuer.obtain(("a.example",), self.install), "a.example")

    async def test_notPresented(self) -> None:
        """
        When the data path cannot take up an answer, the authority is told of
        none.
        """
        await self.opens()

        def present(challenge: Any) -> Deferred[None]:
            self.plane.story.append(f"refuse {challenge.name}")
            raise RuntimeError("a worker died")

        self.plane.present = present  # type: ignore[method-assign]
        why = await self.refused(self.issuer(), ChallengeNotServed, "a.example")
        self.assertIn("a worker died", str(why))
        self.assertEqual(self.plane.asked, [])
        self.assertEqual(self.plane.story, ["refuse a.example", "withdraw a.example"])

    async def test_notInstalled(self) -> None:
        """
        What the installation raises is what comes out, and the answers are
        withdrawn after it.
        """
        await self.opens()

        async def install(credential: Credential) -> None:
            self.plane.story.append("install")
            raise KeyError("no room")

        await self.assertFailure(self.issuer().obtain(("a.example",), install), KeyError)
        self.assertEqual(self.plane.story, ["present a.example", "install", "withdraw a.example"])

    async def test_givenUp(self) -> None:
        """
        Wherever it is given up, nothing stays presented, and what comes out is
        the cancellation.
        """
        await self.opens()
        issuer = self.issuer()
        for event in ("ordered", "presented", "authorized", "issued"):
            await self.giveUpAt(issuer, event)
            self.assertEqual(self.plane.presented, [])
        issuer._observe = self.observe
        await issuer.obtain(("ordered.example",), self.install)
