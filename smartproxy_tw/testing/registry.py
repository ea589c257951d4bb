"""
What an authority does about each request (RFC 8555 section 7): path and signed
request in, L{Reply} out, at once; what takes time goes on behind.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from ipaddress import ip_address
from random import Random
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from ..acme.clocks import wallClock
from ..acme.jose import keyAuthorization
from ..acme.x509 import Signer, readRequest, requestedKey
from .accounts import Accounts
from .archive import Archive, Issued
from .background import Background
from .faults import Reply
from .ledger import AccountEntry, Authorization, Challenge, Order, problemDocument
from .limits import Limits
from .profiles import Profile, select
from .signed import AccountPublicKey, Refused, SignedRequest, decoded, members, mustRead

if TYPE_CHECKING:
    from .validation import Validator

__all__ = ["Registry", "Reply"]

#: So long orders and authorizations are good for, in seconds.
_GOOD_FOR = 86400.0

_NAME = re.compile(
    r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII
)

#: No order takes more names than this, whatever an authority is told to take.
_MOST_NAMES = 1000


class Registry:
    """
    Everything that an authority knows.

    @ivar base: What every URL begins with; to be set before the first answer.
    @ivar mostNames: So many an order may have.
    """

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
        externalKeys: Mapping[str, bytes] | None = None,
        limits: Limits | None = None,
        profiles: Mapping[str, Profile] | None = None,
        mostNames: int = 100,
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
        self._accounts = Accounts(externalKeys)
        self._archive = Archive(self._holds)
        self._objects: dict[str, Order | Authorization | tuple[Authorization, Challenge]] = {}
        self._behind = Background(reactor)
        self._limits = limits or Limits()
        self._profiles = profiles or {}
        self.mostNames = mostNames
        self.base = ""
        self.orderCount = 0
        self.validationCount = 0
        self.invalidCount = 0
        self.issuedCount = 0

    @property
    def accountCount(self) -> int:
        """
        How many accounts were registered.
        """
        return self._accounts.count

    @property
    def archive(self) -> Archive:
        """
        The certificates that were signed.
        """
        return self._archive

    @staticmethod
    def refusal(why: Refused) -> Reply:
        """
        Say why not.
        """
        return Reply(why.status, problemDocument(why), dict(why.fields))

    def keyOf(self, url: str) -> AccountPublicKey | None:
        """
        The key of an account.
        """
        return self._accounts.keyOf(url)

    def resume(self) -> None:
        """
        Go on with what was going on behind when it was stopped.
        """
        self._behind.resume()

    def stop(self) -> Deferred[None]:
        """
        Let go of whatever goes on behind, until L{resume}; fires when it has
        ended.
        """
        return self._behind.stop()

    def answer(self, path: str, request: SignedRequest) -> Reply:
        """
        Do what is asked.

        @param path: Where it was sent.
        @param request: What it says.
        @raise Refused: It is not to be done.
        """
        if path == "/account":
            return Reply(*self._accounts.register(self.base, request))
        if path == "/revoke":
            signer = None if request.account is None else self._accounts.at(request.account)
            self._archive.revoke(request, signer)
            return Reply(200, None)
        if request.account is None:
            raise Refused(400, "malformed", "to be signed as an account, with kid")
        account = self._accounts.at(request.account)
        if path == "/key":
            return Reply(*self._accounts.changeKey(account, request.payload, self.base + path))
        if path == "/order":
            return self._newOrder(account, request.payload)
        url = self.base + path
        if url == account.url:
            return Reply(200, self._accounts.update(account, request.payload))
        if url == f"{account.url}/orders":
            mustRead(request.payload)
            return Reply(200, {"orders": self._ordersOf(account)})
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
        if isinstance(found, Order):
            mustRead(payload)
            return self._order(found)
        if isinstance(payload, dict) and payload.get("status") == "deactivated":
            found.deactivate()
        else:
            mustRead(payload)
        return self._undecided(found.status == "pending", Reply(200, found.shown()))

    def _ordersOf(self, account: AccountEntry) -> list[str]:
        # RFC 8555 section 7.1.2.1: orders that are invalid are better left out.
        found = (self._objects[each] for each in account.orders)
        return [each.url for each in found if isinstance(each, Order) and each.status != "invalid"]

    def _holds(self, account: AccountEntry, names: tuple[str, ...]) -> bool:
        proved = {
            ("*." if each.isWildcard else "") + each.identifier[1]
            for each in self._objects.values()
            if isinstance(each, Authorization) and each.account is account and each.isGood(self._now)
        }
        return proved.issuperset(names)

    @property
    def _now(self) -> float:
        now: float = wallClock(self._reactor).seconds()
        return now

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

    def _newOrder(self, account: AccountEntry, payload: Any) -> Reply:
        said = members(payload)
        identifiers = _identifiers(said)
        replaced = self._replaced(account, identifiers, said.get("replaces"))
        profile = select(self._profiles, said.get("profile"), identifiers)
        self._mustBeFew(identifiers, profile)
        self._limits.admit(account.url, (value for _, value in identifiers), self._now)
        self.orderCount += 1
        url = f"{self.base}/order/{self.orderCount}"
        authorizations = [self._authorization(account, url, each) for each in identifiers]
        order = Order(url, account, identifiers, authorizations, self._now + _GOOD_FOR, profile=profile)
        if replaced is not None:
            order.replaces, replaced.replacement = replaced.identifier, order
        self._objects[url] = order
        account.orders.append(url)
        return Reply(201, order.shown(), {"Location": url})

    def _mustBeFew(self, identifiers: tuple[tuple[str, str], ...], profile: str | None) -> None:
        most = self.mostNames
        if profile is not None:
            most = min(most, self._profiles[profile].mostNames)
        if len(identifiers) > most:
            raise Refused(400, "malformed", f"Order cannot contain more than {most} identifiers")
        names = {value for _, value in identifiers}
        for name in names:
            if not name.startswith("*.") and "*." + name.partition(".")[2] in names:
                raise Refused(
                    400,
                    "malformed",
                    f"Domain name {name!r} is redundant with a wildcard domain in the same request",
                )

    def _replaced(
        self, account: AccountEntry, identifiers: tuple[tuple[str, str], ...], said: object
    ) -> Issued | None:
        if said is None:
            return None
        return self._archive.replaceable(account, {value for _, value in identifiers}, said)

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
        authorization = Authorization(url, account, (kind, value), isWildcard, [], self._now + _GOOD_FOR)
        self._objects[url] = authorization
        for way in (
            ("dns-01",)
            if isWildcard
            else ("http-01", "tls-alpn-01", "dns-01")
            if kind == "dns"
            else ("http-01", "tls-alpn-01")
        ):
            token = urlsafe_b64encode(self._chance.randbytes(32)).rstrip(b"=").decode("ascii")
            challenge = Challenge(f"{url}/{way}", way, token)
            authorization.challenges.append(challenge)
            self._objects[challenge.url] = authorization, challenge
        return authorization

    def _challenge(self, authorization: Authorization, challenge: Challenge, payload: Any) -> Reply:
        if payload is not None:
            members(payload)
            if authorization.status != "pending":
                raise Refused(400, "malformed", f"the authorization is {authorization.status} already")
            if challenge.status == "pending":
                challenge.status = "processing"
                self._behind.later(self._validationDelay, lambda: self._validate(authorization, challenge))
        return Reply(200, challenge.shown(), {"Link": f'<{authorization.url}>;rel="up"'})

    async def _validate(self, authorization: Authorization, challenge: Challenge) -> None:
        if authorization.status != "pending":
            return
        name = authorization.identifier[1]
        proof = keyAuthorization(challenge.token, authorization.account.thumbprint)
        self.validationCount += 1
        try:
            await self._validator.look(challenge.kind, name, challenge.token, proof)
        except Refused as why:
            self.invalidCount += 1
            self._limits.failed(authorization.account.url, name, self._now)
            challenge.problem = Refused(
                why.status,
                why.word,
                why.detail,
                identifier={"type": authorization.identifier[0], "value": name},
            )
            challenge.status = authorization.status = "invalid"
        else:
            challenge.validated = self._now
            challenge.status = authorization.status = "valid"

    def _order(self, order: Order) -> Reply:
        isUndecided = order.status in ("pending", "processing")
        return self._undecided(isUndecided, Reply(200, order.shown(), {"Location": order.url}))

    def _finalize(self, order: Order, payload: Any) -> Reply:
        if order.status != "ready":
            raise Refused(403, "orderNotReady", f"the order is {order.status}")
        csr = members(payload).get("csr")
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
            self._behind.later(self._issueDelay, lambda: self._sign(order, request, names))
        else:
            self._issue(order, request, names)
        return self._order(order)

    async def _sign(self, order: Order, request: bytes, names: tuple[str, ...]) -> None:
        self._issue(order, request, names)

    def _issue(self, order: Order, request: bytes, names: tuple[str, ...]) -> None:
        lifetime = self._lifetime if order.profile is None else self._profiles[order.profile].lifetime
        order.chain = self._signer.sign(request, names, lifetime=lifetime, now=self._now)
        self._archive.keep(order.account, order.chain)
        self.issuedCount += 1

    def _certificate(self, order: Order, payload: Any) -> Reply:
        mustRead(payload)
        if order.chain is None:
            raise Refused(404, "malformed", "there is no certificate yet")
        return Reply(200, order.chain, {"Content-Type": "application/pem-certificate-chain"})

    def _undecided(self, isUndecided: bool, reply: Reply) -> Reply:
        if isUndecided and self._retryAfter is not None:
            reply.fields["Retry-After"] = str(self._retryAfter)
        return reply


def _identifiers(said: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    identifiers = said.get("identifiers")
    if not isinstance(identifiers, list) or not 1 <= len(identifiers) <= _MOST_NAMES:
        raise Refused(400, "malformed", f"an order needs 1 to {_MOST_NAMES} identifiers")
    found: dict[tuple[str, str], None] = {}
    for each in identifiers:
        said = members(each)
        kind, value = said.get("type"), said.get("value")
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
