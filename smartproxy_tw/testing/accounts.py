"""
Who may ask an authority for something: accounts and their keys (RFC 8555
section 7.3).  Pure; answers are what L{smartproxy_tw.testing.registry.Reply} is
made of: status, body and fields of the head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .ledger import AccountEntry
from .signed import AccountPublicKey, Refused, SignedRequest, members, readBinding, readInner

__all__ = ["Accounts"]

_Answer = tuple[int, dict[str, Any], dict[str, str]]


class Accounts:
    """
    All of them.

    @ivar count: How many were registered.
    """

    def __init__(self, external: Mapping[str, bytes] | None = None) -> None:
        """
        @param external: MAC keys by their identifiers, one of which every
            account has to be bound to; L{None} when anybody may come.
        """
        self._external = external
        self._accounts: dict[str, AccountEntry] = {}
        self.count = 0

    def at(self, url: str) -> AccountEntry:
        """
        One that is known.

        @raise KeyError: It is not.
        """
        return self._accounts[url]

    def keyOf(self, url: str) -> AccountPublicKey | None:
        """
        What an account signs with.

        @raise Refused: It is deactivated.
        """
        account = self._accounts.get(url)
        if account is None:
            return None
        if not account.isActive:
            raise Refused(401, "unauthorized", "the account is deactivated")
        return account.key

    def register(self, base: str, request: SignedRequest) -> _Answer:
        """
        Open an account, or find the one that a key has.

        @param base: What every URL begins with.
        @raise Refused: There is something wrong with it.
        """
        if request.account is not None:
            raise Refused(400, "malformed", "to be signed with its key, as jwk")
        said = members(request.payload)
        thumbprint = request.key.thumbprint()
        known = self._with(thumbprint)
        if known is not None:
            if not known.isActive:
                raise Refused(401, "unauthorized", "the account is deactivated")
            return 200, known.shown(), {"Location": known.url}
        if said.get("onlyReturnExisting") is True:
            raise Refused(400, "accountDoesNotExist", "no account has this key")
        if said.get("termsOfServiceAgreed") is not True:
            raise Refused(403, "userActionRequired", "the terms of service must be agreed to")
        contact = _contact(said)
        binding = said.get("externalAccountBinding")
        if self._external is not None:
            if binding is None:
                raise Refused(403, "externalAccountRequired", "an external account has to be bound")
            readBinding(binding, f"{base}/account", self._external, request.key)
        self.count += 1
        account = AccountEntry(
            f"{base}/account/{self.count}", request.key, thumbprint, contact, binding=binding
        )
        self._accounts[account.url] = account
        return 201, account.shown(), {"Location": account.url}

    def update(self, account: AccountEntry, payload: Any) -> dict[str, Any]:
        """
        Show an account, with what is to be changed changed (RFC 8555 sections
        7.3.2 and 7.3.6).

        @raise Refused: That cannot be.
        """
        if payload is not None:
            said = members(payload)
            if "contact" in said:
                account.contact = _contact(said)
            if said.get("status") == "deactivated":
                account.isActive = False
        return account.shown()

    def changeKey(self, account: AccountEntry, payload: Any, url: str) -> _Answer:
        """
        Give an account another key (RFC 8555 section 7.3.5).

        @param payload: Signed with the new key.
        @param url: That the request was sent to.
        @raise Refused: It does not fit the account, or another has the key;
            then with the URL of that one.
        """
        inner = readInner(payload, url)
        if inner.payload.get("account") != account.url:
            raise Refused(400, "malformed", "the inner message is about another account")
        if inner.payload.get("oldKey") != _public(account.key):
            raise Refused(400, "malformed", "oldKey is not the key of the account")
        thumbprint = inner.key.thumbprint()
        other = self._with(thumbprint)
        if other is not None:
            why = Refused(409, "malformed", "an account has this key already")
            why.fields["Location"] = other.url
            raise why
        account.key, account.thumbprint = inner.key, thumbprint
        return 200, account.shown(), {}

    def _with(self, thumbprint: str) -> AccountEntry | None:
        found = (each for each in self._accounts.values() if each.thumbprint == thumbprint)
        return next(found, None)


def _public(key: AccountPublicKey) -> dict[str, Any]:
    shown = key.as_dict(private=False)
    wanted = ("kty", "crv", "x", "y") if shown["kty"] == "EC" else ("kty", "n", "e")
    return {each: shown[each] for each in wanted}


def _contact(said: dict[str, Any]) -> list[str]:
    contact = said.get("contact", [])
    if not isinstance(contact, list):
        raise Refused(400, "invalidContact", "contact is not a list")
    for each in contact:
        if not isinstance(each, str) or not each.startswith("mailto:"):
            raise Refused(400, "unsupportedContact", "only mailto: is supported")
        if "@" not in each:
            raise Refused(400, "invalidContact", f"{each} is no address")
    return contact
