"""
The life of an order (RFC 8555 section 7.1.6), as states that replace one
another: news in, the next state and the deeds it asks for out.

Nothing here waits, asks, or knows the time.  A state holds all that is needed
to go on from it, so an order can be taken up again from any of them; and since
an order that is merely looked at again tells where it stands (L{begin}), no
answer of the authority needs to be had twice.

::

    begin -> Opened -> Presenting -> Authorizing -> Finalizing -> Processing -> Issued
                |           |             |              |             |
                +-----------+-------------+--------------+-------------+-----> Failed

The one promise that the order of these states keeps: the authority is told of
no challenge (L{Prove}) before I{all} of them are presented (L{Presented}).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..values import dataclass
from .challenges import choose
from .errors import AuthorityProblem, IssuanceFailed, NoChallengeUsable, Problem
from .objects import AuthorizationFacts, OrderFacts

if TYPE_CHECKING:
    from .choices import Choices

__all__ = [
    "AskForCertificate",
    "Authorizing",
    "Deed",
    "Failed",
    "Fetch",
    "Finalizing",
    "Issued",
    "Look",
    "News",
    "NotReady",
    "Opened",
    "Present",
    "Presented",
    "Presenting",
    "Processing",
    "Proof",
    "Prove",
    "ReadAuthorization",
    "State",
    "Step",
    "advance",
    "begin",
]


@dataclass(frozen=True, slots=True)
class Proof:
    """
    A challenge that was chosen.

    @ivar name: The identifier being proved.
    @ivar kind: Of the challenge.
    @ivar token: Of the challenge.
    @ivar url: Of the challenge.
    @ivar authorization: URL of the authorization it belongs to.
    @ivar isTold: Whether the authority knows already that it may look.
    """

    name: str
    kind: str
    token: str
    url: str
    authorization: str
    isTold: bool = False


# What a state asks for.


@dataclass(frozen=True, slots=True)
class ReadAuthorization:
    """
    Read this authorization; the news is an L{AuthorizationFacts}.
    """

    url: str


@dataclass(frozen=True, slots=True)
class Present:
    """
    Serve all of these; the news is L{Presented}.
    """

    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True)
class Prove:
    """
    Tell the authority that it may look, unless it knows, then read the
    authorization until it is decided; the news is an L{AuthorizationFacts}.
    """

    proof: Proof


@dataclass(frozen=True, slots=True)
class AskForCertificate:
    """
    Send the certificate request; the news is an L{OrderFacts}, or
    L{NotReady}.
    """

    url: str


@dataclass(frozen=True, slots=True)
class Look:
    """
    Read the order until its status is none of these; the news is an
    L{OrderFacts}.
    """

    url: str
    unless: frozenset[str]


@dataclass(frozen=True, slots=True)
class Fetch:
    """
    Download the certificate; nothing comes after.
    """

    url: str


Deed = ReadAuthorization | Present | Prove | AskForCertificate | Look | Fetch


# What may have happened.


@dataclass(frozen=True, slots=True)
class Presented:
    """
    Every worker serves every answer.
    """


@dataclass(frozen=True, slots=True)
class NotReady:
    """
    The authority has not noticed yet that all is authorized.
    """


News = AuthorizationFacts | OrderFacts | Presented | NotReady


# Where an order can stand.


@dataclass(frozen=True, slots=True)
class Opened:
    """
    Placed; its authorizations are being read.

    @ivar unread: URLs.
    @ivar read: Those that were read.
    """

    order: OrderFacts
    unread: frozenset[str]
    read: tuple[AuthorizationFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class Presenting:
    """
    Proofs were chosen and are being put where the authority will look.
    """

    order: OrderFacts
    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True)
class Authorizing:
    """
    The authority is looking.

    @ivar unsettled: URLs of authorizations that are still pending.
    @ivar refused: Those that came to nothing.
    """

    order: OrderFacts
    unsettled: frozenset[str]
    refused: tuple[AuthorizationFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class Finalizing:
    """
    All is authorized; the certificate is being asked for.
    """

    order: OrderFacts


@dataclass(frozen=True, slots=True)
class Processing:
    """
    The certificate is being made.
    """

    order: OrderFacts


@dataclass(frozen=True, slots=True)
class Issued:
    """
    There is a certificate.

    @ivar certificate: Its URL.
    """

    order: OrderFacts
    certificate: str


@dataclass(frozen=True, slots=True)
class Failed:
    """
    There will be none by this order.

    @ivar why: To be raised.
    """

    order: OrderFacts
    why: IssuanceFailed


State = Opened | Presenting | Authorizing | Finalizing | Processing | Issued | Failed

#: The state that follows, and what is to be done for it, all at once.
Step = tuple[State, tuple[Deed, ...]]


def begin(order: OrderFacts) -> Step:
    """
    Take up an order, new or old, where it stands.

    @param order: As the authority has just told it.
    """
    match order.status:
        case "pending":
            urls = order.authorizations
            return Opened(order, frozenset(urls)), tuple(ReadAuthorization(url) for url in urls)
        case "ready":
            return Finalizing(order), (AskForCertificate(order.finalize),)
        case "processing":
            return Processing(order), (Look(order.url, frozenset({"processing"})),)
        case "valid":
            assert order.certificate is not None  # as readOrder promises
            return Issued(order, order.certificate), (Fetch(order.certificate),)
        case "invalid":
            problem = order.problem or Problem("", "the order became invalid")
            return _failed(order, AuthorityProblem(_wanting(order), problem))


def advance(state: State, news: News, choices: Choices) -> Step:
    """
    Go on.

    @param state: Where the order stands.
    @param news: What has happened.
    @param choices: Tells which way to prove a name is tried.
    @raise RuntimeError: The news cannot be in this state: a bug of the caller.
    """
    match state, news:
        case Opened(), AuthorizationFacts():
            return _authorizationRead(state, news, choices)
        case Presenting(), Presented():
            unsettled = frozenset(proof.authorization for proof in state.proofs)
            return Authorizing(state.order, unsettled), tuple(Prove(proof) for proof in state.proofs)
        case Authorizing(), AuthorizationFacts():
            return _authorizationSettled(state, news)
        case Finalizing(), NotReady():
            return state, (Look(state.order.url, frozenset({"pending"})),)
        case Finalizing() | Processing(), OrderFacts():
            return begin(news) if news.status != "pending" else _stuck(news)
    raise RuntimeError(f"{type(news).__name__} is no news for an order that is {type(state).__name__}")


def _authorizationRead(state: Opened, news: AuthorizationFacts, choices: Choices) -> Step:
    state = replace(state, unread=state.unread - {news.url}, read=(*state.read, news))
    if state.unread:
        return state, ()
    refused = tuple(each for each in state.read if each.status not in ("pending", "valid"))
    if refused:
        return _refused(state.order, refused)
    pending = [each for each in state.read if each.status == "pending"]
    proofs: list[Proof] = []
    for each in pending:
        preference = choices.of(each.wanted)
        offer = choose(each, preference)
        if offer is None:
            offered = dict.fromkeys(one.kind for one in each.offers)
            return _failed(state.order, NoChallengeUsable(each.wanted, offered, preference))
        isTold = offer.status != "pending"
        proofs.append(Proof(each.name, offer.kind, offer.token, offer.url, each.url, isTold))
    if not proofs:
        return Finalizing(state.order), (AskForCertificate(state.order.finalize),)
    return Presenting(state.order, tuple(proofs)), (Present(tuple(proofs)),)


def _authorizationSettled(state: Authorizing, news: AuthorizationFacts) -> Step:
    refused = state.refused if news.status == "valid" else (*state.refused, news)
    state = replace(state, unsettled=state.unsettled - {news.url}, refused=refused)
    if state.unsettled:
        return state, ()
    if refused:
        return _refused(state.order, refused)
    # Not looked at first whether it is "ready": asking is as good as looking.
    return Finalizing(state.order), (AskForCertificate(state.order.finalize),)


def _refused(order: OrderFacts, refused: tuple[AuthorizationFacts, ...]) -> Step:
    byName = {each.wanted: each.problem for each in refused}
    first = next(iter(byName.values()))
    return _failed(order, AuthorityProblem(_wanting(order), first, byName=byName.items()))


def _stuck(order: OrderFacts) -> Step:
    problem = order.problem or Problem("", "the order fell back to pending after all was authorized")
    return _failed(order, AuthorityProblem(_wanting(order), problem))


def _failed(order: OrderFacts, why: IssuanceFailed) -> Step:
    return Failed(order, why), ()


def _wanting(order: OrderFacts) -> str:
    return f"verifying {', '.join(order.names)}"
