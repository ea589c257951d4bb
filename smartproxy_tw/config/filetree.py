"""
What a route means that answers with files of a directory.
"""

from __future__ import annotations

from typing import Literal

from ..values import dataclass

__all__ = ["Coding", "FileTree"]

#: Under which codings files may lie there that are compressed already.
Coding = Literal["br", "zstd", "gzip"]


@dataclass(frozen=True, slots=True)
class FileTree:
    """
    Answer with the files below a directory.

    @ivar root: Absolute path of the directory.
    @ivar index: Names of files that stand for the directory that they are in, the first
        one that is there.
    @ivar listing: Whether a directory without any of these is listed.
    @ivar cache: Pairs of a glob and a value of Cache-Control; the first one that matches
        counts.  A glob with a slash is for the whole path below the root, with C{/} before it,
        any other one for the name of the file.
    @ivar precompressed: Which files beside the one that was asked for may be sent in its
        place, the best one first: C{.br}, C{.zst}, C{.gz}.
    @ivar fallback: The path below the root, with C{/} before it, of what is sent with 200 where
        there is nothing; L{None}: 404.
    @ivar notFound: Likewise of what is sent with 404.  Not beside C{fallback}.
    @ivar hidden: What becomes of names with a dot before them: C{deny}: they are as if they
        were not there, but for C{.well-known}.
    @ivar symlinks: Whether symbolic links below the root count: C{refuse}: they are as if
        they were not there.  C{within}: if they lead to somewhere below the root.
        C{follow}: wherever they lead.
    @ivar stripPrefix: What is cut off the path first: empty, or with a slash before and none
        behind.
    """

    root: str
    index: tuple[str, ...] = ("index.html",)
    listing: bool = False
    cache: tuple[tuple[str, str], ...] = ()
    precompressed: tuple[Coding, ...] = ()
    fallback: str | None = None
    notFound: str | None = None
    hidden: Literal["deny", "serve"] = "deny"
    symlinks: Literal["refuse", "within", "follow"] = "within"
    stripPrefix: str = ""
