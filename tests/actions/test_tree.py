"""
Tests for L{smartproxy_tw.actions.tree}.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.tree import Exhausted, Forbidden, Missing, Tree, Unnamed, segments
from smartproxy_tw.config.filetree import FileTree

from ..examples import examples

_PIECES = (
    "a",
    "b",
    "deep",
    "loop",
    "out",
    "up",
    "abs",
    "secret",
    "%2e",
    "%2E%2e",
    "..",
    ".",
    "%2f",
    "%5c",
    "\\",
)
_NAMES = st.lists(
    st.sampled_from((*_PIECES, "%00", "", "%", "%zz", "%252e%252e", "...", "%c3%a9")), max_size=6
)


def planted(test: Any) -> Path:
    """
    A directory with whatever may lead out of it.
    """
    top = Path(test.mktemp()).absolute()
    root = top / "root"
    (root / "deep" / "er").mkdir(parents=True)
    (top / "secret").write_text("secret")
    (top / "outside").mkdir()
    (top / "outside" / "secret").write_text("secret")
    (root / "a").write_text("a")
    (root / "deep" / "b").write_text("b")
    (root / "é").write_text("e")
    (root / ".hidden").write_text("hidden")
    (root / ".well-known").mkdir()
    (root / ".well-known" / "a").write_text("known")
    (root / "out").symlink_to("../outside")
    (root / "secret").symlink_to("../secret")
    (root / "deep" / "up").symlink_to("../../secret")
    (root / "deep" / "home").symlink_to("..")
    (root / "deep" / "a").symlink_to("../a")
    (root / "abs").symlink_to(root / "deep")
    (root / "absout").symlink_to(top / "outside")
    (root / "near").symlink_to(str(root) + "-not/a")
    (root / "loop").symlink_to("loop")
    (root / "broken").symlink_to("nowhere")
    (root / "chain").symlink_to("abs/home/deep/../a")
    return root


class SegmentTests(SynchronousTestCase):
    """
    L{segments}.
    """

    def test_names(self) -> None:
        """
        Names are decoded once, and once only.
        """
        for path, wanted in (
            ("/", ([], True)),
            ("/a", ([b"a"], False)),
            ("/a/", ([b"a"], True)),
            ("/a%20b/%C3%A9", ([b"a b", "é".encode()], False)),
            ("/%252e%252e/%25", ([b"%2e%2e", b"%"], False)),
            ("/.../..a", ([b"...", b"..a"], False)),
        ):
            self.assertEqual(segments(path), wanted, path)

    def test_unnamed(self) -> None:
        """
        What no file can be called is refused.
        """
        for path in (
            "*",
            "a",
            "//",
            "//evil.test/",
            "/a//b",
            "/../a",
            "/%2e%2e/a",
            "/.%2E",
            "/./a",
            "/a%2fb",
            "/a%5Cb",
            "/a\\..\\b",
            "/a%00",
            "/%",
            "/%a",
            "/%zz",
        ):
            self.assertRaises(Unnamed, segments, path)


class TreeTests(SynchronousTestCase):
    """
    L{Tree}.
    """

    def setUp(self) -> None:
        self.root = planted(self)

    def read(self, path: str, **settings: Any) -> str | None:
        """
        What is found at a path; L{None}: nothing.
        """
        before = len(os.listdir("/proc/self/fd"))
        try:
            opened = Tree(FileTree(str(self.root), **settings)).open(segments(path)[0])
        except (Missing, Forbidden):
            self.assertEqual(len(os.listdir("/proc/self/fd")), before)
            return None
        try:
            return "/" if opened.isDirectory else os.read(opened.descriptor, 100).decode()
        finally:
            opened.close()
            opened.close()
            self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_plain(self) -> None:
        """
        Files and directories are found, by each rule.
        """
        for symlinks in ("refuse", "within", "follow"):
            for path, wanted in (
                ("/", "/"),
                ("/a", "a"),
                ("/deep", "/"),
                ("/deep/b", "b"),
                ("/%C3%A9", "e"),
                ("/nothing", None),
                ("/a/b", None),
                ("/deep/nothing/b", None),
                ("/" + "x" * 300, None),
                ("/deep/" + "er/" * 100, None),
            ):
                self.assertEqual(self.read(path, symlinks=symlinks), wanted, (path, symlinks))

    def test_hidden(self) -> None:
        """
        Names with a dot are not there unless they are to be.
        """
        self.assertIs(self.read("/.hidden"), None)
        self.assertEqual(self.read("/.hidden", hidden="serve"), "hidden")
        self.assertEqual(self.read("/.well-known/a"), "known")

    def test_links(self) -> None:
        """
        Which links count.
        """
        for path, wanted in (
            ("/deep/a", (None, "a", "a")),
            ("/abs", (None, "/", "/")),
            ("/abs/b", (None, "b", "b")),
            ("/abs/home/deep/b", (None, "b", "b")),
            ("/chain", (None, "a", "a")),
            ("/out/secret", (None, None, "secret")),
            ("/secret", (None, None, "secret")),
            ("/deep/up", (None, None, "secret")),
            ("/absout/secret", (None, None, "secret")),
            ("/near", (None, None, None)),
            ("/loop", (None, None, None)),
            ("/broken", (None, None, None)),
        ):
            for symlinks, each in zip(("refuse", "within", "follow"), wanted, strict=True):
                self.assertEqual(self.read(path, symlinks=symlinks), each, (path, symlinks))

    def test_rootIsLink(self) -> None:
        """
        The root itself may be a link, which is followed anew each time: so a new release
        takes the place of an old one.
        """
        link = self.root.parent / "current"
        link.symlink_to("root")
        tree = Tree(FileTree(str(link), symlinks="refuse"))
        tree.open([b"a"]).close()
        link.unlink()
        link.symlink_to("outside")
        self.assertRaises(Missing, tree.open, [b"a"])
        tree.open([b"secret"]).close()

    def test_others(self) -> None:
        """
        What is neither a file nor a directory is not there, and nobody waits for it.
        """
        os.mkfifo(self.root / "fifo")
        with socket.socket(socket.AF_UNIX) as sock:
            here = os.getcwd()
            os.chdir(self.root)
            try:
                sock.bind("sock")
            finally:
                os.chdir(here)
            for symlinks in ("refuse", "within", "follow"):
                self.assertIs(self.read("/fifo", symlinks=symlinks), None)
                self.assertIs(self.read("/sock", symlinks=symlinks), None)

    def test_forbidden(self) -> None:
        """
        What may not be read is told apart from what is not there.
        """
        if os.geteuid() == 0:
            # Root may read everything, so the kernel is spoken for.
            self.patch(os, "open", lambda *args, **named: (_ for _ in ()).throw(PermissionError()))
        else:
            (self.root / "a").chmod(0)
        self.assertRaises(Forbidden, Tree(FileTree(str(self.root))).open, [b"a"])

    def test_outOfDescriptors(self) -> None:
        """
        That there are no descriptors is no reason to say that there is no file.
        """

        def exhausted(*args: Any, **named: Any) -> int:
            raise OSError(24, "Too many open files")

        tree = Tree(FileTree(str(self.root)))
        directory = tree.open([b"deep"])
        self.addCleanup(directory.close)
        self.patch(os, "open", exhausted)
        self.patch(os, "scandir", exhausted)
        for symlinks in ("refuse", "within", "follow"):
            found = Tree(FileTree(str(self.root), symlinks=symlinks))  # type: ignore[arg-type]
            why = self.assertRaises(Exhausted, found.open, [b"a"])
            self.assertEqual(str(why), "Too many open files")
        # Nor to say that there is nothing in a directory.
        self.assertRaises(Exhausted, list, tree.list(directory, 10))

    @examples(400)
    @given(_NAMES)
    def test_nothingOutside(self, names: list[str]) -> None:
        """
        Whatever is asked for, nothing outside of the root is ever opened.
        """
        root = os.path.realpath(self.root)
        for symlinks in ("refuse", "within"):
            tree = Tree(FileTree(str(self.root), symlinks=symlinks))  # type: ignore[arg-type]
            try:
                opened = tree.open(segments("/" + "/".join(names))[0])
            except (Unnamed, Missing):
                continue
            where = os.readlink(f"/proc/self/fd/{opened.descriptor}")
            opened.close()
            self.assertTrue(where == root or where.startswith(root + "/"), where)

    def test_race(self) -> None:
        """
        A name that becomes a link after its kind was found out leads nowhere: each step opens
        without following.
        """
        deep = self.root / "deep"
        opening = os.open

        def swapping(path: Any, flags: int, *args: Any, **named: Any) -> int:
            if path == b"b":
                deep.rename(self.root / "moved")
                deep.symlink_to(self.root.parent / "outside")
                (self.root / "moved" / "b").unlink()
                (self.root / "moved" / "b").symlink_to(self.root.parent / "secret")
            return opening(path, flags, *args, **named)

        self.patch(os, "open", swapping)
        self.assertRaises(Missing, Tree(FileTree(str(self.root))).open, [b"deep", b"b"])

    def test_list(self) -> None:
        """
        A directory is listed without what is not to be seen.
        """
        for settings, wanted in (
            ({"symlinks": "refuse"}, {b"a", b"deep", "é".encode(), b".well-known"}),
            (
                {"hidden": "serve", "symlinks": "refuse"},
                {b"a", b"deep", "é".encode(), b".well-known", b".hidden"},
            ),
        ):
            tree = Tree(FileTree(str(self.root), **settings))  # type: ignore[arg-type]
            opened = tree.open([])
            found = {name: isDirectory for name, isDirectory, _ in tree.list(opened, 100)}
            self.assertEqual(len(list(tree.list(opened, 2))), 2)
            opened.close()
            self.assertEqual(found.keys(), wanted)
            self.assertTrue(found[b"deep"])
            self.assertFalse(found[b"a"])
