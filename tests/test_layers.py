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
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
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

#: Imports what a process needs that reads a configuration, and tells what of Twisted it needed.
#: Then imports one module after the other and tells after which of them a reactor was there,
#: if any.
SURVEY = """
import importlib, json, sys
import smartproxy_tw.service.reading, smartproxy_tw.config.resolution
found = {"twisted": [name for name in sys.modules if name.partition(".")[0] == "twisted"]}
for name in sys.argv[1:]:
    importlib.import_module(name)
    if "twisted.internet.reactor" in sys.modules:
        found["reactor"] = name
        break
print(json.dumps(found))
"""


#: What a file has to have in it before it can import the global reactor, or something of the
#: live tests.  Only such a file is parsed: parsing all of them takes seconds.
MAY_MEET_THE_REACTOR = re.compile(r"twisted\.internet(\.reactor\b|\s+import\b)")
MAY_BORROW = re.compile(r"\bfrom[\s\\.\w]*\blive\b")

#: The beginning of a test, and the beginning of one that has its sentence for sure.
TEST = re.compile(r"\bdef\s+test_")
TEST_THAT_SAYS = re.compile(r'\bdef test_\w+\([^()]*\)(?: -> [\w.\[\], ]+)?:\n +r?"""\n? *\w')

FUTURE = "from __future__ import annotations\n"


def meetsTheReactor(text: str) -> bool:
    """
    Whether a file imports the global reactor.
    """
    if not MAY_MEET_THE_REACTOR.search(text):
        return False
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
        else:
            continue
        if "twisted.internet.reactor" in names:
            return True
    return False


def borrows(text: str) -> bool:
    """
    Whether a file imports from the live tests.
    """
    return bool(MAY_BORROW.search(text)) and any(
        isinstance(node, ast.ImportFrom) and "live" in (node.module or "").split(".")
        for node in ast.walk(ast.parse(text))
    )


def silent(text: str) -> list[str]:
    """
    The tests of a file that do not say what they tell, with their lines.
    """
    if len(TEST.findall(text)) == len(TEST_THAT_SAYS.findall(text)):
        return []
    return [
        f"{node.lineno} {node.name}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name.startswith("test_")
        and not (ast.get_docstring(node) or "").strip()
    ]


def badlyOpened(text: str) -> str | None:
    """
    What is wrong with the beginning of a module, which is parsed as far as the future import,
    or wholly where there is none.
    """
    head, future, _ = text.partition(FUTURE)
    tree = ast.parse(head)
    if not tree.body and not future:
        return None
    if not ast.get_docstring(tree):
        return "does not say what it is for"
    return None if len(tree.body) == 1 else "does not open with the future import"


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
        Importing any module leaves the choice of a reactor to the program; reading a
        configuration does without Twisted.
        """
        ran = inFreshInterpreter(SURVEY, *moduleNames())
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(json.loads(ran.stdout), {"twisted": []})

    def test_whoMeetsTheReactor(self) -> None:
        """
        The global reactor is named in the composition root and nowhere else.
        """
        offenders = {
            str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if meetsTheReactor(path.read_text())
        }
        self.assertEqual(offenders - MEET_THE_REACTOR, set())

    def test_testsAlone(self) -> None:
        """
        The tests that need nothing but Python borrow nothing from the live ones,
        which are not beside them where the wheel is tested.
        """
        offenders = {
            str(path.relative_to(TESTS))
            for path in TESTS.rglob("*.py")
            if TESTS / "live" not in path.parents and borrows(path.read_text())
        }
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
            self.assertIsNone(badlyOpened(path.read_text()), path.relative_to(ROOT))

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
        found = [
            f"{path.relative_to(TESTS)}:{each}"
            for path in sorted(TESTS.rglob("test_*.py"))
            for each in silent(path.read_text())
        ]
        self.assertEqual(found, [])


class LookingTests(SynchronousTestCase):
    """
    What is looked for in the files is found there.
    """

    def test_reactor(self) -> None:
        """
        The reactor is found wherever and however it is imported, and is not where
        something else is.
        """
        for text in (
            "from twisted.internet import reactor",
            "def f():\n    from twisted.internet import (\n        defer,\n        reactor as r,\n    )",
            "import twisted.internet.reactor",
            "from twisted.internet.reactor import callLater\nimport twisted.internet.reactor as r",
        ):
            self.assertTrue(meetsTheReactor(text), text)
        for text in ("from twisted.internet import defer  # no reactor", "x = 'twisted.internet.reactor'"):
            self.assertFalse(meetsTheReactor(text), text)

    def test_live(self) -> None:
        """
        So is what a test has from the live ones.
        """
        for text in (
            "from tests.live import x",
            "def f():\n    from .live.named import (\n        x,\n    )",
            "from ..live import x",
            "from \\\n    .live import x",
            "from . live import x",
        ):
            self.assertTrue(borrows(text), text)
        for text in ("from .lively import x", "'from .live import x'", "from .x import live"):
            self.assertFalse(borrows(text), text)

    def test_silent(self) -> None:
        """
        A test without a sentence is found among those that have one.
        """
        says = 'def test_a(self) -> None:\n    """\n    Says.\n    """\n'
        for text in (
            "def test_b(self) -> None:\n    pass\n",
            'def test_b(self) -> None:\n    """\n    """\n',
            'def test_b(self) -> None:\n    "" """\n    """\n',
            "async def test_b(self):\n    pass\n",
            "class B:\n    def  test_b(self):\n        pass\n",
        ):
            self.assertEqual([each.split()[1] for each in silent(says + text)], ["test_b"], text)
        self.assertEqual(silent(says + "async " + says + "def other():\n    pass\n"), [])
        self.assertEqual(silent('def test_a(self, how=(1, 2)) -> "x":\n    "Says."\n'), [])

    def test_opening(self) -> None:
        """
        A module has a docstring and then the future import; one without code needs no
        import, and an empty one nothing.
        """
        for text in ("", "# nothing\n", '"""\nSays.\n"""\n', '"""\nSays.\n"""\n\n' + FUTURE + "import os\n"):
            self.assertIsNone(badlyOpened(text), text)
        for text in ("import os\n", FUTURE, FUTURE + "import os\n"):
            self.assertEqual(badlyOpened(text), "does not say what it is for")
        for text in ('"""\nSays.\n"""\nimport os\n', '"""\nSays.\n"""\nimport os\n' + FUTURE):
            self.assertEqual(badlyOpened(text), "does not open with the future import")
