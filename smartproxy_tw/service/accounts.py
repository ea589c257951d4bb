"""
The accounts at certificate authorities, for whoever asks by the admin socket: what
there is, a new key for one, and the end of one.

An authority is named by the URL of its directory, or by any part of that which no
other one has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..acme.errors import (
    AccountBusy,
    AccountNotKept,
    AuthorityUndecided,
    AuthorityUnreachable,
    IssuanceFailed,
)
from ..values import dataclass
from .desk import Desk, Question, Refusal, Reply

if TYPE_CHECKING:
    from ..facts import Account
    from ..interfaces import IAccountStore

__all__ = ["AccountInquiries", "Holder"]


@dataclass(frozen=True, slots=True)
class Holder:
    """
    Who has the account at one authority.

    @ivar directory: The URL of its directory.
    @ivar changeKey: Gives the account a new key, as
        L{Issuer.changeKey<smartproxy_tw.acme.issuer.Issuer.changeKey>} does.
    @ivar deactivate: Gives it up for good, as
        L{Issuer.deactivate<smartproxy_tw.acme.issuer.Issuer.deactivate>} does.
    """

    directory: str
    changeKey: Callable[[], Deferred[None]]
    deactivate: Callable[[], Deferred[None]]


class AccountInquiries:
    """
    About the accounts of one proxy.
    """

    _log = Logger()

    def __init__(self, holders: Iterable[Holder], store: IAccountStore) -> None:
        """
        @param holders: The preferred authority's first.
        @param store: Where the accounts rest.
        """
        self._holders = {each.directory: each for each in holders}
        self._store = store

    def begin(self, desk: Desk) -> None:
        """
        Take questions.
        """
        desk.take("GET", "/v1/accounts", self._list)
        desk.take("POST", "/v1/accounts/rollover", self._rollover)
        desk.take("POST", "/v1/accounts/deactivate", self._deactivate)

    def end(self) -> None:
        """
        Nothing is to be ended.
        """

    async def _list(self, question: Question) -> Reply:
        question.only()
        return Reply({}, listing=("accounts", [self._told(each) for each in self._holders]))

    async def _rollover(self, question: Question) -> Reply:
        holder = self._meant(question)
        # There is no point in registering one to change its key.
        self._registered(holder)
        self._note(question, holder, "a new key for the account")
        return await self._done(holder, holder.changeKey)

    async def _deactivate(self, question: Question) -> Reply:
        holder = self._meant(question)
        before = self._registered(holder)
        self._note(question, holder, "the end of the account")
        reply = await self._done(holder, holder.deactivate)
        return Reply({**reply.members, "deactivated": before.url}, reply.status)

    async def _done(self, holder: Holder, deed: Callable[[], Deferred[None]]) -> Reply:
        try:
            await deed()
        except IssuanceFailed as why:
            status, code = _blamed(why)
            raise Refusal(status, code, str(why)) from why
        return Reply(self._told(holder.directory))

    def _meant(self, question: Question) -> Holder:
        question.only("authority")
        asked = question.members.get("authority")
        if asked is None and len(self._holders) == 1:
            return next(iter(self._holders.values()))
        known = ", ".join(self._holders)
        if not isinstance(asked, str) or not asked:
            raise Refusal(400, "bad-question", f"Say at which 'authority': there are {known}.")
        found = [each for url, each in self._holders.items() if asked == url] or [
            each for url, each in self._holders.items() if asked in url
        ]
        if len(found) != 1:
            said = "is no authority of ours" if not found else "may be any of several"
            raise Refusal(404, "unknown-authority", f"{asked!r} {said}: there are {known}.")
        return found[0]

    def _registered(self, holder: Holder) -> Account:
        account = self._load(holder.directory)
        if account is None or account.url is None:
            raise Refusal(
                409,
                "no-account",
                f"There is no account at {holder.directory} yet: the first order makes one.",
            )
        return account

    def _load(self, directory: str) -> Account | None:
        try:
            return self._store.load(directory)
        except (OSError, ValueError) as why:
            raise Refusal(500, "unusable", f"The account at {directory} cannot be read: {why}.") from why

    def _told(self, directory: str) -> Mapping[str, Any]:
        account = self._load(directory)
        return {
            "authority": directory,
            "account": None if account is None else account.url,
            "changing": account is not None and account.nextKey is not None,
        }

    def _note(self, question: Question, holder: Holder, what: str) -> None:
        self._log.warn(
            "{asker} asks for {what} at {authority}",
            event="account-asked",
            asker=question.asker,
            what=what,
            authority=holder.directory,
        )


def _blamed(why: IssuanceFailed) -> tuple[int, str]:
    match why:
        case AccountBusy():
            return 409, "busy"
        case AccountNotKept():
            return 500, "not-kept"
        case AuthorityUnreachable() | AuthorityUndecided():
            return 503, "away"
    return 502, "authority"
