"""
One certificate, from the order to its installation: does what the states of
L{smartproxy_tw.acme.order} ask for, and brings back the news.

Of the four links of the start's promise two are kept here, each by its own
line: the authority is told only what the data path has taken up
(C{presented}), and an answer is withdrawn only when the data path serves the
certificate (C{installed}), or when nothing will come of the order any more,
cancellation included.

What the next process would need is written to the journal before the authority
can act on it (L{smartproxy_tw.acme.journal}).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..facts import Credential, Evidence
from .challenges import answer
from .entry import Answer
from .errors import (
    AuthorityNonsense,
    AuthorityNotTrusted,
    AuthorityProblem,
    AuthorityUndecided,
    AuthorityUnreachable,
    ChallengeNotServed,
)
from .jose import keyAuthorization
from .objects import AuthorizationFacts, OrderFacts
from .order import (
    AskForCertificate,
    Deed,
    Failed,
    Fetch,
    Finalizing,
    Issued,
    Look,
    News,
    NotReady,
    Present,
    Presented,
    Proof,
    Prove,
    ReadAuthorization,
    State,
    advance,
    begin,
)
from .schedule import lookAfter
from .together import together
from .x509 import certificateRequest, checkCredential

if TYPE_CHECKING:
    from ..interfaces import IPresenter
    from .choices import Choices
    from .client import Client
    from .journal import Journal

__all__ = ["Install", "Issuance", "Observe"]

#: Makes the data path serve a certificate.
Install = Callable[[Credential], Awaitable[Any]]

#: Told of each milestone by its name and some facts, for people.
Observe = Callable[..., object]

#: So long the authority may take for one decision, in seconds.
_PATIENCE = 180.0

#: So long an authority may be away in the midst of an order until the order is
#: given up, in seconds.
_OUTAGE = 60.0

#: An order that needs more steps than this goes round in circles; an ordinary
#: one needs seven.
_MOST_STEPS = 24

Facts = TypeVar("Facts", OrderFacts, AuthorizationFacts)
T = TypeVar("T")


class Issuance:
    """
    One order.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        client: Client,
        plane: IPresenter,
        names: tuple[str, ...],
        choices: Choices,
        observe: Observe,
        *,
        key: bytes,
        journal: Journal,
        presented: list[Evidence],
    ) -> None:
        """
        @param reactor: Tells the time.
        @param client: Our account at the authority.
        @param plane: What presents the answers.
        @param names: What the certificate is to be for.
        @param choices: Tells which way to prove a name is tried, and learns from
            what becomes of it.
        @param observe: Told of each milestone.
        @param key: The private key that it is to be for, as PEM.
        @param journal: Has an entry for the names.
        @param presented: What is served for this order already; withdrawn with
            the rest.
        """
        self._reactor = reactor
        self._client = client
        self._plane = plane
        self._names = names
        self._choices = choices
        self._observe = observe
        self._key = key
        self._journal = journal
        self._presented = presented
        self._notReady = 0

    async def run(self, order: OrderFacts, install: Install) -> Credential:
        """
        Go through with an order.

        @param order: As placed.
        @param install: Awaited before the answers are withdrawn.
        @return: The certificate, which is installed.
        @raise IssuanceFailed: There is none.
        """
        try:
            url = await self._follow(order)
            chain = await self._patiently(lambda: self._client.download(url))
            credential = Credential(chain, self._key)
            try:
                facts = checkCredential(credential, self._names)
            except ValueError as why:
                raise AuthorityNonsense(url, str(why).rstrip(".")) from why
            self._observe("issued", names=self._names, notAfter=facts.notAfter, issuer=facts.issuer)
            await install(credential)
            return credential
        finally:
            await self._withdrawAll()

    async def _follow(self, order: OrderFacts) -> str:
        state, deeds = begin(order)
        for _ in range(_MOST_STEPS):
            if isinstance(state, Failed):
                raise state.why
            if isinstance(state, Issued):
                return state.certificate
            state, deeds = await self._step(state, deeds)
        raise AuthorityNonsense(order.url, "the order goes round in circles")

    async def _step(self, state: State, deeds: tuple[Deed, ...]) -> tuple[State, tuple[Deed, ...]]:
        wanted: tuple[Deed, ...] = ()
        for news in await together([self._do(deed, state.order) for deed in deeds]):
            wasFinalizing = isinstance(state, Finalizing)
            if isinstance(news, AuthorizationFacts):
                self._choices.settled(news)
            state, more = advance(state, news, self._choices)
            wanted += more
            if isinstance(state, Finalizing) and not wasFinalizing:
                self._observe("authorized", names=self._names)
        return state, wanted

    async def _do(self, deed: Deed, order: OrderFacts) -> News:
        match deed:
            case ReadAuthorization(url):
                return await self._patiently(lambda: self._client.readAuthorization(url))
            case Present(proofs):
                answers = tuple(self._answer(proof) for proof in proofs)
                # Both before the authority is told, so they need not wait for one another.
                noting = self._journal.answering(self._names, answers)
                await together([self._present(each) for each in answers])
                await noting
                self._observe("presented", names=tuple(proof.name for proof in proofs))
                return Presented()
            case Prove(proof):
                return await self._prove(proof)
            case AskForCertificate(url):
                return await self._finalize(order.url, url)
            case Look(url, unless):
                return await self._settled(
                    "the order",
                    lambda: self._client.readOrder(url),
                    lambda facts: facts.status not in unless,
                )
            case Fetch():
                raise RuntimeError("an order that is issued asks for nothing more")

    def _answer(self, proof: Proof) -> Answer:
        authorization = keyAuthorization(proof.token, self._client.key.thumbprint)
        return Answer(proof.kind, proof.name, proof.token, authorization)

    async def _present(self, wanted: Answer) -> None:
        challenge = answer(wanted.kind, wanted.name, wanted.token, wanted.keyAuthorization)
        # Noted first: one that may be half presented is to be withdrawn too.
        self._presented.append(challenge)
        try:
            await self._plane.present(challenge)
        except CancelledError:
            raise
        except Exception as why:
            self._choices.unserved(wanted.name, wanted.kind)
            raise ChallengeNotServed(wanted.name, str(why).rstrip(".") or type(why).__name__) from why
        self._log.debug(
            "Presented {kind} for {name}", event="challenge-presented", kind=wanted.kind, name=wanted.name
        )

    async def _prove(self, proof: Proof) -> AuthorizationFacts:
        refusal: AuthorityProblem | None = None
        if not proof.isTold:
            try:
                await self._patiently(lambda: self._client.respond(proof.url, proof.name))
            except AuthorityProblem as why:
                # It may have been told already, by a request whose answer was lost.
                refusal = why

        def isSettled(facts: AuthorizationFacts) -> bool:
            if facts.status != "pending":
                return True
            if refusal is not None and not any(
                offer.url == proof.url and offer.status != "pending" for offer in facts.offers
            ):
                raise refusal
            return False

        return await self._settled(
            proof.name, lambda: self._client.readAuthorization(proof.authorization), isSettled
        )

    async def _finalize(self, own: str, url: str) -> News:
        request = certificateRequest(self._names, self._key)

        async def ask() -> OrderFacts:
            try:
                return await self._client.finalize(own, url, request)
            except AuthorityNotTrusted:
                raise
            except AuthorityUnreachable:
                # It may have been heard; the order itself tells.
                order = await self._client.readOrder(own)
                if order.status in ("pending", "ready"):
                    raise
                return order

        try:
            return await self._patiently(ask)
        except AuthorityProblem as why:
            if why.problem.word != "orderNotReady":
                raise
            self._notReady += 1
            await self._sleep(lookAfter(self._notReady, why.retryAfter))
            return NotReady()

    async def _settled(
        self, what: str, read: Callable[[], Awaitable[Facts]], isSettled: Callable[[Facts], bool]
    ) -> Facts:
        """
        Look again and again until something is decided.
        """
        began, looks = self._reactor.seconds(), 0
        while True:
            facts = await self._patiently(read)
            if isSettled(facts):
                return facts
            looks += 1
            if self._reactor.seconds() - began >= _PATIENCE:
                waited = self._reactor.seconds() - began
                raise AuthorityUndecided(what, waited, retryAfter=facts.retryAfter)
            await self._sleep(lookAfter(looks, facts.retryAfter))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """
        Ask until an answer comes, for what may be asked twice: an authority
        that is away for a moment costs no order.
        """
        began, failures = self._reactor.seconds(), 0
        while True:
            try:
                return await ask()
            except AuthorityNotTrusted:
                raise
            except AuthorityUnreachable as why:
                failures += 1
                wait = max(lookAfter(failures * 3, None), why.retryAfter or 0.0)
                if self._reactor.seconds() + wait - began >= _OUTAGE:
                    raise
                await self._sleep(wait)

    async def _sleep(self, seconds: float) -> None:
        await deferLater(self._reactor, seconds)

    async def _withdrawAll(self) -> None:
        presented, self._presented = self._presented, []
        await DeferredList([Deferred.fromCoroutine(self._withdraw(each)) for each in presented])

    async def _withdraw(self, challenge: Evidence) -> None:
        try:
            await self._plane.withdraw(challenge)
        except Exception:
            # Nothing is lost by one that is answered a while longer.
            self._log.failure("Could not withdraw the answer for {name}", name=challenge.name)
