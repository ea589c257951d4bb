"""
Which name servers to ask.
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.upstream.nameservers import NameServers, ResolvConf, parseResolvConf

from ..examples import anyText, examples


class ParseTests(SynchronousTestCase):
    """
    L{parseResolvConf}.
    """

    def test_everything(self) -> None:
        """
        Servers, search list and options, with comments between them.
        """
        found = parseResolvConf(
            "# here\n; there\nnameserver 10.0.0.2\nnameserver fd00::1\nnameserver nonsense\nnameserver\n"
            "domain one.test\nsearch Two.test. three.test\noptions ndots:5 timeout:3 attempts:2 rotate\n"
        )
        self.assertEqual(
            found,
            NameServers((("10.0.0.2", 53), ("fd00::1", 53)), ("two.test", "three.test"), 5, (3, 3)),
        )

    def test_bounds(self) -> None:
        """
        No more than three servers, and no option beyond its bound.
        """
        text = "".join(f"nameserver 10.0.0.{number}\n" for number in range(1, 6))
        found = parseResolvConf(text + "options ndots:99 timeout:999 attempts:99\ndomain a.test b.test\n")
        self.assertEqual([server for server, _ in found.servers], ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
        self.assertEqual((found.dots, found.timeouts, found.search), (15, (30,) * 5, ("a.test",)))
        self.assertEqual(parseResolvConf("options timeout:0 attempts:0 ndots:x\n").timeouts, (1,))

    @examples()
    @given(anyText(40) | st.text(alphabet="options ndts:19\nserachmv.;#"))
    def test_anything(self, text: str) -> None:
        """
        Whatever the file holds, it is read.
        """
        parseResolvConf(text)


class CandidateTests(SynchronousTestCase):
    """
    L{NameServers.candidates}.
    """

    def test_order(self) -> None:
        """
        With enough dots a name is tried as it is first, otherwise last.
        """
        settings = NameServers(search=("one.test", "two.test"), dots=2)
        self.assertEqual(settings.candidates("app"), ("app.one.test", "app.two.test", "app"))
        self.assertEqual(settings.candidates("a.b"), ("a.b.one.test", "a.b.two.test", "a.b"))
        self.assertEqual(settings.candidates("a.b.c"), ("a.b.c", "a.b.c.one.test", "a.b.c.two.test"))
        self.assertEqual(NameServers().candidates("app"), ("app",))


class FileTests(SynchronousTestCase):
    """
    L{ResolvConf}.
    """

    def test_changes(self) -> None:
        """
        A file that comes, changes and goes is followed.
        """
        path = Path(self.mktemp())
        file = ResolvConf(str(path))
        self.assertEqual(file.read(), NameServers())
        path.write_text("nameserver 10.0.0.2\n")
        self.assertEqual(file.read().servers, (("10.0.0.2", 53),))
        self.assertIs(file.read(), file.read())
        path.write_text("nameserver 10.0.0.33\n")
        self.assertEqual(file.read().servers, (("10.0.0.33", 53),))
        path.unlink()
        self.assertEqual(file.read(), NameServers())
