"""
Tests for L{tests.conformance}, and of the page that the manual makes of it.
"""

from __future__ import annotations

import ast
import os
from importlib import import_module
from pathlib import Path

from twisted.trial.runner import TestLoader
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.schema import jsonSchema

from .config.test_schema import optionsOf
from .conformance import EFFECTS, MISHAPS

#: Where the tests are that are not run here.
CHECKOUT = Path(os.environ.get("SMARTPROXY_TW_CHECKOUT") or Path(__file__).parent.parent)

#: Tests of whole processes are looked up in their text: what they import needs more than Python.
LIVE = "tests.live."


def isThere(test: str) -> bool:
    """
    Whether there is a test of that name, which trial runs.
    """
    module, kind, method = test.rsplit(".", 2)
    if not test.startswith(LIVE):
        found = getattr(import_module(module), kind, object)
        return method.startswith(TestLoader.methodPrefix) and callable(getattr(found, method, None))
    path = CHECKOUT.joinpath(*module.split(".")).with_suffix(".py")
    return any(
        isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and member.name == method
        for each in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(each, ast.ClassDef) and each.name == kind
        for member in each.body
    )


class ConformanceTests(SynchronousTestCase):
    """
    Promises, and who holds us to them.
    """

    def test_everyOption(self) -> None:
        """
        Every option of the schema has a test of what comes of it, and no other has one.
        """
        options = {name for name, _ in optionsOf(jsonSchema())}
        self.assertEqual(sorted(options - EFFECTS.keys()), [], "these have no test")
        self.assertEqual(sorted(EFFECTS.keys() - options), [], "these are no options")

    def test_everyTest(self) -> None:
        """
        Every test that is named is there.
        """
        named = {*EFFECTS.values(), *(test for _, test in MISHAPS)}
        self.assertEqual([test for test in sorted(named) if not isThere(test)], [])

    def test_reading(self) -> None:
        """
        That an option can be read is not what comes of it, but for those that say just what may be read.
        """
        module = "tests.config.test_schema."
        self.assertEqual(
            [name for name, test in EFFECTS.items() if test.startswith(module)], ["Admin.allow_remote"]
        )

    def test_mishaps(self) -> None:
        """
        Each mishap is told once, in a sentence, and has a test of its own.
        """
        self.assertEqual(len({test for _, test in MISHAPS}), len(MISHAPS))
        for told, _ in MISHAPS:
            self.assertRegex(told, r"\A[A-Z][^\n]+\.\Z")
