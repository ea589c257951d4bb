"""
How files say where certificates are had automatically: of which authorities, how names are proved to them,
and what is told whom when that has come to an end.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, Tag, model_validator

from . import model, texts
from .dnssection import DynamicUpdate, Hook, Lexicon, OwnZones, ServerAddresses
from .section import (
    TAG,
    Domains,
    Nonempty,
    OneOrMore,
    PathText,
    Port,
    Seconds,
    Section,
    byKey,
    byShape,
    unique,
)

__all__ = ["Acme", "CertificateHook", "ExternalAccount", "Fallback", "Preflight"]

_ACME = model.Acme()


class ExternalAccount(Section):
    """
    What binds the account to one that an authority knows already.
    """

    keyId: Nonempty = Field(description="What the authority calls the key.")
    hmacKey: Nonempty | None = Field(
        default=None,
        description="The key itself, in base64url, as the authority gave it: from the environment, as in "
        "`${EAB_HMAC_KEY}`, rather than written here.",
    )
    hmacKeyFile: PathText | None = Field(
        default=None, description="A file that holds just the key, in place of hmac_key."
    )

    @model_validator(mode="after")
    def _hasOneKey(self) -> Self:
        if (self.hmacKey is None) == (self.hmacKeyFile is None):
            raise ValueError("needs the key that belongs to key_id: either hmac_key_file or hmac_key")
        return self


_EventName = Literal["issued", "renewed", "failed", "expiring"]
_HOOK = model.CertificateHook(("",))


class CertificateHook(Section):
    """
    A program of yours that is run when something has happened to certificates by ACME.
    """

    command: Annotated[list[Nonempty], Field(min_length=1)] = Field(
        description="The program, by its absolute path or found by PATH, and its arguments; never a shell "
        "command line. What has happened is in its environment, and as JSON on its standard input: "
        "SMARTPROXY_EVENT, SMARTPROXY_NAMES, SMARTPROXY_FILE, SMARTPROXY_EXPIRES, SMARTPROXY_SERIAL, "
        "SMARTPROXY_PROBLEM, SMARTPROXY_NEXT_ATTEMPT."
    )
    events: Annotated[
        OneOrMore[_EventName], byShape("has to be issued, renewed, failed or expiring, or a list of them")
    ] = Field(
        default=list(_HOOK.events),
        description="After what it is run, one or a list: `issued`, the first certificate for just these "
        "names, or the first that this command is told of; `renewed`, one that follows; `failed`, an order "
        "that came to nothing; `expiring`, what is served ends soon and its successor cannot be had.",
    )
    names: Domains = Field(
        default_factory=list,
        description="Only for certificates that are for one of these, one or a list, each as the routes have "
        "it. Default: for all.",
    )
    timeout: Seconds = Field(
        default=_HOOK.timeout,
        description="How long it may run until it is killed, with all that it has started, in seconds.",
    )


class Fallback(Section):
    """
    Another authority.
    """

    directory: Annotated[str, AfterValidator(texts.directory)] = Field(
        description="As `directory` of `acme`; each authority once."
    )
    email: Annotated[str, AfterValidator(texts.email)] | None = Field(
        default=None, description="Where this one may write to. Default: as `email` of `acme`."
    )
    caFile: PathText | None = Field(default=None, description="As `ca_file` of `acme`.")
    externalAccount: ExternalAccount | None = Field(
        default=None, description="As `external_account` of `acme`."
    )
    profile: Nonempty | None = Field(default=None, description="As `profile` of `acme`.")


_PREFLIGHT = model.Preflight()
_Mode = Literal["advisory", "strict", "off"]


class Preflight(Section):
    """
    Whether it is looked beforehand if an order can succeed.
    """

    mode: _Mode = Field(
        default=_PREFLIGHT.mode,
        description="`advisory`: beside the order, and what is in the way is told; `strict`: before it, and "
        "no order is placed while something is in the way; `off`: not at all.",
    )
    resolvers: ServerAddresses | None = Field(
        default=None,
        description="Who is asked about names: IP addresses, with a port if it is not 53. For machines whose "
        "own resolvers answer otherwise than the world's. Default: those of `dns`, else those of the system.",
    )
    httpPort: Port = Field(
        default=_PREFLIGHT.httpPort,
        description="The port that the authority comes to for http-01. Only a private authority, for tests, "
        "comes to another one than 80.",
    )
    tlsPort: Port = Field(
        default=_PREFLIGHT.tlsPort,
        description="The port that the authority comes to for tls-alpn-01; likewise 443.",
    )


class Acme(Section):
    """
    Where certificates are had automatically, and how names are proved.  Asking
    for one agrees to the terms of the authority.
    """

    email: Annotated[str, AfterValidator(texts.email)] | None = Field(
        default=None, description="Where the authority may write to."
    )
    directory: Annotated[str, AfterValidator(texts.directory)] = Field(
        default="letsencrypt",
        validate_default=True,
        description="`letsencrypt`, `letsencrypt-staging` or the URL of a directory; https, on this "
        "machine also http.",
    )
    caFile: PathText | None = Field(
        default=None,
        description="PEM bundle to trust for the HTTPS of the directory in place of the system's; for "
        "private "
        "authorities.",
    )
    externalAccount: ExternalAccount | None = Field(
        default=None,
        description="What binds the account to one that you have with the authority (external account "
        "binding), for authorities that demand it.",
    )
    profile: Nonempty | None = Field(
        default=None,
        description="The kind of certificate to ask for, one that the authority lists in its directory. "
        "Default: `shortlived` for IP addresses where it lists that, otherwise what it gives by itself.",
    )
    challenges: (
        Annotated[
            list[Literal["http-01", "tls-alpn-01", "dns-01"]], Field(min_length=1), AfterValidator(unique)
        ]
        | None
    ) = Field(
        default=None,
        description="How names may be proved, the preferred way first; of those that the authority offers "
        "for a name. Wildcards can be proved by dns-01 only. "
        "Default: `[http-01, tls-alpn-01]`, and dns-01 where there is `dns`.",
    )
    dns: (
        Annotated[
            Annotated[DynamicUpdate, Tag(TAG + "rfc2136")]
            | Annotated[Hook, Tag(TAG + "exec")]
            | Annotated[Lexicon, Tag(TAG + "lexicon")]
            | Annotated[OwnZones, Tag(TAG + "zone")],
            byKey("type", "rfc2136, lexicon, exec or zone was expected"),
        ]
        | None
    ) = Field(default=None, description="How records are put into the DNS, for dns-01.")
    preflight: Annotated[
        Annotated[_Mode, Tag(TAG + "text")] | Annotated[Preflight, Tag(TAG + "mapping")],
        byShape("has to be advisory, strict or off, or a mapping"),
    ] = Field(
        default=_PREFLIGHT.mode,
        description="Whether it is looked beforehand if an order can succeed: `advisory` (beside the order, "
        "and what is in the way is told), `strict` (before it, and no order is placed while something is in "
        "the way), `off`; or a mapping.",
    )
    keyType: model.KeyType = Field(
        default=_ACME.keyType,
        description="What the keys of the certificates are: `ecdsa`, on P-256, which every browser of "
        "today takes; `rsa` (2048 bits) or `rsa-3072`, for clients that know nothing else, at many "
        "times the work for each handshake; `both`: two certificates for the same names, `ecdsa` and "
        "`rsa`, of which a client gets the one that it takes, for two orders instead of one. What is "
        "there keeps its key until it is renewed.",
    )
    fallbacks: list[Fallback] = Field(
        default_factory=list,
        description="Other authorities, asked in this order for a certificate that the one before cannot "
        "give.",
    )
    hooks: list[CertificateHook] = Field(
        default_factory=list,
        description="Programs of yours that are run after a certificate was issued or renewed, or after an "
        "order failed; one after another for each certificate.",
    )
    httpPort: Port = Field(
        default=_ACME.httpPort,
        description="The local port where http-01 is answered and where `sites` redirect to https. The "
        "authority "
        "connects to 80: another number needs something in front that forwards 80 to it.",
    )
    tlsPort: Port = Field(
        default=_ACME.tlsPort,
        description="The local port where tls-alpn-01 is answered and where `sites` are served; "
        "likewise 443.",
    )
