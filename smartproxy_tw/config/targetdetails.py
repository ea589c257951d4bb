"""
How files say of targets what few need: that one is for some requests only, how it is spoken to by TLS, and
targets that are no host and port.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from . import names, texts
from .elsewhere import elsewhere
from .hosttarget import WEIGHT, AnyTarget
from .matching import Clients, Expressions, MatchedField, Methods
from .pluggable import sourceName
from .section import Claim, PathText, Section

if TYPE_CHECKING:
    from . import spread
else:
    spread = elsewhere("spread")

__all__ = ["SourceTarget", "TargetMatch", "TargetTLS", "UnixTarget"]


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


class UnixTarget(AnyTarget):
    """
    A unix socket.
    """

    unix: PathText = Field(description="The path of the socket, relative to the directory of this file.")
    weight: spread.Weight = Field(default=1, description=WEIGHT)


class SourceTarget(AnyTarget):
    """
    Targets that somebody else's code knows.
    """

    source: Annotated[str, AfterValidator(sourceName)] = Field(description="The name of a plug-in.")
    settings: dict[str, Any] = Field(default_factory=dict, description="What the plug-in wants to know.")
