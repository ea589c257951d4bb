"""
Tests for L{smartproxy_tw.config.filetree}.
"""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

from pydantic.alias_generators import to_snake
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.filetree import Coding, FileTree
from smartproxy_tw.config.schema import jsonSchema

from .reading import route


class FileTreeTests(SynchronousTestCase):
    """
    A route that answers with files.
    """

    def test_options(self) -> None:
        """
        Each field is an option of that name, and each option but two is a field.
        """
        options = set(jsonSchema()["$defs"]["Files"]["properties"])
        self.assertEqual({to_snake(each.name) for each in fields(FileTree)}, options - {"type", "tls"})

    def test_defaults(self) -> None:
        """
        What is left out in a file is what is left out in Python.
        """
        self.assertEqual(route("{ports: 8}", "{type: files, root: /}").action, FileTree("/"))

    def test_codings(self) -> None:
        """
        Every coding can be named, in the order of whoever names them.
        """
        for codings in (get_args(Coding), get_args(Coding)[::-1]):
            found = route("{ports: 8}", f"{{type: files, root: /, precompressed: [{', '.join(codings)}]}}")
            self.assertEqual(found.action, FileTree("/", precompressed=codings))
