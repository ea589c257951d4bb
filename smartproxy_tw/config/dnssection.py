"""
How files say by what means records are put into the DNS, to prove names by dns-01.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from ..facts import Address
from . import lexicon, model, names, texts
from .document import FromEnvironment
from .section import TAG, Nonempty, OneOrMore, PathText, Seconds, Section, byShape, number, unique

__all__ = ["DynamicUpdate", "Hook", "Lexicon", "OwnZones", "ServerAddresses"]


def _server(text: str) -> str:
    texts.nameServer(text)
    return text


def _serverAddress(text: str) -> str:
    if not names.isAddress(texts.nameServer(text)[0]):
        raise ValueError("is no IP address: names cannot be looked up here")
    return text


_Server = Annotated[str, AfterValidator(_server)]
_ServerAddress = Annotated[str, AfterValidator(_serverAddress)]
#: One or several servers, by their IP addresses.
ServerAddresses = Annotated[
    OneOrMore[_ServerAddress], byShape("has to be an IP address, perhaps with a port, or a list of them")
]
_DYNAMIC = model.DynamicUpdate(Address("", 0))
_RECORDS = model.Records()


class _Records(Section):
    zone: Annotated[str, AfterValidator(names.host)] | None = Field(
        default=None, description="The zone that records belong to. Default: the one that the name is in."
    )
    resolvers: ServerAddresses | None = Field(
        default=None,
        description="Who is asked for the zone of a name, and whether a CNAME leads elsewhere: IP "
        "addresses, with a port if it is not 53. Default: the resolvers of the system.",
    )
    nameServers: ServerAddresses | None = Field(
        default=None,
        description="Which servers have to answer with a record before the authority is told of it, "
        "likewise. Default: all servers of the zone.",
    )
    patience: Seconds = Field(
        default=_RECORDS.patience, description="How long that may take until it counts as failed, in seconds."
    )


class Hook(_Records):
    """
    Records are put into the DNS by a program of yours, which is run for each record
    that is to be added, and again when it is to be removed.
    """

    type: Literal["exec"] = Field(description="By a program.")
    command: Annotated[list[Nonempty], Field(min_length=1)] = Field(
        description="The program, by its absolute path or found by PATH, and its arguments; never a shell "
        "command line. What it is to do is in its environment: SMARTPROXY_ACTION (`present` or `cleanup`), "
        "SMARTPROXY_RECORD (the name of the TXT record), SMARTPROXY_VALUE (its text), SMARTPROXY_DOMAIN (the "
        "name to be proved)."
    )
    timeout: Seconds = Field(
        default=model.Hook(("",)).timeout, description="How long it may run until it is ended, in seconds."
    )


class OwnZones(Section):
    """
    Records are answered by the proxy itself, as the name server of zones that are
    there for nothing else. Nobody is asked and nothing has to be changed anywhere.
    """

    type: Literal["zone"] = Field(description="By a name server of its own.")
    zones: Annotated[
        list[Annotated[str, AfterValidator(names.host)]], Field(min_length=1), AfterValidator(unique)
    ] = Field(
        description="The zones that are delegated to it: `_acme-challenge.NAME` itself, or any other, such "
        "as `proofs.example.com`, to which `_acme-challenge.NAME` refers by a CNAME to "
        "`NAME.proofs.example.com`."
    )
    name: Annotated[str, AfterValidator(names.host)] = Field(
        description="The name of this name server, as the delegation has it (NS)."
    )
    listen: ServerAddresses = Field(
        description="The IP addresses that it answers on by UDP and TCP, one or a list, with a port if it is "
        "not 53; `0.0.0.0` or `::` for all of them."
    )


class DynamicUpdate(_Records):
    """
    Records are put into the DNS by dynamic updates (RFC 2136), which BIND, Knot,
    PowerDNS and others take.
    """

    type: Literal["rfc2136"] = Field(description="By dynamic updates.")
    server: _Server = Field(
        description="The primary server of the zone: an IP address or a name, with a port if it is not 53. "
        "It is spoken to by TCP."
    )
    keyName: Annotated[str, AfterValidator(names.host)] | None = Field(
        default=None, description="What the server calls the key that updates are signed with (TSIG)."
    )
    keyAlgorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1"] = Field(
        default="hmac-sha256", description="What the key is for, as the server has it."
    )
    keySecret: Nonempty | None = Field(
        default=None,
        description="The key itself, in base64: from the environment, as in `${TSIG_KEY}`, rather than "
        "written here.",
    )
    keySecretFile: PathText | None = Field(
        default=None, description="A file that holds just the key, in place of key_secret."
    )
    ttl: Annotated[int, Field(ge=0, le=86400), BeforeValidator(number)] = Field(
        default=_DYNAMIC.ttl, description="Of the records, in seconds."
    )

    @model_validator(mode="after")
    def _hasOneKey(self) -> Self:
        secrets = (self.keySecret is not None) + (self.keySecretFile is not None)
        if secrets != (self.keyName is not None):
            raise ValueError(
                "needs key_name, and the key that belongs to it: either key_secret_file or key_secret"
            )
        if self.keySecret is not None:
            # Not quoted: it is a secret.
            texts.sharedSecret(self.keySecret)
        return self


def _provider(text: str) -> str:
    if not re.fullmatch("[a-z0-9]+", text):
        raise ValueError("is no provider: a word in small letters was expected, such as cloudflare")
    return text


def _optionNamed(options: Any) -> Any:
    """
    Secrets come from elsewhere; this is before they are read, as they lose where they
    come from then.
    """
    if isinstance(options, dict):
        for name, value in options.items():
            if not re.fullmatch("[a-z0-9]+(_[a-z0-9]+)*", str(name)):
                raise ValueError(f"has {str(name)!a}: options are written as auth_token is")
            if lexicon.isSecret(str(name)) and not isinstance(value, FromEnvironment):
                # Not quoted: it is a secret.
                raise ValueError(
                    f'has {name}, which is a secret: take it from the environment, as in "${{NAME}}", or'
                    " name a file that has it in option_files"
                )
    return options


def _optionValue(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_OptionValue = Annotated[
    Annotated[str, Field(min_length=1), Tag(TAG + "text")] | Annotated[bool, Tag(TAG + "claim")],
    Discriminator(
        lambda value: TAG + ("claim" if isinstance(value, bool) else "text"),
    ),
    BeforeValidator(_optionValue),
]


class Lexicon(_Records):
    """
    Records are put into the DNS by a provider of DNS that the library dns-lexicon knows:
    Cloudflare, Route 53, Gandi, Hetzner, OVH and some ninety more.
    """

    type: Literal["lexicon"] = Field(description="By dns-lexicon.")
    provider: Annotated[str, AfterValidator(_provider)] = Field(
        description="What the provider is called there, for instance `cloudflare`."
    )
    options: Annotated[dict[str, _OptionValue], BeforeValidator(_optionNamed)] = Field(
        default_factory=dict,
        description="What the provider wants to know, by the names that the options have there, with "
        "underscores, for instance `auth_token`. Secrets come from the environment, as in `${DNS_TOKEN}`.",
    )
    optionFiles: dict[str, PathText] = Field(
        default_factory=dict, description="For further options a file that holds just the value."
    )
    ttl: Annotated[int, Field(ge=1, le=86400), BeforeValidator(number)] | None = Field(
        default=None,
        description="Of the records, in seconds. Default: that of dns-lexicon, which every provider takes.",
    )
    timeout: Seconds = Field(
        default=model.Lexicon("").timeout, description="How long one change may take, in seconds."
    )
