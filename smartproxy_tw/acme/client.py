"""
The verbs of RFC 8555 towards one authority, for one account: each is one
signed request (more where a nonce was refused) and gives a value of
L{smartproxy_tw.acme.objects}, or one of L{smartproxy_tw.acme.errors}.

What to ask next, and when, is not decided here.  Import this module with the
first request, not before: it costs time.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections import deque
from typing import TYPE_CHECKING, Any

from .clocks import wallClock
from .errors import (
    ERRORS,
    AuthorityNonsense,
    AuthorityProblem,
    AuthorityUnreachable,
    ExternalAccountUnusable,
    IssuanceFailed,
)
from .exchange import Answer, Exchange
from .jose import AccountKey, RequestKey, externalBinding
from .objects import (
    AuthorizationFacts,
    DirectoryFacts,
    OrderFacts,
    RenewalFacts,
    readAuthorization,
    readDirectory,
    readOrder,
    readProblem,
    readRenewal,
    readRetryAfter,
)
from .profiles import isAddress
from .shared import Shared
from .x509 import leafDER, renewalID

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from .external import ExternalKey

__all__ = ["Client", "userAgent"]

#: So often one request is repeated with the nonce that came with its refusal.
#: Even of an authority that refuses every second one, one in 65,000 is lost.
_NONCE_TRIES = 16

#: Unused nonces that are kept; the newest are used first, the oldest dropped.
_NONCES_KEPT = 16

#: A directory is asked for again when it is older than this, in seconds.
_DIRECTORY_AGE = 3600.0

#: So many pages of the list of orders are read.
_ORDER_PAGES = 4

_NEXT_PAGE = re.compile(r'<([^<>]*)>\s*;[^,]*\brel="?next"?')
_NONCE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_BAD_NONCE = "badNonce"


def userAgent() -> str:
    """
    How we introduce ourselves.
    """
    from .. import __version__

    return f"smartproxy_tw/{__version__}"


class Client:
    """
    An account at an authority.

    @ivar directoryURL: Where it begins.
    @ivar key: The account's.
    @ivar account: The account's URL, or L{None} until L{register} found it or
        somebody set it who knows it.
    """

    def __init__(
        self,
        reactor: Any,
        directoryURL: str,
        key: AccountKey,
        *,
        account: str | None = None,
        caFile: str | None = None,
        timeout: float = 30.0,
        exchange: Exchange | None = None,
    ) -> None:
        """
        @param reactor: Makes connections and tells the time.
        @param directoryURL: As L{smartproxy_tw.config.model.Acme} has it.
        @param key: The account's.
        @param account: Its URL, if known.
        @param caFile: Path of a PEM bundle to trust in place of the system's.
        @param timeout: Seconds for one request.
        @param exchange: The way to the authority, where it is shared with
            others; by default one of our own.
        """
        self._reactor = reactor
        self.directoryURL = directoryURL
        self.key = key
        self.account = account
        self._exchange = exchange or Exchange(reactor, caFile=caFile, userAgent=userAgent(), timeout=timeout)
        self._nonces: deque[str] = deque(maxlen=_NONCES_KEPT)
        self._directory: DirectoryFacts | None = None
        self._directoryRead = 0.0
        self._reading: Shared[DirectoryFacts] = Shared(self._readDirectory)

    def close(self) -> Deferred[None]:
        """
        Close the kept connections; fires when they are closed.
        """
        return self._exchange.close()

    async def directory(self) -> DirectoryFacts:
        """
        Where to ask for what; asked for once an hour at most.
        """
        isOld = self._reactor.seconds() - self._directoryRead > _DIRECTORY_AGE
        if self._directory is None or isOld:
            return await self.refresh()
        return self._directory

    async def refresh(self) -> DirectoryFacts:
        """
        Read the directory now, whatever is known of it: one request that costs
        the authority nothing, and tells whether it is there.
        """
        return await self._reading.join()

    async def register(self, email: str | None, external: ExternalKey | None = None) -> str:
        """
        Make the account, or find it where the key has one already.  Agrees to
        the terms of service.

        @param email: Where the authority may write to, or L{None}.
        @param external: What it is to be bound to; sent to whoever it is
            configured for, whether they say that they demand it or not.
        @raise ExternalAccountUnusable: They demand it, and there is none.
        @return: The account's URL, which L{account} is from now on.
        """
        payload: dict[str, Any] = {"termsOfServiceAgreed": True}
        if email:
            payload["contact"] = [f"mailto:{email}"]
        directory = await self.directory()
        url = directory.newAccount
        if external is not None:
            payload["externalAccountBinding"] = externalBinding(
                url, external.identifier, external.key, self.key
            )
        elif directory.externalAccountRequired:
            raise ExternalAccountUnusable(
                self.directoryURL, "this authority demands an external account, and none is configured"
            )
        try:
            answer = await self._post("registering an account", url, payload, asKey=self.key)
        except AuthorityProblem as why:
            if why.problem.word != "externalAccountRequired":
                raise
            raise ExternalAccountUnusable(self.directoryURL, f"it answers: {why.problem}") from why
        self.account = _location(url, answer)
        return self.account

    async def find(self, key: AccountKey) -> str | None:
        """
        Find the account that a key has (RFC 8555 section 7.3.1).

        @return: Its URL, or L{None} when there is none.
        """
        url = (await self.directory()).newAccount
        said = {"onlyReturnExisting": True}
        try:
            answer = await self._post("looking for an account", url, said, asKey=key)
        except AuthorityProblem as why:
            if why.problem.word == "accountDoesNotExist":
                return None
            raise
        return _location(url, answer)

    async def changeKey(self, newKey: AccountKey) -> None:
        """
        Let the account have another key (RFC 8555 section 7.3.5), which
        L{key} is from now on.  Where no answer came the authority may have
        taken either: keep both until one of them is known to be the account's.

        @param newKey: One that no account has.
        """
        url = self._offered((await self.directory()).keyChange, "keyChange")
        told = {"account": self.account, "oldKey": self.key.jwk}
        inner = json.loads(newKey.sign(url, None, told))
        await self._post("changing the account's key", url, inner)
        self.key = newKey

    async def deactivate(self) -> None:
        """
        Give the account up for good (RFC 8555 section 7.3.6): its key can do
        nothing any more, and L{account} is L{None} from now on.
        """
        assert self.account is not None, "not registered"
        await self._post("deactivating the account", self.account, {"status": "deactivated"})
        self.account = None

    async def revoke(
        self, certificate: bytes, reason: int | None = None, key: RequestKey | None = None
    ) -> None:
        """
        Have a certificate declared invalid, as the account that ordered it
        (RFC 8555 section 7.6).

        @param certificate: PEM, leaf first.
        @param reason: One of RFC 5280 section 5.3.1, for instance 1 for a key
            that others know, 4 for one that was superseded.
        @param key: The certificate's own, to ask in its name in place of the
            account's.
        @raise ValueError: The certificate cannot be read.
        """
        payload: dict[str, Any] = {"certificate": _base64url(leafDER(certificate))}
        if reason is not None:
            payload["reason"] = reason
        url = self._offered((await self.directory()).revokeCert, "revokeCert")
        await self._post("revoking a certificate", url, payload, asKey=key)

    async def renewalInfo(self, certificate: bytes) -> RenewalFacts | None:
        """
        Ask when a certificate is to be renewed (RFC 9773).

        @param certificate: PEM, leaf first.
        @return: L{None} when the authority does not say so of any, or the
            certificate does not name its signer's key.
        @raise ValueError: The certificate cannot be read.
        """
        base, name = (await self.directory()).renewalInfo, renewalID(certificate)
        if base is None or name is None:
            return None
        url = f"{base.rstrip('/')}/{name}"
        answer = await self._exchange.ask("GET", url)
        self._keepNonce(answer)
        if answer.status != 200:
            raise self._refusal("asking when to renew", url, answer)
        return readRenewal(url, _json(url, answer), self._retryAfter(answer))

    async def placeOrder(
        self, names: tuple[str, ...], profile: str | None = None, replaces: bytes | None = None
    ) -> OrderFacts:
        """
        Ask for a certificate.

        @param names: What it is to be for: names, wildcards, IP addresses.
        @param profile: One of the directory's profiles, or L{None} for
            whatever the authority does by default.
        @param replaces: PEM of the certificate that this one follows (RFC 9773
            section 5), leaf first; not told to an authority without renewal
            information, which might refuse it.
        @raise ValueError: The certificate to be replaced cannot be read.
        """
        directory = await self.directory()
        url = directory.newOrder
        wanted = [{"type": "ip" if isAddress(name) else "dns", "value": name} for name in names]
        payload: dict[str, Any] = {"identifiers": wanted}
        if profile is not None:
            payload["profile"] = profile
        before = None if replaces is None or directory.renewalInfo is None else renewalID(replaces)
        if before is not None:
            payload["replaces"] = before
        answer = await self._post(f"ordering {', '.join(names)}", url, payload)
        own = _location(url, answer)
        return self._order(own, answer)

    async def listOrders(self) -> tuple[str, ...]:
        """
        The URLs of the account's orders, as the authority lists them (RFC 8555
        section 7.1.2.1): its newest may be anywhere.

        @return: None at all where the authority keeps no such list.  Of a list
            of many pages only the first few are read.
        """
        assert self.account is not None, "not registered"
        said = _json(self.account, await self._post("looking at the account", self.account))
        page = said.get("orders") if isinstance(said, dict) else None
        found: list[str] = []
        for _ in range(_ORDER_PAGES):
            if not isinstance(page, str) or not page.startswith("https://"):
                break
            answer = await self._post("listing the orders", page)
            said = _json(page, answer)
            listed = said.get("orders") if isinstance(said, dict) else None
            found += [url for url in listed or () if isinstance(url, str) and url.startswith("https://")]
            page = _nextPage(answer.fields.get("link", ""))
        return tuple(found)

    async def readOrder(self, url: str) -> OrderFacts:
        """
        See where an order stands.
        """
        return self._order(url, await self._post("looking at the order", url))

    async def readAuthorization(self, url: str) -> AuthorizationFacts:
        """
        See where an authorization stands.
        """
        answer = await self._post("looking at an authorization", url)
        return readAuthorization(url, _json(url, answer), self._retryAfter(answer))

    async def respond(self, url: str, name: str) -> None:
        """
        Tell the authority that a challenge is answered.

        @param url: Of the challenge.
        @param name: What it proves, for complaints.
        """
        await self._post(f"proving {name}", url, {})

    async def finalize(self, order: str, url: str, request: bytes) -> OrderFacts:
        """
        Send the certificate request.

        @param order: The order's own URL.
        @param url: The order's C{finalize}.
        @param request: PKCS #10 in DER.
        """
        csr = _base64url(request)
        return self._order(order, await self._post("asking for the certificate", url, {"csr": csr}))

    async def download(self, url: str) -> bytes:
        """
        Get the chain.

        @return: As sent: PEM, leaf first; not judged here.
        """
        return (await self._post("downloading the certificate", url)).body

    def _offered(self, url: str | None, member: str) -> str:
        if url is None:
            raise AuthorityNonsense(self.directoryURL, f"the directory has no {member!r}")
        return url

    def _order(self, url: str, answer: Answer) -> OrderFacts:
        return readOrder(url, _json(url, answer), self._retryAfter(answer))

    async def _readDirectory(self) -> DirectoryFacts:
        url = self.directoryURL
        answer = await self._exchange.ask("GET", url)
        self._keepNonce(answer)
        if answer.status != 200:
            raise self._refusal("reading the directory", url, answer)
        self._directory = readDirectory(url, _json(url, answer))
        self._directoryRead = self._reactor.seconds()
        return self._directory

    async def _post(
        self, doing: str, url: str, payload: Any = None, *, asKey: RequestKey | None = None
    ) -> Answer:
        """
        One signed request.

        @param doing: For complaints, to stand after "while".
        @param payload: L{None} for POST-as-GET.
        @param asKey: To be signed as this key and not as the account.
        """
        # As it was asked: while it waits for a nonce another request may find that the
        # account is unknown, and leave the client without one.
        account = None if asKey else self.account
        for _ in range(_NONCE_TRIES):
            nonce = self._nonces.pop() if self._nonces else await self._newNonce()
            signed = (asKey or self.key).sign(url, nonce, payload, account)
            answer = await self._exchange.ask("POST", url, signed)
            self._keepNonce(answer)
            if 200 <= answer.status < 300:
                return answer
            refusal = self._refusal(doing, url, answer)
            if not (isinstance(refusal, AuthorityProblem) and refusal.problem.word == _BAD_NONCE):
                raise refusal
        raise refusal

    async def _newNonce(self) -> str:
        url = (await self.directory()).newNonce
        if self._nonces:  # the directory's answer brought one
            return self._nonces.pop()
        answer = await self._exchange.ask("HEAD", url)
        if answer.status not in (200, 204):
            raise self._refusal("getting a nonce", url, answer)
        self._keepNonce(answer)
        if not self._nonces:
            raise AuthorityNonsense(url, "it has no Replay-Nonce field")
        return self._nonces.pop()

    def _keepNonce(self, answer: Answer) -> None:
        nonce = answer.fields.get("replay-nonce", "")
        if _NONCE.fullmatch(nonce):
            self._nonces.append(nonce)

    def _refusal(self, doing: str, url: str, answer: Answer) -> IssuanceFailed:
        wait = self._retryAfter(answer)
        try:
            said = json.loads(answer.body)
        except (ValueError, RecursionError):
            said = None
        kind = said.get("type") if isinstance(said, dict) else None
        # One of ACME's own is taken for what it is, whatever it is sent as.
        isCalledSo = answer.fields.get("content-type", "").partition(";")[0].strip().lower().endswith("json")
        if isinstance(kind, str) and (isCalledSo or kind.startswith(ERRORS)):
            return AuthorityProblem(doing, readProblem(said, answer.status), retryAfter=wait)
        if answer.status >= 500 or answer.status == 429:
            return AuthorityUnreachable(url, f"it answers with status {answer.status}", retryAfter=wait)
        return AuthorityNonsense(url, f"status {answer.status} without a problem document")

    def _retryAfter(self, answer: Answer) -> float | None:
        return readRetryAfter(answer.fields.get("retry-after"), wallClock(self._reactor).seconds())


def _json(url: str, answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as why:
        raise AuthorityNonsense(url, f"it is no JSON ({why})") from why


def _nextPage(link: str) -> str | None:
    found = _NEXT_PAGE.search(link)
    return None if found is None else found[1]


def _location(url: str, answer: Answer) -> str:
    location = answer.fields.get("location", "")
    if not location.startswith("https://"):
        raise AuthorityNonsense(url, "it has no Location field with an https URL")
    return location


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
