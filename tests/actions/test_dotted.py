"""
What a dotted name means is imported.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.dotted import found, foundCallable, search
from smartproxy_tw.config.dotted import Reference


class FoundTests(SynchronousTestCase):
    """
    L{found}.
    """

    def setUp(self) -> None:
        """
        A directory that Python is told of at its end.
        """
        self.place = Path(self.mktemp()).absolute()
        self.place.mkdir()
        self.patch(sys, "path", [*sys.path])
        self.before = set(sys.modules)
        self.addCleanup(self._forget)

    def _forget(self) -> None:
        for name in set(sys.modules) - self.before:
            if name.startswith("sp_dotted_"):
                del sys.modules[name]

    def _module(self, name: str, text: str) -> None:
        path = self.place / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def _why(self, name: str) -> str:
        return str(self.assertRaises(ValueError, found, Reference(name)))

    def test_found(self) -> None:
        """
        In a module, in a package, in a class; or it is there already.
        """
        self._module("sp_dotted_one.py", "class Shop:\n    @staticmethod\n    def pick(): return 7\n")
        self._module("sp_dotted_pack/__init__.py", "")
        self._module("sp_dotted_pack/inner.py", "def pick(): return 8\n")
        search([str(self.place)])
        search([str(self.place)])
        self.assertEqual(sys.path.count(str(self.place)), 1)
        self.assertEqual(sys.path[-1], str(self.place))
        self.assertEqual(found(Reference("sp_dotted_one.Shop.pick"))(), 7)
        self.assertEqual(found(Reference("sp_dotted_pack.inner.pick"))(), 8)
        for name in ("os.path.join", "os.path:join", "os:path.join"):
            self.assertIs(found(Reference(name)), os.path.join)
        self.assertIs(found(os.getcwd, ["/nowhere"]), os.getcwd)
        self.assertNotIn("/nowhere", sys.path)
        self.assertIs(found(Reference("os.path.join"), ["/nowhere"]), os.path.join)
        self.assertIn("/nowhere", sys.path)

    def test_notFound(self) -> None:
        """
        No module, nothing in the module, nothing in what is in the module.
        """
        self._module("sp_dotted_two.py", "def picker(): pass\nimport sp_dotted_gone\n")
        self._module("sp_dotted_three.py", "def picker(): pass\n")
        self._module("sp_dotted_five/__init__.py", "")
        search([str(self.place)])
        self.assertIn("no module sp_dotted_none", self._why("sp_dotted_none.pick"))
        self.assertIn("python_path", self._why("sp_dotted_none.pick"))
        self.assertIn("No module named 'sp_dotted_gone' (line 2 of", self._why("sp_dotted_two.pick"))
        self.assertIn("has no pick; did you mean picker?", self._why("sp_dotted_three.pick"))
        self.assertIn("sp_dotted_three.picker has no pick", self._why("sp_dotted_three.picker.pick"))
        self._module("sp_dotted_eight/__init__.py", "from .inner import inner\n")
        self._module("sp_dotted_eight/inner.py", "def inner(): pass\ndef pick(): return 9\n")
        self.assertIn("inner has no pick", self._why("sp_dotted_eight.inner.pick"))
        self.assertEqual(found(Reference("sp_dotted_eight.inner:pick"))(), 9)
        self.assertIn("sp_dotted_five has no inner", self._why("sp_dotted_five.inner.pick"))

    def test_failing(self) -> None:
        """
        A module that fails, or wants to end the process, is an error of the
        configuration that tells the place.
        """
        self._module("sp_dotted_four.py", "x = 1\nraise RuntimeError('no\\ndatabase')\n")
        self._module("sp_dotted_six.py", "import sys\nsys.exit(3)\n")
        self._module("sp_dotted_seven.py", "def nonsense(:\n")
        search([str(self.place)])
        self.assertIn("RuntimeError: no database (line 2 of", self._why("sp_dotted_four.pick"))
        self.assertIn("SystemExit: 3", self._why("sp_dotted_six.pick"))
        self.assertIn("SyntaxError", self._why("sp_dotted_seven.pick"))

    def test_callable(self) -> None:
        """
        What is to be called can be.
        """
        self.assertIs(foundCallable(Reference("os.path.join")), os.path.join)
        why = str(self.assertRaises(ValueError, foundCallable, Reference("os.sep")))
        self.assertIn("python:os.sep cannot be called: it is str", why)
