"""
What can be written of header fields, rewriting, compression and error pages: the sections
of a route for what becomes a L{smartproxy_tw.config.revision}.

Importing this imports pydantic, so nobody does before a file is read.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from . import blanks, revision, revisiontexts, texts
from .expressions import expression
from .section import (
    TAG,
    Claim,
    Nonempty,
    OneOrMore,
    PathText,
    Section,
    Whole,
    byShape,
    claim,
    number,
    shape,
    unique,
)

__all__ = [
    "Compress",
    "Compression",
    "ErrorPages",
    "Headers",
    "Page",
    "PageForm",
    "Query",
    "RegexRule",
    "RequestChanges",
    "ResponseChanges",
    "Rewrite",
    "TemplateText",
    "Values",
]


def _value(text: str) -> str:
    found = texts.fieldValue(text)
    blanks.parse(found)
    return found


def _template(text: str) -> str:
    blanks.parse(text)
    return text


#: The value of a header field, with blanks.
_ValueText = Annotated[str, AfterValidator(_value)]
#: The body of an answer, with blanks.
TemplateText = Annotated[str, AfterValidator(_template)]


def _requestName(text: str) -> str:
    return revisiontexts.changedField(text, isRequest=True)


def _responseName(text: str) -> str:
    return revisiontexts.changedField(text, isRequest=False)


def _requestGlob(text: str) -> str:
    return revisiontexts.removedField(text, isRequest=True)


def _responseGlob(text: str) -> str:
    return revisiontexts.removedField(text, isRequest=False)


_RequestName = Annotated[str, AfterValidator(_requestName)]
_ResponseName = Annotated[str, AfterValidator(_responseName)]
#: The value of a field, or several for one that comes several times.
Values = Annotated[
    Annotated[_ValueText, Tag(TAG + "text")]
    | Annotated[Whole, Tag(TAG + "number")]
    | Annotated[list[_ValueText], Field(min_length=1), Tag(TAG + "list")],
    byShape("has to be text, a whole number or a list of texts"),
]
_SET = (
    "Fields that take the place of those of the same name; a text, a whole number, or a list of texts for a "
    "field that is to come several times. Blanks such as `{client_ip}` are filled in."
)
_ADD = "Fields that stand beside those of the same name; otherwise as `set`."
_REMOVE = "Names, or globs such as `x-debug-*`, of fields that do not go on; one or a list."


_RequestGlob = Annotated[str, AfterValidator(_requestGlob)]
_ResponseGlob = Annotated[str, AfterValidator(_responseGlob)]
_GLOBS = "has to be the name of a field, a glob, or a list of these"
_RequestRemovals = Annotated[OneOrMore[_RequestGlob], byShape(_GLOBS)]
_ResponseRemovals = Annotated[OneOrMore[_ResponseGlob], byShape(_GLOBS)]


class RequestChanges(Section):
    """
    What becomes of the header fields of requests, before targets see them: what is removed goes first,
    then what is set and added comes.  Those that frame a message, those for one hop, and those that the
    proxy itself says of the client (X-Forwarded-For and its like, X-Request-ID) are beyond reach.
    """

    set: dict[_RequestName, Values] = Field(
        default_factory=dict, description=_SET + " `Host` is what the target is asked for."
    )
    add: dict[_RequestName, Values] = Field(default_factory=dict, description=_ADD)
    remove: _RequestRemovals = Field(default_factory=list, description=_REMOVE)


class ResponseChanges(Section):
    """
    What becomes of the header fields of answers, whoever has given them, before clients see them: what is
    removed goes first, then what is set and added comes.  Those that frame a message and those for one hop
    are beyond reach.
    """

    set: dict[_ResponseName, Values] = Field(default_factory=dict, description=_SET)
    add: dict[_ResponseName, Values] = Field(default_factory=dict, description=_ADD)
    remove: _ResponseRemovals = Field(default_factory=list, description=_REMOVE)


class Headers(Section):
    """
    What becomes of header fields, on both ways.
    """

    request: RequestChanges | None = Field(
        default=None, description="Of requests, before targets see them. Only where something is forwarded."
    )
    response: ResponseChanges | None = Field(default=None, description="Of answers, before clients see them.")


class RegexRule(Section):
    """
    A pattern, and what takes its place.
    """

    match: Nonempty = Field(
        description="A regular expression of RE2, looked for in the path: `^/old/(.*)$`. It needs the extra "
        "`smartproxy_tw[regex]`."
    )
    to: str = Field(
        description="What each place that it is found at becomes; `{1}` is what its first group has found, "
        "`{0}` the whole."
    )


def _prefix(text: str) -> str:
    return revisiontexts.prefix(text)


def _pathTemplate(text: str) -> str:
    return revisiontexts.pathTemplate(text)


def _name(text: str) -> str:
    if not text:
        raise ValueError("is empty: the name of a parameter was expected")
    return text


def _nameGlob(text: str) -> str:
    expression(_name(text))
    return text


_Prefix = Annotated[str, AfterValidator(_prefix)]
_Name = Annotated[str, AfterValidator(_name)]
_NameGlob = Annotated[str, AfterValidator(_nameGlob)]


class Query(Section):
    """
    What becomes of the parameters of a query: what is removed goes first, then what is set comes.
    """

    set: dict[_Name, TemplateText] = Field(
        default_factory=dict,
        description="Parameters that take the place of those of the same name, at the end of the query; a "
        "text with blanks, which is percent-encoded.",
    )
    remove: Annotated[
        OneOrMore[_NameGlob],
        byShape("has to be the name of a parameter, a glob, a /regular expression/, or a list of these"),
    ] = Field(
        default_factory=list,
        description="Names, globs such as `utm_*`, or regular expressions (`/^utm_/`), of parameters that do "
        "not go on; one or a list.",
    )

    @model_validator(mode="after")
    def _saysSomething(self) -> Self:
        if not self.set and not self.remove:
            raise ValueError("says nothing: it needs set or remove")
        return self


class Rewrite(Section):
    """
    What targets are asked for in place of what clients have asked for.  Routes are chosen by what came.
    First the prefix is stripped, then regular expressions have their turn, then a prefix is added, then the
    query is changed.  Dot segments that come of it are resolved, and what may not stand in a path is
    percent-encoded.
    """

    stripPrefix: _Prefix | None = Field(
        default=None,
        description="What is taken off the beginning of the path, whole segments: `/api` makes `/x` of "
        "`/api/x`, `/` of `/api`, and leaves `/apis` alone. The target is told what was taken, in "
        "X-Forwarded-Prefix.",
    )
    replacePath: Annotated[str, AfterValidator(_pathTemplate)] | None = Field(
        default=None,
        description="The whole path; a text with blanks, `/files/{param:id}`. `{param:*}` is what the `*` at "
        "the end of the route's path stands for. Not with the other ways to change a path.",
    )
    regex: Annotated[list[RegexRule], Field(min_length=1)] | None = Field(
        default=None, description="Patterns and what takes their places. The first one that is found is used."
    )
    addPrefix: _Prefix | None = Field(
        default=None, description="What is put in front of the path: `/v2` makes `/v2/x` of `/x`."
    )
    query: Query | None = Field(default=None, description="What becomes of the parameters of the query.")
    mapLocation: Claim = Field(
        default=False,
        description="Whether `Location` and `Content-Location` of answers, where they name a path of the "
        "target, are turned into what clients can ask for: with `strip_prefix: /api`, `/login` into "
        "`/api/login`. What is below the prefix already stays as it is.",
    )

    @model_validator(mode="after")
    def _makesSense(self) -> Self:
        if not (self.stripPrefix or self.replacePath or self.regex or self.addPrefix or self.query):
            raise ValueError("says nothing: it needs strip_prefix, replace_path, regex, add_prefix or query")
        if self.replacePath and (self.stripPrefix or self.regex or self.addPrefix):
            raise ValueError("has replace_path, beside which no other way to change the path has an effect")
        if self.mapLocation and not (self.stripPrefix or self.addPrefix):
            raise ValueError("has map_location, which means nothing without strip_prefix or add_prefix")
        return self


_COMPRESS = revision.Compress()


def _mediaType(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9!#$&^_.+*-]+/[a-z0-9!#$&^_.+*-]+", text.lower()):
        raise ValueError("is not a media type such as text/html or application/*+json")
    return text.lower()


class Compress(Section):
    """
    Which answers are compressed, for clients that say that they take it.
    """

    encodings: Annotated[list[revision.Coding], Field(min_length=1), AfterValidator(unique)] | None = Field(
        default=None,
        description="How, the preferred way first: `zstd`, `br` (these need the extra "
        "`smartproxy_tw[compress]`), `gzip`. Default: all that are possible here, in this order.",
    )
    types: Annotated[
        list[Annotated[str, AfterValidator(_mediaType)]], Field(min_length=1), AfterValidator(unique)
    ] = Field(
        default=list(_COMPRESS.types),
        description="Media types, or globs. An answer of another type, or of none, stays as it is. With "
        "`text/event-stream` named in full, each event goes on at once, as it does without.",
    )
    minBytes: Annotated[int, Field(ge=0, le=1048576), BeforeValidator(number)] = Field(
        default=_COMPRESS.minBytes,
        description="An answer that is known to be shorter stays as it is.",
    )
    level: Annotated[int, Field(ge=1, le=9), BeforeValidator(number)] = Field(
        default=_COMPRESS.level, description="From the least work (1) to the fewest bytes (9)."
    )


def _claimOrMapping(value: Any) -> str | None:
    return TAG + "claim" if isinstance(claim(value), bool) else shape(value)


#: What C{compress} can be.
Compression = Annotated[
    Annotated[Claim, Tag(TAG + "claim")] | Annotated[Compress, Tag(TAG + "mapping")],
    Discriminator(
        _claimOrMapping,
        custom_error_type="shape",
        custom_error_message="has to be true or false, or a mapping",
    ),
]


class PageForm(Section):
    """
    One form of an error page: a file or a text, in which blanks are filled in.
    """

    file: PathText | None = Field(
        default=None, description="A file, relative to the directory of this file, read anew at each reload."
    )
    body: Nonempty | None = Field(default=None, description="The page itself, in place of a file.")
    type: Annotated[str, AfterValidator(revisiontexts.mediaType)] | None = Field(
        default=None,
        description="The media type. Default: by the ending of the file, `.html`, `.txt`, `.json` or `.xml`; "
        "for a body `text/html` where it begins with `<`, `application/json` where it begins with `{`, and "
        "else `text/plain`; in UTF-8.",
    )

    @model_validator(mode="after")
    def _isOne(self) -> Self:
        if (self.file is None) == (self.body is None):
            raise ValueError("needs either file or body")
        return self


_OneForm = Annotated[
    Annotated[PathText, Tag(TAG + "text")] | Annotated[PageForm, Tag(TAG + "mapping")],
    byShape("has to be a file, or {file: } or {body: }"),
]
#: What stands under one status.
Page = Annotated[
    Annotated[PathText, Tag(TAG + "text")]
    | Annotated[PageForm, Tag(TAG + "mapping")]
    | Annotated[list[_OneForm], Field(min_length=1), Tag(TAG + "list")],
    byShape("has to be a file, {file: } or {body: }, or a list of these"),
]


def _status(text: str) -> str:
    if text != "from" and not re.fullmatch("[45](?:[0-9][0-9]|xx)", text):
        raise ValueError("is no status of an error: 400 to 599, 4xx, 5xx, or from was expected")
    return text


ErrorPages = Annotated[dict[Annotated[str, AfterValidator(_status)], Page], Field(min_length=1)]
