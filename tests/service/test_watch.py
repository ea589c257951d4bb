"""
Tests for L{smartproxy_tw.service.watch}; what the kernel tells is in
L{tests.live.test_watch}.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet import inotify
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.watch import Watch, directoriesOf


class LookTests(SynchronousTestCase):
    """
    Where the kernel tells nothing: looks.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.file = self.directory / "a.yaml"
        self.file.write_text("one")
        self.acts = 0
        self.clock = Clock()
        self.patch(inotify, "INotify", self.refuse)
        self.watch = Watch(self.clock, self.act)
        with capturedLogs() as logs:
            self.watch.follow([str(self.file)], [str(self.directory / "*.d")])
        self.logs = [each["log_format"] for each in logs]
        self.addCleanup(self.watch.stop)

    def refuse(self, reactor: object) -> None:
        """
        There are too many already.
        """
        raise OSError(24, "Too many open files")

    def act(self) -> None:
        """
        The content is another.
        """
        self.acts += 1

    def pass_(self, seconds: float) -> None:
        """
        Time goes by.
        """
        self.clock.pump([0.1] * round(seconds * 10))

    def test_told(self) -> None:
        """
        That the kernel tells nothing is told once, and nothing else is lost.
        """
        self.assertEqual(len(self.logs), 1)
        self.assertIn("they are seen within", self.logs[0])
        self.file.write_text("two")
        with capturedLogs() as logs:
            self.pass_(11)
        self.assertEqual((self.acts, logs), (1, []))

    def test_settles(self) -> None:
        """
        What is written piece by piece is read when it is whole.
        """
        self.pass_(9.9)
        for number in range(20):
            self.file.write_text("x" * number)
            self.pass_(0.2)
            self.assertEqual(self.acts, 0)
        self.pass_(1)
        self.assertEqual(self.acts, 1)

    def test_onceForEachContent(self) -> None:
        """
        What has the same content is nothing new, whatever else has happened to it.
        """
        for content, wanted in (("two", 1), ("two", 1), ("one", 2), ("one", 2)):
            self.file.unlink()
            self.file.write_text(content)
            os.utime(self.file, ns=(0, int(self.clock.seconds() * 1e9)))
            self.pass_(11)
            self.assertEqual(self.acts, wanted)

    def test_gone(self) -> None:
        """
        A file that is gone is news, as is one that comes by a pattern, and one that may
        not be read.
        """
        self.file.unlink()
        self.pass_(11)
        self.assertEqual(self.acts, 1)
        self.file.write_text("one")
        self.pass_(11)
        self.assertEqual(self.acts, 2)
        (self.directory / "new.d").write_text("")
        self.pass_(11)
        self.assertEqual(self.acts, 3)

    def test_listChanges(self) -> None:
        """
        What a reload has read besides is no news, nor what it has no need of any more;
        what is changed in it later is.
        """
        more, other = self.directory / "more.yaml", self.directory / "new.d"
        for path in (more, other):
            path.write_text("one")
        self.watch.follow([str(self.file), str(more), str(other)], [str(self.directory / "*.d")])
        self.pass_(11)
        self.assertEqual(self.acts, 0)
        more.write_text("two")
        self.pass_(11)
        self.assertEqual(self.acts, 1)
        self.watch.follow([str(self.file), str(other)], [str(self.directory / "*.d")])
        self.pass_(11)
        more.write_text("three")
        self.pass_(11)
        self.assertEqual(self.acts, 1)

    def test_noFile(self) -> None:
        """
        What is no file is not waited for.
        """
        os.mkfifo(self.directory / "fifo.d")
        self.pass_(11)
        self.assertEqual(self.acts, 1)

    def test_stopped(self) -> None:
        """
        After the end nothing is looked at.
        """
        self.assertTrue(self.watch.isOn)
        self.watch.stop()
        self.assertFalse(self.watch.isOn)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class DirectoriesTests(SynchronousTestCase):
    """
    L{directoriesOf}.
    """

    def test_links(self) -> None:
        """
        Those of a path, of each link on the way, and of the file itself.
        """
        top = Path(os.path.realpath(self.mktemp()))
        for name in ("named", "middle", "real", "conf.d/one", "conf.d/[two]"):
            (top / name).mkdir(parents=True)
        (top / "real" / "file").write_text("")
        (top / "middle" / "link").symlink_to("../real/file")
        (top / "named" / "link").symlink_to(top / "middle" / "link")
        self.assertEqual(
            directoriesOf([str(top / "named" / "link")], ()),
            {str(top / name) for name in ("named", "middle", "real")},
        )
        self.assertEqual(directoriesOf([str(top / "nowhere" / "file")], ()), set())
        self.assertEqual(
            directoriesOf((), [str(top / "conf.d" / "*" / "*.yaml")]),
            {str(top / name) for name in ("conf.d", "conf.d/one", "conf.d/[two]")},
        )
        (top / "circle").symlink_to(top / "circle")
        self.assertEqual(directoriesOf([str(top / "circle")], ()), {str(top)})
