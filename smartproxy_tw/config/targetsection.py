"""
How files say what requests and bytes are forwarded to: one target or several, in short or with all that
can be said of one alone; what that means is in L{smartproxy_tw.config.branching}.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

from . import dotted, targets, texts
from .elsewhere import elsewhere
from .section import TAG, Port, shape

if TYPE_CHECKING:
    from . import hosttarget, spread, targetdetails
else:
    hosttarget = elsewhere("hosttarget")
    spread = elsewhere("spread")
    targetdetails = elsewhere("targetdetails")

__all__ = ["FieldName", "TargetPort", "TargetText", "Targets"]


def _targetKind(value: Any) -> str | None:
    if isinstance(value, dict):
        return TAG + next((key for key in ("unix", "source", "srv") if key in value), "address")
    return shape(value)


#: The name of a header field.
FieldName = Annotated[str, AfterValidator(texts.fieldName)]


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
    | Annotated[hosttarget.Target, Tag(TAG + "address")]
    | Annotated[targetdetails.UnixTarget, Tag(TAG + "unix")]
    | Annotated[targetdetails.SourceTarget, Tag(TAG + "source")]
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
    | Annotated[hosttarget.Target, Tag(TAG + "address")]
    | Annotated[targetdetails.UnixTarget, Tag(TAG + "unix")]
    | Annotated[targetdetails.SourceTarget, Tag(TAG + "source")]
    | Annotated[spread.Service, Tag(TAG + "srv")]
    | Annotated[list[_OneTarget], Field(min_length=1), Tag(TAG + "list")],
    Discriminator(
        _targetKind,
        custom_error_type="shape",
        custom_error_message="has to be a target such as 127.0.0.1:3000, or a list of targets",
    ),
]
