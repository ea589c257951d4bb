"""
How files say what requests and bytes are forwarded to: one target or several, in short or with all that
can be said of one alone; what that means is in L{smartproxy_tw.config.branching}.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from . import dotted, names, spoken, targets, texts
from .elsewhere import elsewhere
from .matching import TargetMatch
from .pluggable import sourceName
from .section import TAG, Claim, PathText, Port, Section, Whole, byShape, number, shape, unique

if TYPE_CHECKING:
    from . import proxysection, spread
else:
    proxysection = elsewhere("proxysection")
    spread = elsewhere("spread")

__all__ = [
    "FieldName",
    "SourceTarget",
    "Target",
    "TargetPort",
    "TargetTLS",
    "TargetText",
    "Targets",
    "UnixTarget",
]


def _targetKind(value: Any) -> str | None:
    if isinstance(value, dict):
        return TAG + next((key for key in ("unix", "source", "srv") if key in value), "address")
    return shape(value)


_WEIGHT = (
    "Its share of what there is to do, beside those of the other targets. 0: it has its turn when no other "
    "can be had."
)
_TARGET_HEADER = "As `send_proxy_protocol` of the action, for this target alone."


#: The name of a header field.
FieldName = Annotated[str, AfterValidator(texts.fieldName)]
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


class TargetTLS(Section):
    """
    How a target is spoken to by TLS.
    """

    serverName: Annotated[str, AfterValidator(names.host)] | None = Field(
        default=None,
        description="The name that it is asked for and has to prove. Default: its host.",
    )
    insecureSkipVerify: Claim = Field(
        default=False, description="Believe any certificate. Whoever sits between can read all."
    )
    caFile: PathText | None = Field(default=None, description="PEM bundle to trust in place of the system's.")


class _AnyTarget(Section):
    """
    What can be said of one target alone.
    """

    match: TargetMatch | None = Field(
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
            Annotated[bool, Tag(TAG + "claim")] | Annotated[TargetTLS, Tag(TAG + "mapping")],
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


class Target(_AnyTarget):
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
    weight: spread.Weight = Field(default=1, description=_WEIGHT)


class UnixTarget(_AnyTarget):
    """
    A unix socket.
    """

    unix: PathText = Field(description="The path of the socket, relative to the directory of this file.")
    weight: spread.Weight = Field(default=1, description=_WEIGHT)


class SourceTarget(_AnyTarget):
    """
    Targets that somebody else's code knows.
    """

    source: Annotated[str, AfterValidator(sourceName)] = Field(description="The name of a plug-in.")
    settings: dict[str, Any] = Field(default_factory=dict, description="What the plug-in wants to know.")


def _targetText(text: str) -> str:
    if dotted.isDotted(text):
        dotted.reference(text)
    else:
        targets.parse(text)
    return text


#: A target in one piece of text.
TargetText = Annotated[str, AfterValidator(_targetText), Tag(TAG + "text")]
#: A port of this machine.
TargetPort = Annotated[Port, Tag(TAG + "number")]
_OneTarget = Annotated[
    TargetText
    | TargetPort
    | Annotated[Target, Tag(TAG + "address")]
    | Annotated[UnixTarget, Tag(TAG + "unix")]
    | Annotated[SourceTarget, Tag(TAG + "source")]
    | Annotated[spread.Service, Tag(TAG + "srv")],
    Discriminator(
        _targetKind,
        custom_error_type="shape",
        custom_error_message="has to be host:port, unix:/path, a port number, {host: , port: }, {unix: } or "
        "{srv: }, or python:module.name",
    ),
]
#: One target or a list of them, in any form.
Targets = Annotated[
    TargetText
    | TargetPort
    | Annotated[Target, Tag(TAG + "address")]
    | Annotated[UnixTarget, Tag(TAG + "unix")]
    | Annotated[SourceTarget, Tag(TAG + "source")]
    | Annotated[spread.Service, Tag(TAG + "srv")]
    | Annotated[list[_OneTarget], Field(min_length=1), Tag(TAG + "list")],
    Discriminator(
        _targetKind,
        custom_error_type="shape",
        custom_error_message="has to be a target such as 127.0.0.1:3000, or a list of targets",
    ),
]
