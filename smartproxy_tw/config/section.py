"""
What every section of the configuration's language is made of: the model that all
sections extend, the kinds of values that they share, and how unions of kinds are told
apart.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)
from pydantic.alias_generators import to_snake

from . import names
from .document import FromEnvironment
from .origins import origin

__all__ = [
    "TAG",
    "Claim",
    "Domain",
    "Domains",
    "IPAddress",
    "IPAddresses",
    "Network",
    "Networks",
    "Nonempty",
    "OneOrMore",
    "Origins",
    "PathText",
    "PathTexts",
    "Port",
    "Seconds",
    "Section",
    "Whole",
    "byKey",
    "byShape",
    "claim",
    "network",
    "number",
    "shape",
    "unique",
]

#: Every tag of a union begins so, which no key of a file does; the tags turn up
#: in the paths of pydantic's errors and are to be left out of ours.
TAG = "\0"

_WHOLE = r"[-+]?\d{1,18}"


def number(value: Any) -> Any:
    """
    The environment has only text: read the number that it stands for.
    """
    if isinstance(value, FromEnvironment):
        if re.fullmatch(_WHOLE, value):
            return int(value)
        if re.fullmatch(_WHOLE + r"\.\d{1,18}", value):
            return float(value)
    return value


def claim(value: Any) -> Any:
    """
    Likewise true and false.
    """
    return {"true": True, "false": False}.get(value, value) if isinstance(value, FromEnvironment) else value


def shape(value: Any) -> str | None:
    """
    The tag of a value in a union that is told apart by kind alone.
    """
    value = number(value)
    if isinstance(value, bool):
        return None
    kinds = ((str, "text"), (int, "number"), (list, "list"), (dict, "mapping"))
    return next((TAG + tag for kind, tag in kinds if isinstance(value, kind)), None)


def byShape(message: str) -> Discriminator:
    """
    A union told apart by kind.

    @param message: What a value that is of none of the kinds is told.
    """
    return Discriminator(shape, custom_error_type="shape", custom_error_message=message)


def byKey(key: str, message: str) -> Discriminator:
    """
    A union of mappings told apart by the text under one key.

    @param key: The key.
    @param message: What a value is told that is no mapping, lacks the key, or
        has something unknown there.
    """

    def tag(value: Any) -> str | None:
        found = value.get(key) if isinstance(value, dict) else None
        return TAG + found if isinstance(found, str) else None

    return Discriminator(tag, custom_error_type="kind", custom_error_message=f"{key}: {message}")


def unique(values: list[str]) -> list[str]:
    """
    A list in which nothing is twice.

    @raise ValueError: Something is.
    """
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"lists {value} twice")
        seen.add(value)
    return values


# Bounds stand before the reading of text, so that they reach the JSON Schema.
Whole = Annotated[int, BeforeValidator(number)]
Seconds = Annotated[float, Field(gt=0, le=604800, allow_inf_nan=False), BeforeValidator(number)]
Claim = Annotated[bool, BeforeValidator(claim)]
Port = Annotated[int, Field(ge=1, le=65535), BeforeValidator(number)]
PathText = Annotated[str, Field(min_length=1)]
Nonempty = Annotated[str, Field(min_length=1)]
Domain = Annotated[str, AfterValidator(names.pattern)]
IPAddress = Annotated[str, AfterValidator(names.address)]


def network(text: str) -> str:
    """
    An address or network in its normal form.

    @raise ValueError: It is none.
    """
    return str(names.network(text))


Network = Annotated[str, AfterValidator(network)]

_T = TypeVar("_T")
#: One text, or a list of them that has each once, for C{Annotated} with L{byShape}.
OneOrMore = (
    Annotated[_T, Tag(TAG + "text")]
    | Annotated[list[_T], Field(min_length=1), AfterValidator(unique), Tag(TAG + "list")]
)
PathTexts = Annotated[
    Annotated[PathText, Tag(TAG + "text")] | Annotated[list[PathText], Tag(TAG + "list")],
    byShape("has to be a path or a list of paths"),
]
IPAddresses = Annotated[OneOrMore[IPAddress], byShape("has to be an IP address or a list of them")]
Domains = Annotated[OneOrMore[Domain], byShape("has to be a name or a list of names")]
_Origin = Annotated[str, AfterValidator(origin)]
Origins = Annotated[OneOrMore[_Origin], byShape("has to be an origin or a list of origins")]
Networks = Annotated[
    Annotated[Network, Tag(TAG + "text")]
    | Annotated[list[Network], AfterValidator(unique), Tag(TAG + "list")],
    byShape("has to be an address or network, or a list of them"),
]


class Section(BaseModel):
    """
    What all mappings of the language have in common.
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        defer_build=True,
        alias_generator=to_snake,
        validate_by_name=True,
        validate_by_alias=True,
    )
