"""
What holds for every module at once: where it comes from, what importing it does,
and that all it offers is listed and described.  The direction of imports is
import-linter's matter (C{tox -e layers}).
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface, implementedBy
from zope.interface.interface import Method

import smartproxy_tw

ROOT = Path(smartproxy_tw.__file__).parent
TESTS = Path(__file__).parent

#: Who may name the global reactor: the composition root, the command line, and a worker's main.
MEET_THE_REACTOR = {"tap.py", "cli.py", "control/worker.py"}

#: Imports one module after the other and tells after which of them a reactor
#: was there, if any.
SURVEY = """
import importlib, json, sys
found = {}
for name in sys.argv[1:]:
    importlib.import_module(name)
    if "twisted.internet.reactor" in sys.modules:
        found["reactor"] = name
        break
print(json.dumps(found))
"""


@cache
def parsed(path: Path) -> ast.Module:
    """
    A file of Python, which several tests look through.
    """
    return ast.parse(path.read_text())


def moduleNames() -> Iterator[str]:
    """
    The dotted name of each module in the package.
    """
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if parts[-1] != "__main__":
            yield ".".join(parts)


def inFreshInterpreter(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """
    Run some code in a new Python that finds the same package.
    """
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


def exported(module: ModuleType) -> Iterator[tuple[str, object]]:
    """
    What a module offers and defines itself.
    """
    for name in module.__all__:
        value = getattr(module, name)
        if getattr(value, "__module__", module.__name__) == module.__name__:
            yield name, value


def isDescribedElsewhere(cls: type, name: str) -> bool:
    """
    Whether a method or property is described in the words of its class, by a
    class that it comes from, or by an interface that its class provides.
    """
    if any(f"@ivar {name}:" in (base.__doc__ or "") for base in cls.__mro__):
        return True
    if any(inspect.getdoc(getattr(base, name, None)) for base in cls.__mro__[1:]):
        return True
    return any(name in interface for interface in implementedBy(cls).flattened())


def undescribed(where: str, value: object) -> Iterator[str]:
    """
    Each public name in something exported that nobody has described.
    """
    if isinstance(value, type(Interface)):
        if not value.__doc__:
            yield where
        for name, what in value.namesAndDescriptions():
            if isinstance(what, Method) and not what.__doc__:
                yield f"{where}.{name}"
    elif inspect.isclass(value):
        if not value.__doc__:
            yield where
        for name, member in list(vars(value).items()):
            isOurs = inspect.isfunction(member) or isinstance(member, (property, classmethod, staticmethod))
            if name.startswith("_") or not isOurs:
                continue
            if not inspect.getdoc(member) and not isDescribedElsewhere(value, name):
                yield f"{where}.{name}"
    elif inspect.isfunction(value) and not value.__doc__:
        yield where


class PackageTests(SynchronousTestCase):
    """
    The package as a whole.
    """

    def test_underTestIsTheWheel(self) -> None:
        """
        Where the run says that a wheel is installed, that is what is imported.
        """
        if "SMARTPROXY_TW_INSTALLED" not in os.environ:
            self.assertEqual(ROOT.parent, TESTS.parent, "a checkout tests itself")
            return
        self.assertEqual(str(ROOT.parent), sysconfig.get_path("purelib"))

    def test_noReactor(self) -> None:
        """
        Importing any module leaves the choice of a reactor to the program.
        """
        ran = inFreshInterpreter(SURVEY, *moduleNames())
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(json.loads(ran.stdout), {})

    def test_whoMeetsTheReactor(self) -> None:
        """
        The global reactor is named in the composition root and nowhere else.
        """
        offenders = set()
        for path in sorted(ROOT.rglob("*.py")):
            for node in ast.walk(parsed(path)):
                if isinstance(node, ast.ImportFrom):
                    names = {f"{node.module}.{alias.name}" for alias in node.names}
                elif isinstance(node, ast.Import):
                    names = {alias.name for alias in node.names}
                else:
                    continue
                if "twisted.internet.reactor" in names:
                    offenders.add(str(path.relative_to(ROOT)))
        self.assertEqual(offenders - MEET_THE_REACTOR, set())

    def test_testsAlone(self) -> None:
        """
        The tests that need nothing but Python borrow nothing from the live ones,
        which are not beside them where the wheel is tested.
        """
        offenders = set()
        for path in sorted(TESTS.rglob("*.py")):
            if TESTS / "live" in path.parents:
                continue
            for node in ast.walk(parsed(path)):
                if isinstance(node, ast.ImportFrom) and "live" in (node.module or "").split("."):
                    offenders.add(str(path.relative_to(TESTS)))
        self.assertEqual(offenders, set())

    def test_otherSystems(self) -> None:
        """
        Anywhere but on Linux there is one error, and it says what to do.
        """
        ran = inFreshInterpreter("import sys; sys.platform = 'freebsd14'; import smartproxy_tw")
        self.assertNotEqual(ran.returncode, 0)
        self.assertIn("runs on Linux only, and this is freebsd14", ran.stderr.splitlines()[-1])

    def test_annotationsAreLazy(self) -> None:
        """
        Every module opens with a docstring, and with the future import where it
        has any code.
        """
        for path in sorted(ROOT.rglob("*.py")):
            tree = parsed(path)
            if not tree.body:
                continue
            where = str(path.relative_to(ROOT))
            self.assertTrue(ast.get_docstring(tree), f"{where} does not say what it is for")
            if len(tree.body) > 1:
                opens = tree.body[1]
                isFuture = isinstance(opens, ast.ImportFrom) and opens.module == "__future__"
                self.assertTrue(isFuture, f"{where} does not open with the future import")

    def test_everythingIsListedAndDescribed(self) -> None:
        """
        Each module has an C{__all__} whose names exist, and each public name in
        it has a docstring: its own, or that of the interface it provides.
        """
        missing = []
        for name in moduleNames():
            module = importlib.import_module(name)
            if not module.__doc__ and hasattr(module, "__path__"):
                continue
            if not hasattr(module, "__all__"):
                if not hasattr(module, "__path__"):
                    missing.append(f"{name}.__all__")
                continue
            for word, value in exported(module):
                missing.extend(undescribed(f"{name}.{word}", value))
        self.assertEqual(missing, [])

    def test_testsSayWhatTheyTell(self) -> None:
        """
        Each test has its sentence.
        """
        silent = [
            f"{path.relative_to(TESTS)}:{node.lineno} {node.name}"
            for path in sorted(TESTS.rglob("test_*.py"))
            for node in ast.walk(parsed(path))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            and node.name.startswith("test_")
            and not ast.get_docstring(node)
        ]
        self.assertEqual(silent, [])
