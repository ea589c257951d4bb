"""
Plug-ins are found, and those that are none are told.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.plugin import Plugin
from smartproxy_tw.plugins.discovery import Known, known

from .given import Brew, Greeting, Hours, Point, Ring


class KnownTests(SynchronousTestCase):
    """
    L{Known}.
    """

    def test_all(self) -> None:
        """
        By entry points, as classes or as what provides the interface, and those that
        Twisted has found.
        """
        found = Known([Point("brew", Brew), Point("hours", Hours())], [("upstream", Ring())])
        self.assertEqual(found.problems, ())
        for kind, name in (("action", "brew"), ("matcher", "hours"), ("upstream", "ring")):
            self.assertEqual(found.names(kind), (name,))  # type: ignore[arg-type]
            self.assertEqual(found.get(kind, name).name, name)  # type: ignore[arg-type]

    def test_leftOut(self) -> None:
        """
        Whatever is wrong with one, the others are there, and it is told by name.
        """

        def named(name: Any) -> Brew:
            made = Brew()
            made.name = name
            return made

        points = [
            Point("gone", ImportError("no module named tea")),
            Point("ends", SystemExit(3)),
            Point("none", object()),
            Point("forward", named("forward")),
            Point("odd", named("a b")),
            Point("number", named(7)),
            Point("brew", Brew),
            Point("brew2", Brew),
        ]
        found = Known(points, [])
        self.assertEqual(found.names("action"), ("brew",))
        told = "\n".join(found.problems)
        for words in (
            "gone = pack.gone: it cannot be imported: ImportError: no module named tea",
            "ends = pack.ends: it cannot be imported: SystemExit: 3",
            "none = pack.none: it provides none of IActionPlugin, IMatcherPlugin, IUpstreamPlugin",
            "forward = pack.forward: forward is what the proxy itself calls something",
            "odd = pack.odd: its name has to be of letters",
            "number = pack.number: its name has to be of letters",
            "brew2 = pack.brew2: another action is called brew too",
        ):
            self.assertIn(words, told)
        why = str(self.assertRaises(ValueError, found.get, "action", "tea"))
        self.assertIn("no plug-in gives the action tea: there are brew; left out is gone", why)

    def test_settings(self) -> None:
        """
        Mistakes come with their places, be it from pydantic or by hand; what was read is
        what is built from.
        """
        found = Known([Point("brew", Brew), Point("hours", Hours), Point("ring", Ring)], [])
        for kind, plugin, mistakes in (
            ("action", Plugin.having("brew", {"text": "hi"}), []),
            ("action", Plugin("brew"), [(("text",), "Field required")]),
            ("matcher", Plugin("hours"), [(("when",), "is needed, and nothing else")]),
            ("upstream", Plugin("ring"), [((), "has no members")]),
            ("upstream", Plugin.having("ring", {"members": 7}), [((), None)]),
        ):
            told: Any = found.mistakes(kind, plugin)  # type: ignore[arg-type]
            if mistakes and mistakes[0][1] is None:
                self.assertIn("cannot be read: TypeError", told[0][1])
            else:
                self.assertEqual(told, mistakes)
        made = found.built("action", Plugin.having("brew", {"text": "hi"}), None)
        self.assertEqual(made.settings, Greeting(text="hi"))
        why = self.assertRaises(
            ValueError, found.built, "action", Plugin.having("brew", {"text": "", "status": 500}), None
        )
        self.assertIn("the plug-in brew cannot be used: RuntimeError: no water", str(why))
        self.assertRaises(ValueError, found.built, "action", Plugin("tea"), None)

    def test_here(self) -> None:
        """
        What is installed is looked for once.
        """
        self.assertIs(known(), known())

    def test_twisted(self) -> None:
        """
        Twisted's own plug-ins are asked for by our interfaces.
        """
        from smartproxy_tw.plugins import discovery

        asked: list[Any] = []
        self.patch(discovery, "getPlugins", lambda interface: asked.append(interface) or [Ring()])
        found = [kind for kind, _ in discovery._twisted()]
        self.assertEqual(found, ["action", "matcher", "upstream"])
        self.assertEqual([each.__name__ for each in asked[:1]], ["IActionPlugin"])
