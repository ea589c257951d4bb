"""
Tests for L{smartproxy_tw.config.modules}.
"""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.modules import importProblem


class ImportProblemTests(SynchronousTestCase):
    """
    L{importProblem}.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        package = self.directory / "package_of_this_test"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise RuntimeError('run')\n")

    def problem(self, text: str, name: str) -> str | None:
        """
        What is wrong with a name in a module with this text.
        """
        (self.directory / "package_of_this_test" / "module.py").write_text(text)
        (dotted, colon) = (
            importProblem(f"package_of_this_test.module{each}{name}", [str(self.directory)]) for each in ".:"
        )
        self.assertEqual(dotted, colon)
        return colon

    def test_bound(self) -> None:
        """
        Every way to bind a name at the top of a module counts, and none of what is below.
        """
        for text in (
            "app = 1",
            "app: int = 1",
            "a, (app, b) = 1, (2, 3)",
            "def app(): pass",
            "async def app(): pass",
            "class app: pass",
            "import app",
            "import app.x",
            "from x import y as app",
            "from x import *",
            "if 1:\n  app = 1",
            "try:\n  import json\nexcept Exception as app: pass",
            "with x as app: pass",
            "for app in (): pass",
            "def f():\n  global app\n  app = 1",
            "def __getattr__(name): return name",
            "globals()['app'] = 1",
            "print(app := 1)",
        ):
            self.assertIs(self.problem(text, "app"), None, text)
            self.assertIs(self.problem(text, "app.wsgi"), None, text)
        for text in ("", "x = 1", "def f():\n  app = 1", "class A:\n  app = 1", "print(app)", "x.app = 1"):
            told = self.problem(text, "app")
            self.assertIsNotNone(told, text)
            self.assertIn("there is no app in ", told or "")
            self.assertIn("module.py", told or "")
        self.assertIn("; did you mean apple?", self.problem("apple = 1", "appel") or "")
        told = self.problem("x = 1\nthis is no Python", "app")
        self.assertIn("line 2 of ", told or "")
        self.assertIn("module.py is no Python: invalid syntax", told or "")
        self.assertTrue((self.problem("picker = 1", "pick") or "").endswith("; did you mean picker?"))

    def test_modules(self) -> None:
        """
        Modules are found without being imported.
        """
        self.problem("app = 1", "app")
        self.assertNotIn("package_of_this_test", sys.modules)
        for name, words in (
            ("nothing_of_this_test:app", "there is no module nothing_of_this_test; python_path says"),
            ("package_of_this_test.nothing:app", "there is no module package_of_this_test.nothing;"),
            ("package_of_this_test.module.x:app", "package_of_this_test.module is no package"),
            ("package_of_this_test.nothing.app", "there is no module package_of_this_test.nothing;"),
            ("package_of_this_test.nothing", "there is no nothing in "),
            ("json:nothing", "there is no nothing in "),
            ("os.path.nothing", "there is no nothing in "),
        ):
            self.assertIn(words, importProblem(name, [str(self.directory)]) or "")
        for name in (
            "json:dumps",
            "sys:exit",
            "zipimport:zipimporter",
            "os.path:join",
            "os.path.join",
            "json.decoder",
            "twisted.web.server:Site",
        ):
            self.assertIs(importProblem(name, []), None, name)
