"""
The language of configuration files, as pydantic models.

This is what people may write; what it means is the business of
L{smartproxy_tw.config.resolution}.  Names in files are snake_case; the camelCase
of these attributes, which is that of SmartProxy, is accepted too.  Only what
works is here, and each default is that of L{smartproxy_tw.config.model}.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Tag
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from .elsewhere import elsewhere
from .pluggable import PLUGIN
from .routesection import Route
from .section import TAG, Claim, IPAddresses, Networks, PathText, PathTexts, Section, byShape, number

if TYPE_CHECKING:
    from . import (
        acmesection,
        adminsection,
        limitsection,
        logsection,
        protection,
        proxysection,
        revisionsection,
        sitesection,
    )
else:
    acmesection = elsewhere("acmesection")
    adminsection = elsewhere("adminsection")
    limitsection = elsewhere("limitsection")
    logsection = elsewhere("logsection")
    protection = elsewhere("protection")
    proxysection = elsewhere("proxysection")
    revisionsection = elsewhere("revisionsection")
    sitesection = elsewhere("sitesection")

__all__ = ["File", "jsonSchema"]


class File(Section):
    """
    A whole configuration.
    """

    include: PathTexts = Field(
        default_factory=list,
        description="Other files whose `routes` and `sites` are added to those of this one, and whose "
        "other settings "
        "count as if they stood here; each setting may stand in one file only. One or a list, relative "
        "to the "
        "directory of this file; `*` stands for any part of a name.",
    )
    bind: IPAddresses | None = Field(
        default=None,
        description="The IP addresses that every port is bound on, one or a list. Default: all, IPv4 "
        "and IPv6.",
    )
    stateDir: PathText | None = Field(
        default=None,
        description="The directory for accounts, certificates and the local authority, relative to the "
        "directory of "
        "this file. Default: $STATE_DIRECTORY (systemd), else /var/lib/smartproxy for root, else "
        "$XDG_STATE_HOME/smartproxy or ~/.local/state/smartproxy.",
    )
    workers: Annotated[
        Annotated[Annotated[int, Field(ge=1, le=256), BeforeValidator(number)], Tag(TAG + "number")]
        | Annotated[Literal["auto"], Tag(TAG + "text")],
        byShape("has to be a number, or auto"),
    ] = Field(
        default=1,
        description="How many processes move bytes: with 1 the one that was started, otherwise so many "
        "beside it, which share the ports. `auto` is one for each CPU that may be used.",
    )
    accessLog: logsection.AccessLog | None = Field(
        default=None, description="Where each request leaves its line."
    )
    admin: adminsection.AdminOption | None = Field(
        default=None,
        description="The unix socket by which commands such as `smartproxy status` speak to the running "
        "proxy: only root and the user who runs it may. `off`: there is none.",
    )
    metrics: adminsection.Metrics | None = Field(
        default=None,
        description="Where Prometheus has its figures from; the admin socket has them in any case. Default: "
        "nowhere else.",
    )
    log: logsection.Log | None = Field(default=None, description="How events are written.")
    timeouts: limitsection.Timeouts | None = Field(default=None, description="How long things may take.")
    limits: limitsection.Limits | None = Field(default=None, description="How much is taken.")
    trustedProxies: Networks = Field(
        default_factory=list,
        description="Addresses and networks (`10.0.0.0/8`), one or a list, whose X-Forwarded-For and "
        "similar fields "
        "are believed. From all others these fields are removed.",
    )
    proxyProtocol: proxysection.ProxyProtocol | None = Field(
        default=None,
        description="Where a load balancer in front sends the client's address by the PROXY protocol. "
        "Default: nowhere.",
    )
    requestId: Claim = Field(
        default=True,
        description="Every request goes to its target with an X-Request-ID of its own, which the json access "
        "log has too, and the answers that the proxy gives in place of a failed target. One that came is "
        "believed from trusted_proxies only. false: that field is passed on like any other.",
    )
    errorPages: revisionsection.ErrorPages | None = Field(
        default=None,
        description="As `error_pages` of a route, for all of them and for what no route takes.",
    )
    pythonPath: PathTexts | None = Field(
        default=None,
        description="Directories, one or a list, where modules that are named here (`python:module.name`) "
        "are looked for, after those where Python looks by itself; relative to the directory of this file. "
        "Default: the directory of this file.",
    )
    http2PriorKnowledge: Claim = Field(
        default=False,
        alias="http2_prior_knowledge",
        description="Whether clients may speak HTTP/2 on ports without TLS, by just beginning with it "
        "(RFC 9113 section 3.3), as gRPC and load balancers do. With TLS it is agreed on by ALPN: see "
        "`http2` there.",
    )
    watch: Claim = Field(
        default=False,
        description="Read the configuration again whenever one of its files has changed, as on SIGHUP. "
        "A file that is wrong changes nothing.",
    )
    acme: acmesection.Acme | None = Field(
        default=None, description="Where certificates are had automatically."
    )
    defaults: protection.Defaults | None = Field(
        default=None,
        description="What routes and sites ask for that do not say otherwise.",
    )
    sites: dict[sitesection.SiteName, sitesection.SiteValue] = Field(
        default_factory=dict,
        description="Names that are served by HTTPS with a certificate, and redirected to it from "
        "plain HTTP. The "
        "value is a target such as `127.0.0.1:3000`, or a mapping.",
    )
    routes: list[Route] = Field(default_factory=list, description="The rules, in full.")


class _Generator(GenerateJsonSchema):
    """
    JSON Schema of what can be written, rather than of what pydantic makes of it.
    """

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """
        No option takes null: None is only how a model says that it was left out.
        """
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """
        For the same reason None is no default.
        """
        made = super().default_schema(schema)
        if made.get("default", 0) is None:
            del made["default"]
        return made

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """
        Plug-ins are of one machine, and have a language of their own.
        """
        choices = {tag: each for tag, each in schema["choices"].items() if tag != PLUGIN}
        return super().tagged_union_schema({**schema, "choices": choices})

    def field_title_should_be_set(self, schema: Any) -> bool:
        """
        The names of fields say enough.
        """
        return False


def _tidied(value: Any) -> Any:
    """
    The same with every description on one line.
    """
    if isinstance(value, list):
        return [_tidied(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: _tidied(item) for key, item in value.items()}
    if isinstance(made.get("description"), str):
        made["description"] = " ".join(made["description"].split())
    return made


@cache
def jsonSchema() -> dict[str, Any]:
    """
    The language as JSON Schema (2020-12), for editors and other programs.

    @return: A schema with every option in snake_case, its type, bounds, default
        and meaning: the same one each time, so nobody changes it.  What depends on
        several options, on the environment or on files is for C{smartproxy check}
        to say.
    """
    made: dict[str, Any] = _tidied(File.model_json_schema(by_alias=True, schema_generator=_Generator))
    made["title"] = "smartproxy configuration"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
