"""
What an authority does about each request (RFC 8555 section 7): path and signed
request in, L{Reply} out, at once; what takes time goes on behind.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..acme.jose import keyAuthorization
from ..acme.x509 import Signer, readRequest, requestedKey
from .ledger import AccountEntry, Authorization, Challenge, Order, problemDocument
from .signed import AccountPublicKey, Refused, SignedRequest, decoded
from .validation import Validator

__all__ = ["Registry", "Reply"]

#: So long orders and authorizations are good for, in seconds.
_GOOD_FOR = 86400.0

_NAME = re.compile(
    r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII
)

#: RFC 8555 section 7.1.1: an order of more names than this is refused.
_MOST_NAMES = 100


@dataclass(slots=True)
class Reply:
    """
    An answer.

    @ivar body: To be JSON, or bytes as they are, or L{None} for none.
    @ivar fields: Of the head.
    """

    status: int
    body: dict[str, Any] | bytes | None
    fields: dict[str, str] = field(default_factory=dict)


class Registry:
    """
    Everything that an authority knows.

    @ivar base: What every URL begins with; to be set before the first answer.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        validator: Validator,
        signer: Signer,
        *,
        lifetime: float,
        validationDelay: float,
        issueDelay: float,
        retryAfter: int | None,
        reuseAuthorizations: bool,
        chance: Random,
    ) -> None:
        """
        See L{smartproxy_tw.testing.authority.Authority}, whose parameters these
        are.
        """
        self._reactor = reactor
        self._validator = validator
        self._signer = signer
        self._lifetime = lifetime
        self._validationDelay = validationDelay
        self._issueDelay = issueDelay
        self._retryAfter = retryAfter
        self._reuse = reuseAuthorizations
        self._chance = chance
        self._accounts: dict[str, AccountEntry] = {}
        self._objects: dict[str, Order | Authorization | tuple[Authorization, Challenge]] = {}
        self._behind: set[Deferred[None]] = set()
        self._interrupted: list[Callable[[], Any]] = []
        self.base = ""
        self.accountCount = 0
        self.orderCount = 0
        self.validationCount = 0
        self.invalidCount = 0
        self.issuedCount = 0

    @staticmethod
    def refusal(why: Refused) -> Reply:
        """
        Say why not.
        """
        return Reply(why.status, problemDocument(why))

    def keyOf(self, url: str) -> AccountPublicKey | None:
        """
        The key of an account.
        """
        account = self._accounts.get(url)
        if account is None:
            return None
        if not account.isActive:
            raise Refused(401, "unauthorized", "the account is deactivated")
        return account.key

    def resume(self) -> None:
        """
        Go on with what was going on behind when it was stopped.
        """
        interrupted, self._interrupted = self._interrupted, []
        for does in interrupted:
            self._later(0.0, does)

    def stop(self) -> Deferred[None]:
        """
        Let go of whatever goes on behind, until L{resume}; fires when it has
        ended.
        """
        behind = list(self._behind)
        for each in behind:
            each.cancel()
        return DeferredList(behind, consumeErrors=True).addCallback(lambda _: None)

    def answer(self, path: str, request: SignedRequest) -> Reply:
        """
        Do what is asked.

        @param path: Where it was sent.
        @param request: What it says.
        @raise Refused: It is not to be done.
        """
        if path == "/account":
            return self._newAccount(request)
        if request.account is None:
            raise Refused(400, "malformed", "to be signed as an account, with kid")
        account = self._accounts[request.account]
        if path == "/order":
            return self._newOrder(account, request.payload)
        url = self.base + path
        if url == account.url:
            return self._account(account, request.payload)
        if url == f"{account.url}/orders":
            return Reply(200, {"orders": account.orders})
        return self._object(account, url, request.payload)

    def _object(self, account: AccountEntry, url: str, payload: Any) -> Reply:
        for suffix, does in (("/finalize", self._finalize), ("/certificate", self._certificate)):
            if url.endswith(suffix):
                order = self._mine(account, url.removesuffix(suffix))
                if isinstance(order, Order):
                    return does(order, payload)
        found = self._mine(account, url)
        if isinstance(found, tuple):
            return self._challenge(*found, payload)
        _mustRead(payload)
        if isinstance(found, Order):
            return self._order(found)
        return self._undecided(found.status == "pending", Reply(200, found.shown()))

    def _mine(
        self, account: AccountEntry, url: str
    ) -> Order | Authorization | tuple[Authorization, Challenge]:
        found = self._objects.get(url)
        if found is None:
            raise Refused(404, "malformed", "there is nothing here")
        owner = found[0].account if isinstance(found, tuple) else found.account
        if owner is not account:
            raise Refused(403, "unauthorized", "this belongs to another account")
        return found

    def _newAccount(self, request: SignedRequest) -> Reply:
        if request.account is not None:
            raise Refused(400, "malformed", "to be signed with its key, as jwk")
        said = _members(request.payload)
        thumbprint = request.key.thumbprint()
        for known in self._accounts.values():
            if known.thumbprint == thumbprint:
                if not known.isActive:
                    raise Refused(401, "unauthorized", "the account is deactivated")
                return Reply(200, known.shown(), {"Location": known.url})
        if said.get("onlyReturnExisting") is True:
            raise Refused(400, "accountDoesNotExist", "no account has this key")
        if said.get("termsOfServiceAgreed") is not True:
            raise Refused(403, "userActionRequired", "the terms of service must be agreed to")
        contact = _contact(said)
        self.accountCount += 1
        account = AccountEntry(f"{self.base}/account/{self.accountCount}", request.key, thumbprint, contact)
        self._accounts[account.url] = account
        return Reply(201, account.shown(), {"Location": account.url})

    def _account(self, account: AccountEntry, payload: Any) -> Reply:
        if payload is not None:
            said = _members(payload)
            if "contact" in said:
                account.contact = _contact(said)
            if said.get("status") == "deactivated":
                account.isActive = False
        return Reply(200, account.shown())

    def _newOrder(self, account: AccountEntry, payload: Any) -> Reply:
        identifiers = _identifiers(_members(payload))
        self.orderCount += 1
        url = f"{self.base}/order/{self.orderCount}"
        authorizations = [self._authorization(account, url, each) for each in identifiers]
        order = Order(url, account, identifiers, authorizations, self._reactor.seconds() + _GOOD_FOR)
        self._objects[url] = order
        account.orders.append(url)
        return Reply(201, order.shown(), {"Location": url})

    def _authorization(self, account: AccountEntry, order: str, identifier: tuple[str, str]) -> Authorization:
        kind, value = identifier
        isWildcard = value.startswith("*.")
        value = value.removeprefix("*.")
        if self._reuse:
            for each in self._objects.values():
                if (
                    isinstance(each, Authorization)
                    and (each.account, each.identifier) == (account, (kind, value))
                    and each.isWildcard == isWildcard
                    and each.status == "valid"
                ):
                    return each
        url = f"{order}/authorization/{len(self._objects)}"
        authorization = Authorization(
            url, account, (kind, value), isWildcard, [], self._reactor.seconds() + _GOOD_FOR
        )
        self._objects[url] = authorization
        for way in ("dns-01",) if isWildcard else ("http-01", "tls-alpn-01"):
            token = urlsafe_b64encode(self._chance.randbytes(32)).rstrip(b"=").decode("ascii")
            challenge = Challenge(f"{url}/{way}", way, token)
            authorization.challenges.append(challenge)
            self._objects[challenge.url] = authorization, challenge
        return authorization

    def _challenge(self, authorization: Authorization, challenge: Challenge, payload: Any) -> Reply:
        if payload is not None:
            _members(payload)
            if authorization.status != "pending":
                raise Refused(400, "malformed", f"the authorization is {authorization.status} already")
            if challenge.status == "pending":
                challenge.status = "processing"
                self._later(self._validationDelay, lambda: self._validate(authorization, challenge))
        return Reply(200, challenge.shown(), {"Link": f'<{authorization.url}>;rel="up"'})

    async def _validate(self, authorization: Authorization, challenge: Challenge) -> None:
        name = authorization.identifier[1]
        proof = keyAuthorization(challenge.token, authorization.account.thumbprint)
        self.validationCount += 1
        try:
            if challenge.kind == "dns-01":
                raise Refused(400, "dns", "this authority knows no DNS")
            await self._validator.look(challenge.kind, name, challenge.token, proof)
        except Refused as why:
            self.invalidCount += 1
            challenge.problem = Refused(
                why.status,
                why.word,
                why.detail,
                identifier={"type": authorization.identifier[0], "value": name},
            )
            challenge.status = authorization.status = "invalid"
        else:
            challenge.validated = self._reactor.seconds()
            challenge.status = authorization.status = "valid"

    def _order(self, order: Order) -> Reply:
        isUndecided = order.status in ("pending", "processing")
        return self._undecided(isUndecided, Reply(200, order.shown(), {"Location": order.url}))

    def _finalize(self, order: Order, payload: Any) -> Reply:
        if order.status != "ready":
            raise Refused(403, "orderNotReady", f"the order is {order.status}")
        csr = _members(payload).get("csr")
        request = decoded(csr) if isinstance(csr, str) else b""
        try:
            names, key = readRequest(request), requestedKey(request)
        except ValueError as why:
            raise Refused(400, "badCSR", str(why)) from why
        wanted = tuple(sorted({value for _, value in order.identifiers}))
        if names != wanted:
            raise Refused(
                400, "badCSR", f"it asks for {', '.join(names)}, the order is for {', '.join(wanted)}"
            )
        if key == order.account.key.as_pem(private=False):
            raise Refused(400, "badPublicKey", "the account's own key is not for certificates")
        order.isFinalized = True
        if self._issueDelay:
            self._later(self._issueDelay, lambda: self._sign(order, request, names))
        else:
            self._issue(order, request, names)
        return self._order(order)

    async def _sign(self, order: Order, request: bytes, names: tuple[str, ...]) -> None:
        self._issue(order, request, names)

    def _issue(self, order: Order, request: bytes, names: tuple[str, ...]) -> None:
        order.chain = self._signer.sign(request, names, lifetime=self._lifetime, now=self._reactor.seconds())
        self.issuedCount += 1

    def _certificate(self, order: Order, payload: Any) -> Reply:
        _mustRead(payload)
        if order.chain is None:
            raise Refused(404, "malformed", "there is no certificate yet")
        return Reply(200, order.chain, {"Content-Type": "application/pem-certificate-chain"})

    def _undecided(self, isUndecided: bool, reply: Reply) -> Reply:
        if isUndecided and self._retryAfter is not None:
            reply.fields["Retry-After"] = str(self._retryAfter)
        return reply

    def _later(self, delay: float, does: Callable[[], Any]) -> None:
        behind = Deferred.fromCoroutine(self._behindOne(delay, does))
        if not behind.called:
            self._behind.add(behind)
            behind.addBoth(lambda _: self._behind.discard(behind))

    async def _behindOne(self, delay: float, does: Callable[[], Any]) -> None:
        try:
            await deferLater(self._reactor, delay)
            await does()
        except CancelledError:
            self._interrupted.append(does)
        except Exception:
            self._log.failure("A defect of the testing authority")


