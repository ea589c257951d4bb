"""
Tests for L{smartproxy_tw.service.openapi}: the description as a document.  That answers
are as it says is seen in L{tests.service.test_overview}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.openapi import description


def references(node: Any) -> Iterator[str]:
    """
    All that is referred to.
    """
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for each in node.values():
            yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


class DescriptionTests(SynchronousTestCase):
    """
    The document.
    """

    def test_whole(self) -> None:
        """
        It is JSON, every reference leads somewhere, and nothing is described that no
        answer is.
        """
        found = json.loads(json.dumps(description()))
        self.assertTrue(found["openapi"].startswith("3.1."))
        schemas = {f"#/components/schemas/{name}" for name in found["components"]["schemas"]}
        self.assertEqual(set(references(found)), schemas)

    def test_operations(self) -> None:
        """
        Every operation has a summary, an answer and a word about refusals; whatever
        changes something says what is sent.
        """
        for path, operations in description()["paths"].items():
            for verb, operation in operations.items():
                self.assertTrue(operation["summary"], path)
                self.assertIn("default", operation["responses"])
                self.assertEqual(len(operation["responses"]), 2)
                self.assertEqual("requestBody" in operation, verb != "get", path)
