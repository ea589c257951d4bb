"""
Tests for L{smartproxy_tw.interfaces}: that what says it provides one of them does, and that
each can be read by who provides it from outside.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface, implementedBy, implementer
from zope.interface.exceptions import Invalid
from zope.interface.interface import InterfaceClass, Method
from zope.interface.verify import verifyClass

from smartproxy_tw import interfaces

from .test_layers import inFreshInterpreter, moduleNames

#: Those that nobody here provides: they are for other people's code.
FOREIGN = {"IActionPlugin", "ICondition", "IMatcherPlugin", "ISource", "IUpstreamPlugin"}

PARAMETER = re.compile(r"@param (\w+):")


def every() -> dict[str, InterfaceClass]:
    """
    All of them, by name.
    """
    return {name: getattr(interfaces, name) for name in interfaces.__all__}


def methods(interface: InterfaceClass) -> Iterator[tuple[str, Method]]:
    """
    What is called.
    """
    for name, what in interface.namesAndDescriptions(all=True):
        if isinstance(what, Method):
            yield name, what


def providers() -> Iterator[tuple[InterfaceClass, type]]:
    """
    Each class of the package that says it provides one of them, with that one.
    """
    own = set(every().values())
    for name in moduleNames():
        for value in vars(importlib.import_module(name)).values():
            if inspect.isclass(value) and value.__module__ == name:
                yield from ((each, value) for each in implementedBy(value).flattened() if each in own)


def misfits(interface: InterfaceClass, cls: type) -> Iterator[str]:
    """
    In what a class is not what it says.
    """
    try:
        verifyClass(interface, cls)
    except Invalid as why:
        yield str(why)
    for name, _ in methods(interface):
        if inspect.iscoroutinefunction(getattr(cls, name, None)):
            yield f"{name} is a coroutine function: it would do nothing until somebody awaits it"


class InterfacesTests(SynchronousTestCase):
    """
    All of them.
    """

    def test_listed(self) -> None:
        """
        The module offers its interfaces, each of them, and nothing else.
        """
        own = {
            name
            for name, value in vars(interfaces).items()
            if isinstance(value, InterfaceClass) and value.__module__ == interfaces.__name__
        }
        self.assertEqual(set(interfaces.__all__), own)
        self.assertEqual(len(interfaces.__all__), len(own))

    def test_alone(self) -> None:
        """
        Whoever provides one needs nothing else of this package, nor Twisted, to import it.
        """
        ran = inFreshInterpreter(
            "import sys, smartproxy_tw.interfaces\n"
            "rooms = {'.'.join(each.split('.')[:2]) for each in sys.modules}\n"
            "print(sorted(each for each in rooms if each.startswith(('smartproxy_tw', 'twisted'))))"
        )
        self.assertEqual(ran.stdout.strip(), "['smartproxy_tw', 'smartproxy_tw.interfaces']", ran.stderr)

    def test_provided(self) -> None:
        """
        What the package says it provides it does: every method, with parameters that fit, and
        none that does nothing when it is called.
        """
        found: dict[str, list[str]] = {}
        for interface, cls in providers():
            found.setdefault(interface.__name__, []).extend(
                f"{cls.__module__}.{cls.__name__}: {each}" for each in misfits(interface, cls)
            )
        self.assertEqual({name: wrong for name, wrong in found.items() if wrong}, {})
        self.assertEqual(set(every()) - set(found), FOREIGN)

    def test_parameters(self) -> None:
        """
        Parameters are described by the names that they have.
        """
        for name, interface in every().items():
            for verb, method in methods(interface):
                described = PARAMETER.findall(method.__doc__ or "")
                known = method.getSignatureInfo()["positional"]
                self.assertLessEqual(set(described), set(known), f"{name}.{verb}")
                self.assertEqual(len(described), len(set(described)), f"{name}.{verb}")
                self.assertNotIn("self", known, f"{name}.{verb}")

    def test_contracts(self) -> None:
        """
        Each says what it is, and so does each of its methods and attributes.
        """
        for name, interface in every().items():
            self.assertTrue(interface.__doc__.strip(), name)
            for word, what in interface.namesAndDescriptions():
                self.assertTrue(what.__doc__.strip(), f"{name}.{word}")


class MisfitsTests(SynchronousTestCase):
    """
    What is not what it says is found.
    """

    def found(self, cls: type) -> list[str]:
        """
        In what it is not.
        """
        return list(misfits(IThing, cls))

    def test_fits(self) -> None:
        """
        What has all methods fits, also with further parameters that may be left out.
        """

        @implementer(IThing)
        class Fits:
            def do(self, what: object, how: object = None) -> None:
                """Does."""

        self.assertEqual(self.found(Fits), [])

    def test_lacks(self) -> None:
        """
        What lacks a method does not, nor does one that wants more than it is given, or less.
        """

        @implementer(IThing)
        class Lacks:
            pass

        @implementer(IThing)
        class Wants:
            def do(self, what: object, how: object) -> None:
                """Does."""

        @implementer(IThing)
        class Takes:
            def do(self) -> None:
                """Does."""

        for cls in (Lacks, Wants, Takes):
            self.assertEqual(len(self.found(cls)), 1, cls)

    def test_sleeps(self) -> None:
        """
        Nor does one that would have to be awaited.
        """

        @implementer(IThing)
        class Sleeps:
            async def do(self, what: object) -> None:
                """Does."""

        self.assertIn("coroutine function", self.found(Sleeps)[0])


class IThing(Interface):
    """
    One of the tests' own.
    """

    def do(what: Any) -> None:
        """
        Do.
        """
