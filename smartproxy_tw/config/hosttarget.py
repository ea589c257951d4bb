"""
How files say a target that is a host and a port, and what can be said of any target alone.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from . import dotted, names, spoken, texts
from .elsewhere import elsewhere
from .section import TAG, Port, Section, Whole, byShape, number, unique
from .targetsection import FieldName

if TYPE_CHECKING:
    from . import proxysection, spread, targetdetails
else:
    proxysection = elsewhere("proxysection")
    spread = elsewhere("spread")
    targetdetails = elsewhere("targetdetails")

__all__ = ["WEIGHT", "AnyTarget", "Target"]

#: Of the option of a target of each kind that has one.
WEIGHT = (
    "Its share of what there is to do, beside those of the other targets. 0: it has its turn when no other "
    "can be had."
)
_TARGET_HEADER = "As `send_proxy_protocol` of the action, for this target alone."


_FieldValue = Annotated[
    Annotated[str, AfterValidator(texts.fieldValue), Tag(TAG + "text")]
    | Annotated[Whole, Tag(TAG + "number")]
    | Annotated[
        list[Annotated[str, AfterValidator(texts.fieldValue)]], Field(min_length=1), Tag(TAG + "list")
    ],
    byShape("has to be text, a whole number or a list of texts"),
]


def _claimKind(value: Any) -> str:
    return TAG + ("mapping" if isinstance(value, dict) else "claim")


def _host(text: str) -> str:
    return str(dotted.reference(text)) if dotted.isDotted(text) else names.host(text)


def _targetPortText(text: str) -> str:
    if dotted.isDotted(text):
        return str(dotted.reference(text))
    if text != "preserve":
        raise ValueError("has to be a port number, preserve, or python:module.name")
    return text


class AnyTarget(Section):
    """
    What can be said of one target alone.
    """

    match: targetdetails.TargetMatch | None = Field(
        default=None,
        description="Which requests it is for. Those with a match are asked before those without, which "
        "are for the rest.",
    )
    priority: Annotated[int, Field(ge=-1000000, le=1000000), BeforeValidator(number)] = Field(
        default=0,
        description="Of the targets whose match holds only those with the highest are used.",
    )
    tls: (
        Annotated[
            Annotated[bool, Tag(TAG + "claim")] | Annotated[targetdetails.TargetTLS, Tag(TAG + "mapping")],
            Discriminator(_claimKind),
        ]
        | None
    ) = Field(
        default=None,
        description="`true`: it is spoken to by TLS, its certificate verified; `false`: it is not; or a "
        "mapping. Default: as the action says.",
    )
    headers: dict[FieldName, _FieldValue] = Field(
        default_factory=dict,
        description="Header fields that requests get on their way to it, in place of those of the same "
        "names; a list repeats the field.",
    )
    sendProxyProtocol: proxysection.ProxyHeaderOption | None = Field(default=None, description=_TARGET_HEADER)
    protocol: spoken.Protocol | None = Field(default=None, description=spoken.OWN_DESCRIPTION)


class Target(AnyTarget):
    """
    A host and a port.
    """

    host: Annotated[
        Annotated[str, AfterValidator(_host), Tag(TAG + "text")]
        | Annotated[
            list[Annotated[str, AfterValidator(names.host)]],
            Field(min_length=1),
            AfterValidator(unique),
            Tag(TAG + "list"),
        ],
        byShape("has to be a name, or a list of names"),
    ] = Field(
        description="A name or an IP address; a list of them is as many targets; or "
        "`python:module.name`, a function that gives one or several for each request."
    )
    port: Annotated[
        Annotated[Port, Tag(TAG + "number")]
        | Annotated[str, AfterValidator(_targetPortText), Tag(TAG + "text")],
        byShape("has to be a port number, preserve, or python:module.name"),
    ] = Field(
        description="Its port; `preserve`: the port that the client connected to; or "
        "`python:module.name`, a function that gives it for each request."
    )
    weight: spread.Weight = Field(default=1, description=WEIGHT)
