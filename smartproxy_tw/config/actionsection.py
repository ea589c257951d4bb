"""
How files say what becomes of what a route takes: the C{action}, of each kind.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, Tag

from . import model, spoken, spread, texts, tlssection
from .code import Code
from .contents import Contents
from .pluggable import PLUGIN, byKeyOrPlugin
from .proxysection import ProxyHeaderOption
from .revisionsection import TemplateText, Values
from .section import TAG, Claim, Seconds, Section, number
from .targetsection import FieldName, Targets

__all__ = ["Action", "Block", "Files", "Forward", "PluginAction", "Pool", "Redirect", "Respond", "Socket"]

_POOL = model.Pool()


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
    loadBalancing: spread.Balance = Field(default="round-robin", description=spread.LOAD_BALANCING)
    health: spread.Health = Field(default_factory=spread.Health, description=spread.HEALTH)
    pool: Pool | None = Field(
        default=None, description="Bounds the connections to each target. Default: no bound."
    )
    sendProxyProtocol: ProxyHeaderOption = Field(
        default="off",
        description="Whether each connection to a target begins with the client's address, by the PROXY "
        "protocol: `v1`, `v2`, or a mapping for what v2 is to have beside it. The target has to expect it "
        "(`accept-proxy`, `listen … proxy_protocol`). Such a connection is for one request, or one tunnel, "
        "and no other client's. `off`: no.",
    )
    protocol: spoken.Protocol = Field(default="http/1.1", description=spoken.DESCRIPTION)
    tls: tlssection.ForwardTLS | None = Field(default=None, description=tlssection.TLS)


class Redirect(Section):
    """
    Answer with another address.
    """

    type: Literal["redirect"] = Field(description="Redirect.")
    to: Annotated[str, AfterValidator(texts.location)] = Field(
        description="Where to: a URL in which blanks are filled in, such as `{domain}` (the name asked for), "
        "`{path}` (here with its query) and `{port}` (the local port): `https://{domain}{path}`."
    )
    status: Annotated[Literal[301, 302, 303, 307, 308], BeforeValidator(number)] = Field(
        default=308,
        description="308 and 301 are permanent, 307, 302 and 303 are not; 308 and 307 keep the method.",
    )
    tls: tlssection.AnswerTLS | None = Field(default=None, description=tlssection.TLS)


class Respond(Section):
    """
    Answer with a response of one's own.
    """

    type: Literal["respond"] = Field(description="Respond.")
    status: Annotated[int, Field(ge=200, le=599), BeforeValidator(number)] = Field(
        default=200, description="The status code."
    )
    headers: dict[FieldName, Values] = Field(
        default_factory=dict,
        description="Header fields by name; a list repeats the field. Not Date, Content-Length, Connection "
        "and Transfer-Encoding, which are set by the proxy. Blanks such as `{client_ip}` are filled in.",
    )
    body: TemplateText = Field(
        default="",
        description="The body, sent as UTF-8. Blanks are filled in. None with status 204 and 304.",
    )
    tls: tlssection.AnswerTLS | None = Field(default=None, description=tlssection.TLS)


class PluginAction(Section):
    """
    What somebody else's code does; all other keys are its settings.
    """

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="The name of a plug-in.")
    tls: tlssection.AnswerTLS | None = Field(default=None, description=tlssection.TLS)


class Block(Section):
    """
    Refuse: an answer over HTTP, a close otherwise.
    """

    type: Literal["block"] = Field(description="Block.")
    status: Annotated[int, Field(ge=400, le=599), BeforeValidator(number)] = Field(
        default=403, description="The status code over HTTP."
    )
    body: str | None = Field(
        default=None,
        description="What is said, as UTF-8. Default: the status in words over HTTP, otherwise nothing.",
    )
    reset: Claim = Field(
        default=False,
        description="Break the connection in place of an answer, by a reset where TCP has not ended "
        "elsewhere.",
    )
    tls: tlssection.BlockTLS | None = Field(default=None, description=tlssection.TLS)


class Files(Contents):
    """
    Answer with the files below a directory.
    """

    tls: tlssection.AnswerTLS | None = Field(default=None, description=tlssection.TLS)


class Socket(Code):
    """
    Hand requests, or bytes, to Python code in this process.
    """

    tls: tlssection.BlockTLS | None = Field(default=None, description=tlssection.TLS)


#: Any of them.
Action = Annotated[
    Annotated[Forward, Tag(TAG + "forward")]
    | Annotated[Redirect, Tag(TAG + "redirect")]
    | Annotated[Respond, Tag(TAG + "respond")]
    | Annotated[Files, Tag(TAG + "files")]
    | Annotated[Socket, Tag(TAG + "socket")]
    | Annotated[Block, Tag(TAG + "block")]
    | Annotated[PluginAction, Tag(PLUGIN)],
    byKeyOrPlugin(
        "type",
        ("forward", "redirect", "respond", "files", "socket", "block"),
        "forward, redirect, respond, files, socket or block was expected",
    ),
]
