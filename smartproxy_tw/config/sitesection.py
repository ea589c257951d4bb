"""
How files say a site, which is a name that is served by HTTPS; the routes that come of it are made in
L{smartproxy_tw.config.sites}.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from . import descriptions, names
from .elsewhere import elsewhere
from .section import TAG, Section, shape
from .targetsection import TargetPort, Targets, TargetText

if TYPE_CHECKING:
    from . import lastingsection, protection, revisionsection, spread, tlssection
else:
    lastingsection = elsewhere("lastingsection")
    protection = elsewhere("protection")
    revisionsection = elsewhere("revisionsection")
    spread = elsewhere("spread")
    tlssection = elsewhere("tlssection")

__all__ = ["Site", "SiteName", "SiteValue"]


def _siteKind(value: Any) -> str | None:
    tag = shape(value)
    return None if tag == TAG + "list" else tag


class Site(Section):
    """
    A name that is served by HTTPS: the short form.
    """

    to: Targets = Field(
        description="Where its requests go: one target or a list, as in `targets` of a forward. `https://` "
        "targets are spoken to by verified TLS."
    )
    loadBalancing: spread.Balance = Field(default="round-robin", description=descriptions.LOAD_BALANCING)
    health: spread.Health | None = Field(default=None, description=descriptions.HEALTH)
    www: Literal["redirect", "none"] = Field(
        default="none",
        description="`redirect`: www.NAME gets a certificate of its own and redirects to NAME, path "
        "and query kept.",
    )
    certificate: tlssection.Certificate = Field(
        default="auto",
        description="`auto`: by ACME; `internal`: by a local authority in the state directory; or the "
        "paths of PEM "
        "files (which have to cover www.NAME too where it redirects).",
    )
    headers: revisionsection.Headers | None = Field(
        default=None, description="What becomes of header fields, as for a route; so is what follows."
    )
    rewrite: revisionsection.Rewrite | None = Field(
        default=None, description="What targets are asked for in place of what clients have asked for."
    )
    compress: revisionsection.Compression = Field(
        default=False, description="Whether answers are compressed, for clients that take it."
    )
    errorPages: revisionsection.ErrorPages | None = Field(
        default=None, description="What errors look like, by status."
    )
    security: protection.Security | None = Field(
        default=None, description="Who may use it, and how much. Default: everybody, all they like."
    )
    cors: protection.Cors | None = Field(
        default=None, description="Which other origins browsers let use it. Default: what the target says."
    )
    securityHeaders: protection.Advice | None = Field(
        default=None, description="What browsers are told to be careful about. Default: nothing."
    )
    limits: protection.RouteLimits | None = Field(
        default=None, description="How much of something it takes. Default: as `limits` of the whole file."
    )
    timeouts: lastingsection.RouteTimeouts | None = Field(default=None, description=descriptions.TIMEOUTS)
    websocket: lastingsection.WebSocketOption | None = Field(default=None, description=descriptions.WEBSOCKET)


def _siteName(text: str) -> str:
    # As it is written: that two come to the same is seen where they are resolved.
    names.pattern(text)
    return text


#: What it is called, and by which name it is asked for.
SiteName = Annotated[str, AfterValidator(_siteName)]
#: A target alone, or all that can be said.
SiteValue = Annotated[
    TargetText | TargetPort | Annotated[Site, Tag(TAG + "mapping")],
    Discriminator(
        _siteKind,
        custom_error_type="shape",
        custom_error_message="has to be a target such as 127.0.0.1:3000, or {to: , www: , certificate: }",
    ),
]
