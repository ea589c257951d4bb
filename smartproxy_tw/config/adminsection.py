"""
How files say where the running proxy is spoken to, and asked for its figures.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, Tag, model_validator

from . import texts
from .section import TAG, Claim, Nonempty, PathText, Port, Section, byShape

__all__ = ["Admin", "AdminOption", "Metrics"]


def _listener(text: str) -> str:
    texts.listener(text)
    return text


_Listener = Annotated[
    Annotated[Port, Tag(TAG + "number")] | Annotated[str, AfterValidator(_listener), Tag(TAG + "text")],
    byShape("has to be an IP address with a port, or a port"),
]


class Admin(Section):
    """
    How the running proxy is spoken to.
    """

    socket: PathText | None = Field(
        default=None,
        description="The path of the unix socket, in a directory that nobody else may write to, relative to "
        "the directory of this file. Default: `admin.sock` in the state directory.",
    )
    listen: _Listener | None = Field(
        default=None,
        description="An IP address and a port, `127.0.0.1:2019`, or a port of this machine alone, where the "
        "proxy is spoken to by plain HTTP as well, by who has the token. Default: nowhere.",
    )
    token: Nonempty | None = Field(
        default=None,
        description="What has to be shown there (`Authorization: Bearer TOKEN`), at least 32 characters: "
        "from the environment, as in `${ADMIN_TOKEN}`, rather than written here.",
    )
    tokenFile: PathText | None = Field(
        default=None, description="A file that holds just the token, in place of token."
    )
    allowRemote: Claim = Field(
        default=False,
        description="That `listen` may be an address that other machines reach, although nothing is "
        "encrypted there and whoever reads along has the token.",
    )

    @model_validator(mode="after")
    def _isGuarded(self) -> Self:
        tokens = (self.token is not None) + (self.tokenFile is not None)
        if tokens != (self.listen is not None):
            raise ValueError(
                "needs listen, and the token that has to be shown there: either token_file or token"
            )
        if self.token is not None:
            # Not quoted: it is a secret.
            texts.bearerToken(self.token)
        if self.listen is None:
            if "allowRemote" in self.model_fields_set:
                raise ValueError("has allow_remote, which means nothing without listen")
        elif not self.allowRemote and not texts.isLoopback(texts.listener(str(self.listen))[0]):
            raise ValueError(
                f"listens on {self.listen}, where other machines reach it and nothing is encrypted: choose"
                " 127.0.0.1, or say allow_remote: true if that is meant"
            )
        return self


#: It, or that there is none.
AdminOption = Annotated[
    Annotated[Literal["off"], Tag(TAG + "text")] | Annotated[Admin, Tag(TAG + "mapping")],
    byShape("has to be off, or {socket: }"),
]


class Metrics(Section):
    """
    Where figures are told to whoever asks, in the format of Prometheus.
    """

    listen: _Listener = Field(
        description="An IP address with a port, such as `127.0.0.1:9100`; a port alone is on this machine "
        "only. It answers `GET /metrics` and nothing else, to everybody who can connect.",
    )
