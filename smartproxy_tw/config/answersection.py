"""
How files say that something is answered or taken here, rather than forwarded: the kinds of C{action}
besides L{Forward<smartproxy_tw.config.actionsection.Forward>}.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from . import descriptions, texts
from .code import Code
from .contents import Contents
from .elsewhere import elsewhere
from .revisionsection import TemplateText, Values
from .section import Claim, Section, number
from .targetsection import FieldName

if TYPE_CHECKING:
    from . import tlssection
else:
    tlssection = elsewhere("tlssection")

__all__ = ["Block", "Files", "PluginAction", "Redirect", "Respond", "Socket"]


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
    tls: tlssection.AnswerTLS | None = Field(default=None, description=descriptions.TLS)


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
    tls: tlssection.AnswerTLS | None = Field(default=None, description=descriptions.TLS)


class PluginAction(Section):
    """
    What somebody else's code does; all other keys are its settings.
    """

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="The name of a plug-in.")
    tls: tlssection.AnswerTLS | None = Field(default=None, description=descriptions.TLS)


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
    tls: tlssection.BlockTLS | None = Field(default=None, description=descriptions.TLS)


class Files(Contents):
    """
    Answer with the files below a directory.
    """

    tls: tlssection.AnswerTLS | None = Field(default=None, description=descriptions.TLS)


class Socket(Code):
    """
    Hand requests, or bytes, to Python code in this process.
    """

    tls: tlssection.BlockTLS | None = Field(default=None, description=descriptions.TLS)
