"""
Tests for L{smartproxy_tw.service.revoking}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.acme.errors import AuthorityProblem, AuthorityUnreachable, Problem
from smartproxy_tw.acme.x509 import Signer, describe
from smartproxy_tw.facts import Credential
from smartproxy_tw.service.errors import NotPossible
from smartproxy_tw.service.revoking import Revocation, revoke
from smartproxy_tw.service.ways import Way

NOW = 1_800_000_000.0
SIGNER = Signer.create("Test root", now=NOW - 86400.0)
CREDENTIAL = SIGNER.issue(["a.example"], lifetime=90 * 86400.0, now=NOW)
SERIAL = describe(CREDENTIAL.chain).serial


def problem(word: str) -> AuthorityProblem:
    """
    The authority says so.
    """
    return AuthorityProblem("revoking", Problem(f"urn:ietf:params:acme:error:{word}", "no", 403))


class RevokingTests(SynchronousTestCase):
    """
    L{revoke}.
    """

    def setUp(self) -> None:
        self.story: list[str] = []
        self.answers: list[Exception | Deferred[None] | None] = [None]
        self.full: dict[bool, OSError] = {}
        self.logged: list[str | None] = []

        def see(event: dict[str, Any]) -> None:
            self.logged.append(event.get("event"))

        globalLogPublisher.addObserver(see)
        self.addCleanup(globalLogPublisher.removeObserver, see)

    def ask(
        self, credential: Credential, reason: int | None = None, *, byKey: bool = False
    ) -> Deferred[None]:
        """
        The authority.
        """
        self.assertIs(credential, CREDENTIAL)
        self.story.append(f"asked for reason {reason}{' by key' if byKey else ''}")
        answer = self.answers.pop(0)
        if isinstance(answer, Deferred):
            return answer
        return succeed(None) if answer is None else fail(answer)

    def disown(self, chain: bytes, key: bytes, isRevoked: bool) -> Deferred[None]:
        """
        The disk.
        """
        self.assertEqual((chain, key), (CREDENTIAL.chain, CREDENTIAL.key))
        self.story.append("noted" if isRevoked else "taken back")
        return fail(self.full[isRevoked]) if isRevoked in self.full else succeed(None)

    def revoke(self, reason: str = "superseded", **way: Any) -> Deferred[Revocation]:
        """
        Have it revoked.
        """
        other: Any = None
        made = Way("", other, other, other, **{"revoke": self.ask, "disown": self.disown, **way})
        return Deferred.fromCoroutine(revoke(made, CREDENTIAL, reason))

    def test_revoked(self) -> None:
        """
        It is written down before the authority is asked: a process that dies in between does not
        serve it after all.
        """
        asked = self.answers[0] = Deferred()
        revoking = self.revoke()
        self.assertEqual(self.story, ["noted", "asked for reason 4"])
        self.assertNoResult(revoking)
        asked.callback(None)
        self.assertEqual(self.successResultOf(revoking), Revocation("revoked", SERIAL))
        self.assertEqual(self.story, ["noted", "asked for reason 4"])
        self.assertEqual(self.logged.count("certificate-revoked"), 1)

    def test_byKey(self) -> None:
        """
        That its key is known to others is said by the key itself.
        """
        self.successResultOf(self.revoke("keyCompromise"))
        self.assertEqual(self.story, ["noted", "asked for reason 1 by key"])

    def test_strange(self) -> None:
        """
        Where the account has no right to it, whoever has its key has.
        """
        for word in ("unauthorized", "accountDoesNotExist"):
            self.setUp()
            self.answers = [problem(word), None]
            self.assertEqual(self.successResultOf(self.revoke()).outcome, "revoked")
            self.assertEqual(self.story, ["noted", "asked for reason 4", "asked for reason 4 by key"])

    def test_strangeKey(self) -> None:
        """
        Who was asked by the key has nobody else to be asked by.
        """
        self.answers = [problem("unauthorized")]
        self.failureResultOf(self.revoke("keyCompromise"), AuthorityProblem)
        self.assertEqual(self.story, ["noted", "asked for reason 1 by key", "taken back"])

    def test_already(self) -> None:
        """
        What was revoked before is so, whoever says it.
        """
        for answers in ([problem("alreadyRevoked")], [problem("unauthorized"), problem("alreadyRevoked")]):
            self.setUp()
            self.answers = list(answers)
            self.assertEqual(self.successResultOf(self.revoke()), Revocation("already", SERIAL))
            self.assertNotIn("taken back", self.story)

    def test_refused(self) -> None:
        """
        What is refused, or not heard of, is taken back: it is served on.
        """
        for why in (problem("badRevocationReason"), AuthorityUnreachable("https://ca.example/", "silence")):
            self.setUp()
            self.answers = [why]
            self.assertIs(self.failureResultOf(self.revoke()).value, why)
            self.assertEqual(self.story, ["noted", "asked for reason 4", "taken back"])
            self.assertNotIn("certificate-revoked", self.logged)

    def test_cancelled(self) -> None:
        """
        What was given up while the authority was asked may have been heard, and stays written down.
        """
        self.answers = [Deferred()]
        revoking = self.revoke()
        revoking.cancel()
        self.failureResultOf(revoking, CancelledError)
        self.assertEqual(self.story, ["noted", "asked for reason 4"])

    def test_fullDisk(self) -> None:
        """
        A disk that is full keeps nobody from revoking; what is wrong is told.
        """
        self.full[True] = OSError(28, "No space left on device")
        done = self.successResultOf(self.revoke())
        self.assertEqual(done.outcome, "revoked")
        self.assertIn("That it is revoked could not be written down", done.problem or "")
        self.assertIn("No space left", done.problem or "")
        self.assertIn("revocation-unsaved", self.logged)

    def test_fullDiskBack(self) -> None:
        """
        Where it cannot be taken back why it was refused is told all the same.
        """
        self.full[False] = OSError(28, "No space left on device")
        self.answers = [problem("badRevocationReason")]
        self.failureResultOf(self.revoke(), AuthorityProblem)
        self.assertIn("revocation-unsaved", self.logged)

    def test_nobody(self) -> None:
        """
        Where nobody can be asked nothing is written down.
        """
        self.failureResultOf(self.revoke(revoke=None), NotPossible)
        self.assertEqual(self.story, [])
