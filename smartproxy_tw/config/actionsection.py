"""
How files say what becomes of what a route takes: the C{action}, of each kind.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, Tag

from . import descriptions, spoken
from .elsewhere import elsewhere
from .pluggable import PLUGIN, byKeyOrPlugin
from .section import TAG, Seconds, Section
from .targetsection import Targets

if TYPE_CHECKING:
    from . import answersection, proxysection, spread, tlssection
else:
    answersection = elsewhere("answersection")
    proxysection = elsewhere("proxysection")
    spread = elsewhere("spread")
    tlssection = elsewhere("tlssection")

__all__ = ["Action", "Forward"]


class Forward(Section):
    """
    Hand requests, or bytes, to targets.
    """

    type: Literal["forward"] = Field(description="Forward to targets.")
    targets: Targets = Field(
        description="One or a list: `127.0.0.1:3000`, `app:preserve`, `unix:/run/app.sock`, a port number of "
        "this machine, `srv:_http._tcp.app.example` (of SRV records), `{host: , port: }`, `{unix: }` "
        "or `{srv: }`. Also `http://app:3000` and `https://app:8443`, which speak HTTP, the latter by "
        "verified TLS. `python:module.name` is a function that gives them for each request."
    )
    decisionTimeout: Seconds | None = Field(
        default=None,
        description="For how long a function that gives targets may let a request wait, in seconds; then it "
        "is answered with 504. Default: 5.",
    )
    loadBalancing: spread.Balance = Field(default="round-robin", description=descriptions.LOAD_BALANCING)
    health: spread.Health | None = Field(default=None, description=descriptions.HEALTH)
    pool: spread.Pool | None = Field(
        default=None, description="Bounds the connections to each target. Default: no bound."
    )
    sendProxyProtocol: proxysection.ProxyHeaderOption = Field(
        default="off",
        description="Whether each connection to a target begins with the client's address, by the PROXY "
        "protocol: `v1`, `v2`, or a mapping for what v2 is to have beside it. The target has to expect it "
        "(`accept-proxy`, `listen … proxy_protocol`). Such a connection is for one request, or one tunnel, "
        "and no other client's. `off`: no.",
    )
    protocol: spoken.Protocol = Field(default="http/1.1", description=spoken.DESCRIPTION)
    tls: tlssection.ForwardTLS | None = Field(default=None, description=descriptions.TLS)


#: Any of them.
Action = Annotated[
    Annotated[Forward, Tag(TAG + "forward")]
    | Annotated[answersection.Redirect, Tag(TAG + "redirect")]
    | Annotated[answersection.Respond, Tag(TAG + "respond")]
    | Annotated[answersection.Files, Tag(TAG + "files")]
    | Annotated[answersection.Socket, Tag(TAG + "socket")]
    | Annotated[answersection.Block, Tag(TAG + "block")]
    | Annotated[answersection.PluginAction, Tag(PLUGIN)],
    byKeyOrPlugin(
        "type",
        ("forward", "redirect", "respond", "files", "socket", "block"),
        "forward, redirect, respond, files, socket or block was expected",
    ),
]
