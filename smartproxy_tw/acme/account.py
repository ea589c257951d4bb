"""
What is done with an account beside ordering: its key is changed, it is given up, and
certificates are revoked in its name.

A change of the key is safe against a crash at any moment: the new key is kept beside
the old one before the authority hears of it, and both until one of them is known to
be the account's.  Whoever finds two asks the authority which one it is (L{settle}).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from twisted.logger import Logger

from ..facts import Account, Credential
from .errors import AuthorityProblem
from .jose import AccountKey, RequestKey
from .reasons import REASONS
from .x509 import newKey

if TYPE_CHECKING:
    from .client import Client

__all__ = ["REASONS", "Save", "changeKey", "deactivate", "revoke", "settle"]

#: Keeps an account durably before it returns; raises
#: L{AccountNotKept<smartproxy_tw.acme.errors.AccountNotKept>}.
Save = Callable[[Account], None]

_log = Logger()


async def settle(client: Client, account: Account, save: Save) -> Account:
    """
    Find out which of two keys is the account's, after a change of which nobody
    knows how it ended.

    @param client: Of the account; has the right key afterwards.
    @param account: As it was kept.
    @return: As it is kept now, with one key.
    @raise IssuanceFailed: The authority could not be asked; both keys stay.
    """
    if account.nextKey is None:
        return account
    following = AccountKey(account.nextKey)
    found = await client.find(following)
    if found is None:
        settled = replace(account, nextKey=None)
    else:
        settled = Account(account.nextKey, found)
        client.key, client.account = following, found
    save(settled)
    _log.info(
        "The key of the account {account} is the {which} one: an earlier change of it was not finished",
        event="account-key-settled",
        account=settled.url,
        which="old" if found is None else "new",
    )
    return settled


async def changeKey(client: Client, account: Account, save: Save) -> Account:
    """
    Give an account a new key (RFC 8555 section 7.3.5).  Nothing may be under way
    in its name: what answers a challenge is made with the key.

    @param client: Of the account, registered; has the new key afterwards.
    @param account: As it is kept, with one key.
    @return: As it is kept now.
    @raise AuthorityProblem: The authority refuses; the key is the old one.
    @raise IssuanceFailed: The authority cannot be asked, not even which key is the
        account's now; both are kept, see L{settle}.
    """
    changing = replace(account, nextKey=newKey())
    assert changing.nextKey is not None
    save(changing)
    try:
        await client.changeKey(AccountKey(changing.nextKey))
    except AuthorityProblem:
        # Of one who was heard, and whose answer was lost, the old key is refused too.
        settled = await settle(client, changing, save)
        if settled.key == account.key:
            raise
        return settled
    changed = Account(changing.nextKey, account.url)
    save(changed)
    _log.info("The account {account} has a new key", event="account-key-changed", account=changed.url)
    return changed


async def deactivate(client: Client, save: Save) -> Account:
    """
    Give an account up for good (RFC 8555 section 7.3.6).  What is kept in its place
    is a new key without an account: the next order registers anew.

    @param client: Of the account, registered; of no use afterwards.
    """
    given = client.account
    await client.deactivate()
    fresh = Account(newKey())
    save(fresh)
    _log.info("The account {account} is deactivated", event="account-deactivated", account=given)
    return fresh


async def revoke(
    client: Client, credential: Credential, reason: int | None = None, *, byKey: bool = False
) -> None:
    """
    Have a certificate declared invalid (RFC 8555 section 7.6).

    @param client: Of the account that ordered it, registered.
    @param reason: One of L{REASONS}.
    @param byKey: Whether the certificate's own key is to ask for it, and not the
        account: whoever has the key may, whoever ordered it.
    @raise ValueError: The certificate, or its key, cannot be read.
    """
    await client.revoke(credential.chain, reason, RequestKey(credential.key) if byKey else None)
    _log.debug("The authority has revoked a certificate", event="revocation-heard", reason=reason)
