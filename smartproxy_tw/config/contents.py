"""
How it is written that a route answers with files: a part of the language of
L{smartproxy_tw.config.schema}.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Tag

from .section import TAG, Claim, PathText, Section, byShape, unique
from .texts import fieldValue

__all__ = ["Contents"]


def _fileName(text: str) -> str:
    if not text or "/" in text or "\0" in text or text in (".", ".."):
        raise ValueError("has to be the name of a file, without a directory")
    return text


def _inside(text: str) -> str:
    parts = text.split("/")[1:]
    if not text.startswith("/") or "\0" in text or any(part in ("", ".", "..") for part in parts):
        raise ValueError("has to be the path of a file below the root, with a slash before it: /404.html")
    return text


def _prefix(text: str) -> str:
    text = text.removesuffix("/*").rstrip("/")
    if not text.startswith("/") or "//" in text or "*" in text or ":" in text:
        raise ValueError("has to be the beginning of a path: /static")
    return text


_FileName = Annotated[str, AfterValidator(_fileName)]
_FileNames = Annotated[
    Annotated[_FileName, Tag(TAG + "text")]
    | Annotated[list[_FileName], AfterValidator(unique), Tag(TAG + "list")],
    byShape("has to be the name of a file or a list of them"),
]
_Coding = Literal["br", "zstd", "gzip"]
_Glob = Annotated[str, Field(min_length=1)]


class Contents(Section):
    """
    Answer with the files below a directory.
    """

    type: Literal["files"] = Field(description="Files.")
    root: PathText = Field(
        description="The directory, relative to that of this file. It has to be there when the configuration "
        "is read."
    )
    index: _FileNames = Field(
        default=["index.html"],
        description="Names of files that stand for the directory that they are in, one or a list; the first "
        "one that is there.",
    )
    listing: Claim = Field(
        default=False, description="Whether a directory without such a file is listed for who asks."
    )
    cache: dict[_Glob, Annotated[str, AfterValidator(fieldValue)]] = Field(
        default_factory=dict,
        description="What the field Cache-Control says, by glob: `'*.html': no-cache`. A glob with a slash "
        "is for the whole path below the root (`/assets/*`), any other for the name of the file. The first "
        "one that matches counts; without one the field is left out.",
    )
    precompressed: Annotated[list[_Coding], AfterValidator(unique)] = Field(
        default_factory=list,
        description="Send `x.css.br`, `x.css.zst` or `x.css.gz` in place of `x.css` to those who take it: "
        "any of `br`, `zstd` and `gzip`, the best one first.",
    )
    fallback: Annotated[str, AfterValidator(_inside)] | None = Field(
        default=None,
        description="A file below the root that is sent with status 200 where there is nothing, for "
        "applications that run in the browser: `/index.html`.",
    )
    notFound: Annotated[str, AfterValidator(_inside)] | None = Field(
        default=None, description="A file below the root that is sent with status 404: `/404.html`."
    )
    hidden: Literal["deny", "serve"] = Field(
        default="deny",
        description="`deny`: names that begin with a dot are as if they were not there, but for "
        "`.well-known`.",
    )
    symlinks: Literal["refuse", "within", "follow"] = Field(
        default="within",
        description="Which symbolic links below the root count. `within`: those that lead to somewhere below "
        "the root; `refuse`: none; `follow`: all.",
    )
    stripPrefix: Annotated[str, AfterValidator(_prefix)] | None = Field(
        default=None,
        description="What is cut off the path of the request first: with `/static` the file of "
        "`/static/a.css` is `a.css`.",
    )