def _members(payload: Any) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise Refused(400, "malformed", "the payload is not a JSON object")
    return payload


def _mustRead(payload: Any) -> None:
    if payload is not None:
        raise Refused(400, "malformed", "this is only read, by POST with an empty payload")


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


def _identifiers(said: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    identifiers = said.get("identifiers")
    if not isinstance(identifiers, list) or not 1 <= len(identifiers) <= _MOST_NAMES:
        raise Refused(400, "malformed", f"an order needs 1 to {_MOST_NAMES} identifiers")
    found: dict[tuple[str, str], None] = {}
    for each in identifiers:
        members = _members(each)
        kind, value = members.get("type"), members.get("value")
        if kind not in ("dns", "ip"):
            raise Refused(400, "unsupportedIdentifier", f"identifiers of type {kind!r} are not known here")
        if not isinstance(value, str) or not _isGood(kind, value):
            raise Refused(400, "rejectedIdentifier", f"{value!r} is not a name that can be in a certificate")
        found[kind, value] = None
    return tuple(found)


def _isGood(kind: str, value: str) -> bool:
    try:
        isAddress = str(ip_address(value)) == value
    except ValueError:
        return kind == "dns" and _NAME.fullmatch(value) is not None and len(value) <= 253
    return kind == "ip" and isAddress
