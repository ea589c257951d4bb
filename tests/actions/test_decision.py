"""
What functions that choose targets may return.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.actions.decision import Decision, decided, hostsAndPort
from smartproxy_tw.config.model import Target

from ..examples import anyText


class DecisionTests(SynchronousTestCase):
    """
    L{decided} and L{hostsAndPort}.
    """

    def test_whole(self) -> None:
        """
        A target, a text, a pair, or a list of these.
        """
        for value, targets, isTLS in (
            (Target("H.test", 80), (Target("h.test", 80),), None),
            (Target("/run/a", 0), (Target("/run/a", 0),), None),
            ("10.0.0.7:3000", (Target("10.0.0.7", 3000),), None),
            ("unix:/run/a", (Target("/run/a", 0),), None),
            ("app:preserve", (Target("app", None),), None),
            ("https://app", (Target("app", 443),), True),
            ("http://app", (Target("app", 80),), False),
            (("app", 1), (Target("app", 1),), None),
            (("app", None), (Target("app", None),), None),
            (
                ["a:1", ("b", 2), Target("c", 3), "a:1"],
                (Target("a", 1), Target("b", 2), Target("c", 3)),
                None,
            ),
            (("a:1", "b:2"), (Target("a", 1), Target("b", 2)), None),
            (iter(["https://a", "https://b:1"]), (Target("a", 443), Target("b", 1)), True),
        ):
            self.assertEqual(decided(value), Decision(targets, isTLS))

    def test_apart(self) -> None:
        """
        A host or several, and a port.
        """
        self.assertEqual(hostsAndPort("a", 1).targets, (Target("a", 1),))
        self.assertEqual(
            hostsAndPort(["a", "::1"], "preserve").targets, (Target("a", None), Target("::1", None))
        )

    def test_nonsense(self) -> None:
        """
        Everything else is refused in words.
        """

        class Odd:
            def __repr__(self) -> str:
                raise RuntimeError

        for value, why in (
            (None, "returned None, which is no target"),
            (7, "returned 7, which is no target"),
            (b"a:1", "is no target"),
            ({"a": 1}, "is no target"),
            ([], "returned no target"),
            ([None], "returned None, which is no target"),
            ("a", "returned 'a', which has no port"),
            ("python:a.b", "is no target"),
            ("https://a/path", "which has a path"),
            (["https://a", "b:1"], "with and without https://"),
            (("a", 0), "0, which is no port"),
            (("a", 70000), "70000, which is no port"),
            (Target("a b", 1), "returned 'a b', which"),
            (Target(7, 1), "returned 7, which is no host"),  # type: ignore[arg-type]
            (Target("relative", 0), "needs the absolute path"),
            ([f"a{number}:1" for number in range(300)], "more than 256 targets"),
            (Odd(), "returned something of Odd"),
            ("x" * 500, "..."),
        ):
            self.assertIn(why, str(self.assertRaises(ValueError, decided, value)))
        for hosts, port, why in (
            (None, 1, "None, which is no target"),
            ("a", True, "True, which is no port"),
            ("a", "80", "'80', which is no port"),
            ([7], 80, "7, which is no host"),
            ("*.a", 80, "has a wildcard"),
        ):
            self.assertIn(why, str(self.assertRaises(ValueError, hostsAndPort, hosts, port)))

    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | anyText(20) | st.binary() | st.floats(),
            lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(anyText(20), inner),
            max_leaves=6,
        )
    )
    def test_anything(self, value: Any) -> None:
        """
        Whatever it is, it is a decision or a mistake.
        """
        for read in (decided, lambda value: hostsAndPort(value, value)):
            try:
                found = read(value)
            except ValueError:
                continue
            self.assertTrue(found.targets)
