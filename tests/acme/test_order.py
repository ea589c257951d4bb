"""
Tests for L{smartproxy_tw.acme.order}: conversations with an order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.choices import Choices
from smartproxy_tw.acme.errors import AuthorityProblem, NoChallengeUsable, Problem
from smartproxy_tw.acme.objects import AuthorizationFacts, Offer, OrderFacts
from smartproxy_tw.acme.order import (
    AskForCertificate,
    Authorizing,
    Deed,
    Failed,
    Fetch,
    Finalizing,
    Issued,
    Look,
    News,
    NotReady,
    Opened,
    Present,
    Presented,
    Presenting,
    Processing,
    Proof,
    Prove,
    ReadAuthorization,
    advance,
    begin,
)

from ..examples import examples

URL = "https://ca.example/order"
A, B = "https://ca.example/authz/a", "https://ca.example/authz/b"
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
BOTH = Choices(("http-01", "tls-alpn-01"))

PENDING = OrderFacts(URL, "pending", ("a.example", "b.example"), (A, B), f"{URL}/finalize")
READY = replace(PENDING, status="ready")
PROCESSING = replace(PENDING, status="processing")
VALID = replace(PENDING, status="valid", certificate=f"{URL}/certificate")


def authorization(url: str, status: Any = "pending", *kinds: str, problem: Problem | None = None) -> Any:
    """
    What the authority says of A or B.
    """
    offers = tuple(
        Offer(kind, f"{url}/{kind}", TOKEN, "invalid" if problem else "pending", problem)
        for kind in kinds or ("http-01",)
    )
    return AuthorizationFacts(url, f"{url[-1]}.example", status, offers)


def proof(url: str, kind: str = "http-01") -> Proof:
    """
    The one that A or B is proved with.
    """
    return Proof(f"{url[-1]}.example", kind, TOKEN, f"{url}/{kind}", url)


class WholeLifeTests(SynchronousTestCase):
    def test_twoNames(self) -> None:
        """
        Authorizations are read, all proofs presented, then all told, then the
        certificate is asked for, waited for, and fetched.
        """
        state, deeds = begin(PENDING)
        self.assertEqual(deeds, (ReadAuthorization(A), ReadAuthorization(B)))
        state, deeds = advance(state, authorization(A), BOTH)
        self.assertEqual(deeds, ())
        state, deeds = advance(state, authorization(B), BOTH)
        self.assertEqual(state, Presenting(PENDING, (proof(A), proof(B))))
        self.assertEqual(deeds, (Present((proof(A), proof(B))),))
        state, deeds = advance(state, Presented(), BOTH)
        self.assertEqual(deeds, (Prove(proof(A)), Prove(proof(B))))
        state, deeds = advance(state, authorization(B, "valid"), BOTH)
        self.assertEqual(deeds, ())
        state, deeds = advance(state, authorization(A, "valid"), BOTH)
        self.assertEqual(deeds, (AskForCertificate(f"{URL}/finalize"),))
        state, deeds = advance(state, PROCESSING, BOTH)
        self.assertEqual((state, deeds), (Processing(PROCESSING), (Look(URL, frozenset({"processing"})),)))
        state, deeds = advance(state, VALID, BOTH)
        self.assertEqual(state, Issued(VALID, f"{URL}/certificate"))
        self.assertEqual(deeds, (Fetch(f"{URL}/certificate"),))

    def test_allAuthorizedBefore(self) -> None:
        """
        Names that are authorized already are presented to nobody.
        """
        state, _ = begin(PENDING)
        state, _ = advance(state, authorization(A, "valid"), BOTH)
        state, deeds = advance(state, authorization(B, "valid"), BOTH)
        self.assertEqual((state, deeds), (Finalizing(PENDING), (AskForCertificate(f"{URL}/finalize"),)))

    def test_oneAuthorizedBefore(self) -> None:
        """
        Only the name that needs it is proved.
        """
        state, _ = begin(PENDING)
        state, _ = advance(state, authorization(A, "valid"), BOTH)
        state, deeds = advance(state, authorization(B), BOTH)
        self.assertEqual(deeds, (Present((proof(B),)),))
        state, _ = advance(state, Presented(), BOTH)
        self.assertEqual(state, Authorizing(PENDING, frozenset({B})))

    def test_toldBefore(self) -> None:
        """
        Of an order that is taken up again, a proof that the authority is just
        looking at is presented again and not told again.
        """
        seen = AuthorizationFacts(
            A, "a.example", "pending", (Offer("http-01", f"{A}/http-01", TOKEN, "processing"),)
        )
        state, _ = begin(replace(PENDING, authorizations=(A,)))
        state, deeds = advance(state, seen, BOTH)
        told = replace(proof(A), isTold=True)
        self.assertEqual(deeds, (Present((told,)),))
        state, deeds = advance(state, Presented(), BOTH)
        self.assertEqual(deeds, (Prove(told),))


class ResumptionTests(SynchronousTestCase):
    def test_whereverItStands(self) -> None:
        """
        An order that is looked at again goes on from where it stands.
        """
        self.assertIsInstance(begin(PENDING)[0], Opened)
        self.assertEqual(begin(READY), (Finalizing(READY), (AskForCertificate(f"{URL}/finalize"),)))
        self.assertIsInstance(begin(PROCESSING)[0], Processing)
        self.assertIsInstance(begin(VALID)[0], Issued)
        self.assertIsInstance(begin(replace(PENDING, status="invalid"))[0], Failed)

    def test_notReady(self) -> None:
        """
        An authority that has not noticed yet that all is authorized is looked
        at until it has, and asked again.
        """
        state, deeds = advance(Finalizing(PENDING), NotReady(), BOTH)
        self.assertEqual(deeds, (Look(URL, frozenset({"pending"})),))
        state, deeds = advance(state, READY, BOTH)
        self.assertEqual(deeds, (AskForCertificate(f"{URL}/finalize"),))
        state, deeds = advance(state, VALID, BOTH)
        self.assertIsInstance(state, Issued)


class FailureTests(SynchronousTestCase):
    def failure(self, state: Any) -> Exception:
        assert isinstance(state, Failed)
        return state.why

    def test_oneNameRefused(self) -> None:
        """
        All names are waited for, so that each that is refused is told with its
        reason.
        """
        refusal = Problem("urn:ietf:params:acme:error:dns", "no such name")
        state, _ = advance(Presenting(PENDING, (proof(A), proof(B))), Presented(), BOTH)
        state, deeds = advance(state, authorization(A, "invalid", problem=refusal), BOTH)
        self.assertEqual(deeds, ())
        state, deeds = advance(state, authorization(B, "valid"), BOTH)
        self.assertEqual(deeds, ())
        why = self.failure(state)
        assert isinstance(why, AuthorityProblem)
        self.assertEqual(why.byName, {"a.example": refusal})
        self.assertIn("a.example: no such name (dns)", str(why))
        self.assertNotIn("; b.example", str(why))

    def test_deadAuthorization(self) -> None:
        """
        An order whose authorization is spoilt from the beginning proves
        nothing.
        """
        for status in ("invalid", "expired", "revoked", "deactivated"):
            state, _ = begin(PENDING)
            state, _ = advance(state, authorization(A, status), BOTH)
            state, deeds = advance(state, authorization(B), BOTH)
            self.assertEqual(deeds, ())
            self.assertIn("a.example", str(self.failure(state)))

    def test_nothingUsable(self) -> None:
        """
        When a name cannot be proved here, no name is presented at all.
        """
        state, _ = begin(PENDING)
        state, _ = advance(state, authorization(A), BOTH)
        state, deeds = advance(state, authorization(B, "pending", "dns-01", "smoke-signal-01"), BOTH)
        self.assertEqual(deeds, ())
        why = self.failure(state)
        assert isinstance(why, NoChallengeUsable)
        self.assertEqual(why.name, "b.example")
        self.assertIn("offers dns-01, smoke-signal-01, and what can be answered here is http-01", str(why))

    def test_invalidOrder(self) -> None:
        """
        An order that became invalid gives its reason.
        """
        gone = replace(PENDING, status="invalid", problem=Problem("urn:ietf:params:acme:error:caa", "no"))
        for state in (Finalizing(PENDING), Processing(PROCESSING)):
            why = self.failure(advance(state, gone, BOTH)[0])
            assert isinstance(why, AuthorityProblem)
            self.assertEqual(why.problem.word, "caa")

    def test_fallenBack(self) -> None:
        """
        An order that is pending again after all was authorized ends there.
        """
        self.assertIn("fell back", str(self.failure(advance(Processing(PROCESSING), PENDING, BOTH)[0])))

    def test_newsOutOfPlace(self) -> None:
        """
        News that cannot be is a bug, and said to be.
        """
        self.assertRaises(RuntimeError, advance, Opened(PENDING, frozenset({A})), Presented(), BOTH)
        self.assertRaises(RuntimeError, advance, Issued(VALID, ""), PENDING, BOTH)


news = some.sampled_from(
    [
        Presented(), NotReady(), PENDING, READY, PROCESSING, VALID,
        *(authorization(url, status, kind) for url in (A, B) for status in ("pending", "valid", "invalid")
          for kind in ("http-01", "dns-01")),
    ]
)  # fmt: skip


class PromiseTests(SynchronousTestCase):
    @examples(300)
    @given(some.lists(news, max_size=14))
    def test_presentedBeforeTold(self, said: list[News]) -> None:
        """
        Whatever happens in whatever order, the authority is told of no proof
        before all of them were presented; and nothing but the stated bug is
        raised.
        """
        state, deeds = begin(PENDING)
        presented = False
        done: list[Deed] = list(deeds)
        for each in said:
            try:
                state, deeds = advance(state, each, BOTH)
            except RuntimeError:
                continue
            presented = presented or isinstance(each, Presented)
            if any(isinstance(deed, Prove) for deed in deeds):
                self.assertTrue(presented)
                self.assertTrue(any(isinstance(deed, Present) for deed in done))
            done += deeds
