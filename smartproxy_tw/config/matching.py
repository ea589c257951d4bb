"""
What can be asked for in a configuration, as pydantic models: what the C{match} of a route
and that of a target have in common, and what is said of one target alone.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from . import clients, names, texts
from .expressions import expression
from .section import TAG, Claim, PathText, Section, byShape, unique

__all__ = [
    "Clients",
    "Expressions",
    "MatchedField",
    "Methods",
    "TargetMatch",
    "TargetTLS",
    "Version",
    "Versions",
]


def _client(text: str) -> str:
    return clients.client(text).text


def _expression(text: str) -> str:
    expression(text)
    return text


def _version(value: Any) -> Any:
    """
    Without quotes a version reads as a number.
    """
    return str(value) if type(value) is float else value


def _matchedField(text: str) -> str:
    # As it was written, so that two spellings of one name do not become one key here.
    texts.matchedField(text)
    return text


MatchedField = Annotated[str, AfterValidator(_matchedField)]
Client = Annotated[str, AfterValidator(_client)]
Clients = Annotated[
    Annotated[Client, Tag(TAG + "text")]
    | Annotated[list[Client], Field(min_length=1), AfterValidator(unique), Tag(TAG + "list")],
    byShape("has to be an address, a network, a range, a glob or a list of these"),
]
Expression = Annotated[str, AfterValidator(_expression)]
Expressions = Annotated[
    Annotated[Expression, Tag(TAG + "text")]
    | Annotated[list[Expression], Field(min_length=1), AfterValidator(unique), Tag(TAG + "list")],
    byShape("has to be a text (numbers in quotes), a glob, a /regular expression/ or a list of these"),
]
Method = Annotated[str, AfterValidator(texts.method)]
Methods = Annotated[
    Annotated[Method, Tag(TAG + "text")]
    | Annotated[list[Method], Field(min_length=1), AfterValidator(unique), Tag(TAG + "list")],
    byShape("has to be a method or a list of methods"),
]
Version = Annotated[Literal["1.2", "1.3"], BeforeValidator(_version)]
Versions = Annotated[
    Annotated[Version, Tag(TAG + "text")]
    | Annotated[list[Version], Field(min_length=1), AfterValidator(unique), Tag(TAG + "list")],
    Discriminator(
        lambda value: TAG + ("list" if isinstance(value, list) else "text"),
    ),
]


class TargetMatch(Section):
    """
    Which requests of its route a target is for.
    """

    path: Annotated[str, AfterValidator(texts.routePath)] | None = Field(
        default=None, description="The path, as in the `match` of a route. Makes the route speak HTTP."
    )
    headers: Annotated[dict[MatchedField, Expressions], Field(min_length=1)] | None = Field(
        default=None, description="Header fields, likewise."
    )
    query: Annotated[dict[str, Expressions], Field(min_length=1)] | None = Field(
        default=None, description="Parameters of the query, likewise."
    )
    method: Methods | None = Field(default=None, description="The method, likewise.")
    clientIp: Clients | None = Field(
        default=None, description="Who is served, likewise; the only one for what is not HTTP."
    )


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
