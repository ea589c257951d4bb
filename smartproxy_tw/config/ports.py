"""
How files say ports: a number, from one to another, or a list of both.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Tag, model_validator

from .section import TAG, Port, Section, byShape

__all__ = ["PortRange", "Ports"]


class PortRange(Section):
    """
    Ports from one to another, both included.
    """

    first: Port = Field(alias="from", description="The first port.")
    last: Port = Field(alias="to", description="The last port, not below the first.")

    @model_validator(mode="after")
    def _isForward(self) -> PortRange:
        if self.first > self.last:
            raise ValueError(f"runs backwards, from {self.first} to {self.last}: exchange the two")
        return self


_Item = Annotated[
    Annotated[Port, Tag(TAG + "number")] | Annotated[PortRange, Tag(TAG + "mapping")],
    byShape("has to be a port number or {from: , to: }"),
]
#: One or several, as they are written.
Ports = Annotated[
    Annotated[Port, Tag(TAG + "number")]
    | Annotated[PortRange, Tag(TAG + "mapping")]
    | Annotated[list[_Item], Field(min_length=1), Tag(TAG + "list")],
    byShape("has to be a port number, {from: , to: } or a list of these"),
]
