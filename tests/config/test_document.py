"""
Tests for L{smartproxy_tw.config.document}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.document import FromEnvironment, Mark, Node, camel, find, plain, readable


def tree() -> Node:
    """
    C{{"routes": [{"stateDir": 5}]}} over four lines.
    """
    leaf = Node(5, Mark("f", 4, 12))
    inner = Node({"stateDir": leaf}, Mark("f", 3, 3), {"stateDir": Mark("f", 4, 2)})
    items = Node([inner], Mark("f", 2, 9))
    return Node({"routes": items}, Mark("f", 1, 1), {"routes": Mark("f", 2, 1)})


class FindTests(SynchronousTestCase):
    """
    Following paths.
    """

    def test_scalar(self) -> None:
        """
        A wrong scalar is pointed at itself, or at its key when that is asked.
        """
        path = ("routes", 0, "stateDir")
        self.assertEqual(find(tree(), path)[1], Mark("f", 4, 12))
        self.assertEqual(find(tree(), path, atKey=True)[1], Mark("f", 4, 2))

    def test_larger(self) -> None:
        """
        A wrong list or mapping is pointed at by its key, an item where it begins.
        """
        self.assertEqual(find(tree(), ("routes",))[1], Mark("f", 2, 1))
        self.assertEqual(find(tree(), ("routes", 0))[1], Mark("f", 3, 3))

    def test_camelCase(self) -> None:
        """
        A path in snake_case finds the camelCase form.
        """
        self.assertEqual(find(tree(), ("routes", 0, "state_dir"))[0].value, 5)

    def test_leadsNowhere(self) -> None:
        """
        A path that ends early points at the last part that exists.
        """
        for path in (("routes", 0, "no"), ("routes", 0, "no", "more"), ("routes", 0, 7)):
            self.assertEqual(find(tree(), path)[1], Mark("f", 3, 3))
        self.assertEqual(find(tree(), ("routes", 1))[1], Mark("f", 2, 1))


class WordTests(SynchronousTestCase):
    """
    Paths and keys as people write them.
    """

    def test_readable(self) -> None:
        """
        Keys are joined by dots, indices and odd keys stand in brackets.
        """
        self.assertEqual(readable(("routes", 0, "match", "ports", 1)), "routes[0].match.ports[1]")
        self.assertEqual(readable(("sites", "a.b", "to")), "sites[a.b].to")
        self.assertEqual(readable(()), "")

    def test_camel(self) -> None:
        """
        Both forms of a key have one camelCase form.
        """
        self.assertEqual(camel("insecure_skip_verify"), "insecureSkipVerify")
        self.assertEqual(camel("insecureSkipVerify"), "insecureSkipVerify")

    def test_plain(self) -> None:
        """
        Without its marks a tree is what it holds.
        """
        self.assertEqual(plain(tree()), {"routes": [{"stateDir": 5}]})

    def test_fromEnvironment(self) -> None:
        """
        Text from the environment is text, and knows how it was written.
        """
        text = FromEnvironment("secret", "${TOKEN}")
        self.assertEqual(text, "secret")
        self.assertEqual(text.written, "${TOKEN}")
