"""
How a file says in which way requests are spread over targets, how it is found out
which targets can be had, and how many connections they get; what that means is in
L{smartproxy_tw.config.balance}.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, Tag, model_validator

from . import balance, model, names, texts
from .section import TAG, Nonempty, Port, Seconds, Section, byShape, number

__all__ = [
    "ActiveCheck",
    "Balancing",
    "Health",
    "PassiveCheck",
    "Pool",
    "Service",
    "Sticky",
    "Weight",
    "statuses",
]

_POOL = model.Pool()
_STICKY = balance.Sticky()
_BALANCE = balance.Balance()
_CHECK = balance.Check()

#: Fewer characters are soon found out.
_LEAST_SECRET = 16

_CODES = re.compile(r"([1-5])xx|([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")

#: The share of a target.
Weight = Annotated[int, Field(ge=0, le=1000), BeforeValidator(number)]

_Count = Annotated[int, Field(ge=1, le=100), BeforeValidator(number)]


def statuses(written: int | str) -> tuple[int, int]:
    """
    Status codes.

    @param written: One, a range C{200-299} or a class C{2xx}.
    @return: The first and the last one.
    @raise ValueError: They are none.
    """
    found = _CODES.fullmatch(str(written).lower())
    if found is None:
        raise ValueError("has to be a status code, a range 200-299 or a class 2xx")
    kind, first, last = found.groups()
    if kind is not None:
        return int(kind) * 100, int(kind) * 100 + 99
    codes = int(first), int(last or first)
    if codes[0] > codes[1]:
        raise ValueError(f"runs backwards, from {codes[0]} to {codes[1]}: exchange the two")
    return codes


def _status(value: Any) -> Any:
    statuses(value)
    return value


def _path(text: str) -> str:
    if not re.fullmatch(r"/[!-\"$-~]*", text):
        raise ValueError("has to begin with / and have no spaces, fragments and other than ASCII characters")
    return text


def _cookie(text: str) -> str:
    # RFC 6265 section 4.1.1: a token.
    return texts.fieldName(text)


def _secret(text: str) -> str:
    if len(text) < _LEAST_SECRET:
        raise ValueError(f"is too short for a secret: {_LEAST_SECRET} characters are the least")
    return text


_Status = Annotated[
    Annotated[int, AfterValidator(_status), Tag(TAG + "number")]
    | Annotated[str, AfterValidator(_status), Tag(TAG + "text")],
    byShape("has to be a status code, a range such as 200-299 or a class such as 2xx"),
]
_Statuses = Annotated[
    Annotated[int, AfterValidator(_status), Tag(TAG + "number")]
    | Annotated[str, AfterValidator(_status), Tag(TAG + "text")]
    | Annotated[list[_Status], Field(min_length=1), Tag(TAG + "list")],
    byShape("has to be a status code, a range such as 200-299, a class such as 2xx, or a list of these"),
]


class Pool(Section):
    """
    How many connections to each target there may be, and what becomes of those
    who find none free: they wait, in the order in which they came, and whatever
    comes free at any target goes to the first.  Each worker process counts its
    own.
    """

    connections: Annotated[int, Field(ge=1, le=1000000), BeforeValidator(number)] = Field(
        description="Connections to each target at a time, those that are kept for the next request "
        "included. Without `pool` there may be any number, and nobody waits."
    )
    queue: Annotated[int, Field(ge=0, le=1000000), BeforeValidator(number)] = Field(
        default=_POOL.queue,
        description="Requests, or connections that are not HTTP, that may wait for one; beyond: 503, or "
        "a close.",
    )
    wait: Seconds = Field(
        default=_POOL.wait, description="Seconds that anybody may wait; after that: 503, or a close."
    )


class Service(Section):
    """
    The targets that SRV records tell.
    """

    srv: Nonempty = Field(
        description="The name of the records, for instance `_http._tcp.app.example`. They are asked for "
        "again as their TTL says; their priorities and weights count."
    )
    weight: Weight = Field(
        default=1, description="The share of all of them together, beside other targets; see there."
    )


class Sticky(Section):
    """
    A client comes back to the target that it had before: it is told a cookie, which is
    signed and tells nobody which target that is.
    """

    cookie: Annotated[str, AfterValidator(_cookie)] = Field(
        default=_STICKY.cookie, description="The name of the cookie."
    )
    maxAge: Annotated[int, Field(ge=1, le=34560000), BeforeValidator(number)] | None = Field(
        default=None, description="Seconds that browsers keep it. Default: until they are closed."
    )
    secret: Annotated[str, AfterValidator(_secret)] | None = Field(
        default=None,
        description="What it is signed with, 16 characters at least; `${NAME}` takes it from the "
        "environment. For several machines with the same targets. Default: one that is made once and kept in "
        "the state directory.",
    )


class Balancing(Section):
    """
    Which target is next, in full.
    """

    algorithm: balance.Algorithm = Field(
        default=_BALANCE.algorithm,
        description="`round-robin`: they take turns, by weight. `least-connections`: the one with the "
        "fewest requests and connections in use for its weight. `ip-hash`: the same one for the same "
        "client, as long as it can be had; when one goes or comes, only its clients move. "
        "`random-two-choices`: of two that chance picks, by weight, the one with less to do.",
    )
    sticky: Sticky | None = Field(
        default=None, description="Have clients come back to the target that they had. HTTP only."
    )
    slowStart: Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False), BeforeValidator(number)] = Field(
        default=_BALANCE.slowStart,
        description="Seconds in which the share of a target that can be had again grows from a tenth to all "
        "of its weight. 0: it has all of it at once.",
    )


_Algorithm = Annotated[balance.Algorithm, Tag(TAG + "text")]

#: Either form.
Balance = Annotated[
    _Algorithm | Annotated[Balancing, Tag(TAG + "mapping")],
    byShape(f"has to be {', '.join(balance.ALGORITHMS[:-1])} or {balance.ALGORITHMS[-1]}, or a mapping"),
]


class ActiveCheck(Section):
    """
    Each target is looked at, whether anybody is sent there or not: by one process,
    however many workers there are.
    """

    type: Literal["http", "tcp", "tls"] = Field(
        default=_CHECK.kind,
        description="`http`: a GET has to be answered with one of the statuses (by TLS where the target is "
        "spoken to by TLS). `tcp`: a connection has to be taken. `tls`: and a handshake has to succeed; what "
        "is verified is what is verified for requests.",
    )
    path: Annotated[str, AfterValidator(_path)] | None = Field(
        default=None, description="What is asked for by http, with its query. Default: `/`."
    )
    host: Annotated[str, AfterValidator(names.host)] | None = Field(
        default=None,
        description="The Host field of http, and the name asked for by tls. Default: the host of the target.",
    )
    port: Port | None = Field(default=None, description="Where to look. Default: the port of the target.")
    status: _Statuses | None = Field(
        default=None,
        description="Which answers to http are as they should be: a code, a range `200-299`, a class `2xx`, "
        "or a list. Default: `200-399`.",
    )
    interval: Annotated[Seconds, Field(ge=0.1)] = Field(
        default=_CHECK.interval, description="Seconds from one look to the next, give or take a tenth."
    )
    timeout: Seconds = Field(default=_CHECK.timeout, description="Seconds that one look may take.")
    healthy: _Count = Field(
        default=_CHECK.rise, description="So many looks in a row have to go well before it is used again."
    )
    unhealthy: _Count = Field(
        default=_CHECK.fall,
        description="So many looks in a row have to fail before it is used no more. The very first look "
        "decides alone.",
    )

    @model_validator(mode="after")
    def _isForHTTP(self) -> Self:
        for name in ("path", "status"):
            if self.type != "http" and getattr(self, name) is not None:
                raise ValueError(f"has {name}, which only type: http has")
        return self


class PassiveCheck(Section):
    """
    A target that fails those who are sent there is ejected for a while: connections
    that cannot be made, answers that break off, are no HTTP or do not come in time.
    At most half of the targets are ejected at a time, and so never the last one.
    """

    failures: _Count = Field(
        default=balance.Ejection().failures, description="After so many failures in a row."
    )
    ejectFor: Seconds = Field(
        default=balance.Ejection().seconds,
        description="Seconds without turns; twice as many each time that it fails again. Then one request "
        "tries it.",
    )
    ejectForAtMost: Seconds = Field(default=300.0, description="No longer than so many seconds.")
    statuses: list[Annotated[int, Field(ge=400, le=599), BeforeValidator(number)]] = Field(
        default_factory=list,
        description="Answers that are failures too, such as `[502, 503, 504]`. Default: none; a status is an "
        "answer.",
    )

    @model_validator(mode="after")
    def _isOrdered(self) -> Self:
        if self.ejectFor > self.ejectForAtMost:
            raise ValueError("has eject_for above eject_for_at_most: exchange the two")
        return self


class Health(Section):
    """
    How it is found out which targets can be had.
    """

    active: ActiveCheck | None = Field(default=None, description="Look at them. Default: nobody does.")
    passive: PassiveCheck | None = Field(
        default=None,
        description="Learn from what is sent there. Default: after 5 failures in a row a target is passed "
        "over for 10 seconds, while there is another.",
    )
