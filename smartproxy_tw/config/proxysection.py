"""
How files say where the PROXY protocol is spoken: to targets, and by load balancers in front.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, Tag, model_validator

from . import model
from .ports import Ports
from .section import TAG, Networks, Seconds, Section, byShape, unique

__all__ = ["ProxyHeader", "ProxyHeaderOption", "ProxyProtocol"]


class ProxyHeader(Section):
    """
    A header of the PROXY protocol, in full.
    """

    version: Literal["v1", "v2"] = Field(description="`v1`, a line; or `v2`, binary.")
    tlvs: Annotated[
        list[Literal["authority", "alpn", "ssl", "crc32c"]], Field(min_length=1), AfterValidator(unique)
    ] = Field(
        default_factory=list,
        description="What v2 is to have beside the addresses, where it is known: `authority` (the name asked "
        "for by SNI); where TLS is ended here `alpn` (the protocol that was agreed on) and `ssl` (version, "
        "cipher and the common name of the client's certificate); `crc32c` (a checksum).",
    )

    @model_validator(mode="after")
    def _hasPlace(self) -> Self:
        if self.tlvs and self.version == "v1":
            raise ValueError("has tlvs, for which v1 has no place: use version: v2")
        return self


#: What connections to targets begin with: either form.
ProxyHeaderOption = Annotated[
    Annotated[Literal["v1", "v2", "off"], Tag(TAG + "text")] | Annotated[ProxyHeader, Tag(TAG + "mapping")],
    byShape("has to be v1, v2 or off, or {version: , tlvs: }"),
]


_PROXY_PROTOCOL = model.ProxyProtocol((), ())


class ProxyProtocol(Section):
    """
    Where a load balancer in front says first, by a header of the PROXY protocol
    (version 1 or 2), which client it speaks for.  That client's address is then the
    one that counts, for everything.
    """

    ports: Ports | None = Field(
        default=None,
        description="The local ports: a number, a range `{from: 8000, to: 8010}`, or a list of both. "
        "Default: all.",
    )
    senders: Networks = Field(
        alias="from",
        description="Addresses and networks (`10.0.0.0/8`), one or a list, who are believed. From anybody "
        "else no header is taken, and connections without one are served as what they are.",
    )
    mode: Literal["require", "accept"] = Field(
        default=_PROXY_PROTOCOL.mode,
        description="`require`: without a header they are turned away; `accept`: they are served as what "
        "they are, once their first bytes show that there is none, or nothing has come for `timeout`.",
    )
    timeout: Seconds = Field(
        default=_PROXY_PROTOCOL.timeout, description="How long the header may take, in seconds."
    )
