"""
One certificate declared invalid.

That it is revoked is written down I{before} the authority is asked, and taken back
when it refuses: a process that dies in between does not serve it after all.  A disk
that is full is no reason to leave a key that others know in use; then the outcome
says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from ..acme.errors import AuthorityProblem
from ..acme.reasons import REASONS, byOwnKey
from ..values import dataclass
from .errors import NotPossible

if TYPE_CHECKING:
    from ..facts import Credential
    from .ways import Way

__all__ = ["Revocation", "Revoke", "revoke"]

#: What an authority says when the certificate is another account's, or the account is
#: none of its own (any more).
_STRANGE = frozenset({"accountDoesNotExist", "unauthorized"})


class Revoke(Protocol):
    """
    How an authority is asked to revoke a certificate.
    """

    def __call__(
        self, credential: Credential, reason: int | None = None, *, byKey: bool = False
    ) -> Deferred[None]:
        """
        @param credential: The certificate.
        @param reason: One of L{REASONS<smartproxy_tw.acme.reasons.REASONS>}.
        @param byKey: Whether its own key is to ask for it, and not the account.
        @return: Fails with an
            L{IssuanceFailed<smartproxy_tw.acme.errors.IssuanceFailed>}.
        """


@dataclass(frozen=True, slots=True)
class Revocation:
    """
    What came of it.

    @ivar outcome: C{"revoked"}; or C{"already"}, when the authority had done so
        before.
    @ivar serial: Of the certificate.
    @ivar problem: What is wrong all the same, for people; L{None}: nothing.
    """

    outcome: Literal["revoked", "already"]
    serial: int
    problem: str | None = None


_log = Logger()


async def revoke(way: Way, credential: Credential, reason: str) -> Revocation:
    """
    Ask for it, and see that no later process serves the certificate.

    @param way: To who issued it.
    @param reason: One of L{REASONS<smartproxy_tw.acme.reasons.REASONS>}.
    @raise NotPossible: Nobody can be asked.
    @raise IssuanceFailed: It is not revoked, or nobody knows.
    """
    from ..acme.x509 import describe

    ask = way.revoke
    if ask is None:
        raise NotPossible("There is nobody who could be asked to revoke it.")
    facts = describe(credential.chain)
    problem = await _note(way, credential, True)
    try:
        isNews = await _ask(ask, credential, reason)
    except CancelledError:
        # It may have been heard, and the process is about to end.
        raise
    except Exception:
        # One who could not be reached may have heard it: asking again is harmless.
        await _note(way, credential, False)
        raise
    _log.warn(
        "The certificate for {names} with the serial number {serial:x} is revoked: {reason}",
        event="certificate-revoked",
        names=", ".join(facts.names),
        serial=facts.serial,
        reason=reason,
    )
    return Revocation("revoked" if isNews else "already", facts.serial, problem)


async def _ask(ask: Revoke, credential: Credential, reason: str) -> bool:
    """
    @return: Whether it was not revoked before.
    """
    number, byKey = REASONS[reason], byOwnKey(reason)
    try:
        try:
            await ask(credential, number, byKey=byKey)
        except AuthorityProblem as why:
            if byKey or why.problem.word not in _STRANGE:
                raise
            # Imported, or of an account that was given up: whoever has the key may.
            await ask(credential, number, byKey=True)
    except AuthorityProblem as why:
        if why.problem.word != "alreadyRevoked":
            raise
        return False
    return True


async def _note(way: Way, credential: Credential, isRevoked: bool) -> str | None:
    try:
        await way.disown(credential.chain, credential.key, isRevoked)
    except OSError as why:
        problem = (
            f"That it is {'' if isRevoked else 'not '}revoked could not be written down: {why}."
            " A restart before its successor is saved would not know of it"
        )
        _log.error("{problem}", event="revocation-unsaved", problem=problem)
        return problem
    return None
