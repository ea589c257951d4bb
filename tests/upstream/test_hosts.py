"""
The hosts file.
"""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.upstream.hosts import HostsFile, parseHosts

from ..examples import anyText, examples

TEXT = """
# a comment
127.0.0.1\tlocalhost a.test   # another
::1 localhost
10.0.0.1 A.TEST b.test.
10.0.0.1 a.test
nonsense c.test
2001:DB8:0::1 d.test
10.0.0.2
"""


class ParseTests(SynchronousTestCase):
    """
    L{parseHosts}.
    """

    def test_names(self) -> None:
        """
        A name has all the addresses of its lines, in order and once each, in
        their shortest form; case and trailing dots do not matter.
        """
        self.assertEqual(
            parseHosts(TEXT),
            {
                "localhost": ("127.0.0.1", "::1"),
                "a.test": ("127.0.0.1", "10.0.0.1"),
                "b.test": ("10.0.0.1",),
                "d.test": ("2001:db8::1",),
            },
        )

    @examples()
    @given(anyText(40))
    def test_anything(self, text: str) -> None:
        """
        Whatever the file holds, it is read.
        """
        parseHosts(text)


class FileTests(SynchronousTestCase):
    """
    L{HostsFile}.
    """

    def test_changes(self) -> None:
        """
        A file that comes, changes and goes is followed.
        """
        path = Path(self.mktemp())
        hosts = HostsFile(str(path))
        self.assertEqual(hosts.find("a.test"), ())
        path.write_text("10.0.0.1 a.test\n")
        self.assertEqual(hosts.find("a.test"), ("10.0.0.1",))
        path.write_text("10.0.0.22 a.test\n")
        self.assertEqual(hosts.find("a.test"), ("10.0.0.22",))
        self.assertEqual(hosts.find("b.test"), ())
        path.unlink()
        self.assertEqual(hosts.find("a.test"), ())

    def test_readOnce(self) -> None:
        """
        One that stays as it is is not read again.
        """
        path = Path(self.mktemp())
        path.write_text("10.0.0.1 a.test\n")
        hosts = HostsFile(str(path))
        hosts.find("a.test")
        status = path.stat()
        with path.open("r+") as file:
            file.write("10.0.0.2 a.test\n")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.assertEqual(hosts.find("a.test"), ("10.0.0.1",))
