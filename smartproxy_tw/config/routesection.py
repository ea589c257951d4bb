"""
How files say a rule in full: a route.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from . import descriptions, texts
from .actionsection import Action
from .elsewhere import elsewhere
from .matching import Match
from .section import Claim, Section, number

if TYPE_CHECKING:
    from . import lastingsection, protection, revisionsection
else:
    lastingsection = elsewhere("lastingsection")
    protection = elsewhere("protection")
    revisionsection = elsewhere("revisionsection")

__all__ = ["Route"]


class Route(Section):
    """
    A rule: what it takes, and what becomes of it.  The route that takes a
    connection or request is the one with the highest priority; among equals the
    one with the most specific domain, then path, then the one that asks for more; then the
    first in the file.
    """

    name: Annotated[str, AfterValidator(texts.name)] | None = Field(
        default=None,
        description="For logs, unique in the configuration. Default: made from what the route matches.",
    )
    match: Match = Field(description="Which connections and requests it takes.")
    action: Action = Field(
        description="What becomes of them. Its `type` says which of the kinds below it is."
    )
    priority: Annotated[int, Field(ge=-1000000, le=1000000), BeforeValidator(number)] = Field(
        default=0, description="Higher is asked first."
    )
    enabled: Claim = Field(default=True, description="`false`: as if the route were not there.")
    headers: revisionsection.Headers | None = Field(
        default=None,
        description="What becomes of header fields. Makes the route speak HTTP, as what follows.",
    )
    rewrite: revisionsection.Rewrite | None = Field(
        default=None, description="What targets are asked for in place of what clients have asked for."
    )
    compress: revisionsection.Compression = Field(
        default=False,
        description="Whether answers are compressed, for clients that take it. `true`: as the defaults below "
        "have it.",
    )
    errorPages: revisionsection.ErrorPages | None = Field(
        default=None,
        description="What errors look like, by status: `404`, or `4xx` and `5xx`; a file, `{body: }`, or a "
        "list of both in several media types. `from: proxy` (the default) replaces the answers that the "
        "proxy itself gives, `from: all` those of targets too.",
    )
    security: protection.Security | None = Field(
        default=None, description="Who may use it, and how much. Default: everybody, all they like."
    )
    cors: protection.Cors | None = Field(
        default=None, description="Which other origins browsers let use it. Default: what the target says."
    )
    securityHeaders: protection.Advice | None = Field(
        default=None,
        description="What browsers are told to be careful about: `true` for what suits most, or a mapping. "
        "Default: nothing.",
    )
    limits: protection.RouteLimits | None = Field(
        default=None, description="How much of something it takes. Default: as `limits` of the whole file."
    )
    timeouts: lastingsection.RouteTimeouts | None = Field(default=None, description=descriptions.TIMEOUTS)
    websocket: lastingsection.WebSocketOption | None = Field(default=None, description=descriptions.WEBSOCKET)
