"""
How files say what becomes of TLS from the client: whether it ends here, with which certificate, and which
handshakes are agreed to.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from . import names
from .matching import Version
from .section import TAG, Claim, PathText, Section, byKey, unique

__all__ = [
    "AnswerTLS",
    "BlockTLS",
    "Certificate",
    "ClientCertificates",
    "ForwardTLS",
    "KeyPair",
    "Passthrough",
    "Reencrypt",
    "Terminate",
]


def _certificateKind(value: Any) -> str | None:
    return TAG + "files" if isinstance(value, dict) else TAG + "word" if isinstance(value, str) else None


class KeyPair(Section):
    """
    A certificate in files, read again when they change.
    """

    cert: PathText = Field(
        description="The chain as PEM, leaf first; relative to the directory of this file."
    )
    key: PathText = Field(description="The private key as PEM, not encrypted; may be the same file.")


#: Where it comes from.
Certificate = Annotated[
    Annotated[Literal["auto", "internal"], Tag(TAG + "word")] | Annotated[KeyPair, Tag(TAG + "files")],
    Discriminator(
        _certificateKind,
        custom_error_type="shape",
        custom_error_message="has to be auto, internal or {cert: , key: }",
    ),
]

_CERTIFICATE = (
    "`auto`: by ACME, one for all the domains of the route; `internal`: by a local authority in "
    "the state directory; or the paths of PEM files."
)

# Those of Mozilla's intermediate profile that need no parameters of their own.
_Cipher = Literal[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
]


class ClientCertificates(Section):
    """
    That clients are to show a certificate.
    """

    mode: Literal["request", "require"] = Field(
        description="`require`: whoever shows none is refused during the handshake. `request`: it is asked "
        "for, but may be missing. A certificate that is shown and not valid is refused either way."
    )
    caFile: PathText = Field(
        description="PEM bundle of the authorities whose certificates are believed; relative to the "
        "directory of this file."
    )


class _Ended(Section):
    """
    What there is to say wherever TLS ends here.
    """

    certificate: Certificate = Field(default="auto", description=_CERTIFICATE)
    minVersion: Version = Field(default="1.2", description="The lowest version of TLS that is spoken.")
    maxVersion: Version = Field(
        default="1.3", description="The highest version of TLS that is spoken, not below `min_version`."
    )
    ciphers: Annotated[list[_Cipher], Field(min_length=1), AfterValidator(unique)] | None = Field(
        default=None,
        description="Those of TLS 1.2 that are agreed to. Default: all that can be named here. The "
        "ciphers of TLS 1.3 are not chosen.",
    )
    clientCertificates: ClientCertificates | None = Field(
        default=None,
        description="Ask clients for a certificate. Routes with the same name on the same port have to "
        "agree on this, on the versions, on the ciphers and on HTTP/2: there is just one handshake.",
    )
    http2: Claim = Field(
        default=True,
        alias="http2",
        description="Whether HTTP/2 is agreed on with clients that offer it (ALPN).",
    )

    @model_validator(mode="after")
    def _isPossible(self) -> Self:
        if self.minVersion > self.maxVersion:
            raise ValueError(
                f"leaves no version: min_version {self.minVersion} is above max_version {self.maxVersion}"
            )
        if self.ciphers is not None and self.minVersion == "1.3":
            raise ValueError(
                "names ciphers of TLS 1.2, which min_version 1.3 rules out: leave out one of them"
            )
        return self


class Passthrough(Section):
    """
    TLS goes on untouched; the SNI decides where to.
    """

    mode: Literal["passthrough"] = Field(description="TLS is not ended here.")


class Terminate(_Ended):
    """
    TLS ends here.
    """

    mode: Literal["terminate"] = Field(description="TLS ends here; the target is spoken to without.")


class Reencrypt(_Ended):
    """
    TLS ends here and begins again.
    """

    mode: Literal["terminate-and-reencrypt"] = Field(
        description="TLS ends here; the target is spoken to by TLS of its own, its certificate verified."
    )
    serverName: Annotated[str, AfterValidator(names.host)] | None = Field(
        default=None,
        description="The name that the target is asked for and has to prove. Default: the host of the "
        "target.",
    )
    insecureSkipVerify: Claim = Field(
        default=False, description="Believe any certificate of the target. Whoever sits between can read all."
    )
    caFile: PathText | None = Field(
        default=None, description="PEM bundle to trust for the target in place of the system's."
    )


#: Of an action that forwards.
ForwardTLS = Annotated[
    Annotated[Passthrough, Tag(TAG + "passthrough")]
    | Annotated[Terminate, Tag(TAG + "terminate")]
    | Annotated[Reencrypt, Tag(TAG + "terminate-and-reencrypt")],
    byKey("mode", "passthrough, terminate or terminate-and-reencrypt was expected"),
]
#: Of an action that answers by HTTP itself.
AnswerTLS = Annotated[
    Annotated[Terminate, Tag(TAG + "terminate")],
    byKey("mode", "only terminate is possible for this type of action"),
]
#: Of an action that takes whatever comes.
BlockTLS = Annotated[
    Annotated[Passthrough, Tag(TAG + "passthrough")] | Annotated[Terminate, Tag(TAG + "terminate")],
    byKey("mode", "passthrough or terminate was expected, nothing else is possible for this type of action"),
]
