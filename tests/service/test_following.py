"""
Tests for L{smartproxy_tw.service.following}; what counts as a change is told in
L{tests.service.test_watch}.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from twisted.internet import inotify
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.model import Config
from smartproxy_tw.service.errors import ChangeRefused
from smartproxy_tw.service.following import Following


def _refuse(reactor: object) -> None:
    raise OSError(24, "Too many open files")


class FollowingTests(SynchronousTestCase):
    """
    Two files, where the kernel tells nothing.
    """

    def setUp(self) -> None:
        self.patch(inotify, "INotify", _refuse)
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        self.first, self.second = directory / "a.yaml", directory / "b.yaml"
        for each in (self.first, self.second):
            each.write_text("one")
        self.config = Config((), "/s", watch=True, files=(str(self.first),))
        self.clock = Clock()
        self.askers: list[str] = []
        self.following = Following(self.clock, self.reload)
        self.addCleanup(self.following.stop)

    def reload(self, asker: str) -> Deferred[object]:
        """
        In vain.
        """
        self.askers.append(asker)
        return fail(ChangeRefused("no"))

    def changes(self, path: Path) -> int:
        """
        A file has another content.

        @return: How often that had the configuration read.
        """
        self.askers.clear()
        path.write_text(path.read_text() + "more")
        self.clock.pump([0.5] * 60)
        return len(self.askers)

    def test_followed(self) -> None:
        """
        Files are watched, in place of those before; why nothing comes of a change is no matter
        here, and the next one is noticed as well.
        """
        self.following.follow(self.config)
        self.assertEqual((self.changes(self.first), self.changes(self.second)), (1, 0))
        self.following.follow(replace(self.config, files=(str(self.second),)))
        self.assertEqual((self.changes(self.first), self.changes(self.second)), (0, 1))
        self.assertEqual(self.changes(self.second), 1)
        self.assertEqual(self.askers, ["its files have changed"])

    def test_unwanted(self) -> None:
        """
        Nothing is watched where that is not wanted, or any more, or where there is no file.
        """
        for config in (replace(self.config, watch=False), replace(self.config, files=())):
            self.following.follow(config)
            self.assertEqual((self.changes(self.first), self.clock.getDelayedCalls()), (0, []))
            self.following.follow(self.config)
            self.assertEqual(self.changes(self.first), 1)
            self.following.follow(config)
            self.assertEqual((self.changes(self.first), self.clock.getDelayedCalls()), (0, []))

    def test_stopped(self) -> None:
        """
        It stops as often as one likes, and can be begun again.
        """
        self.following.follow(self.config)
        for _ in range(2):
            self.following.stop()
        self.assertEqual((self.changes(self.first), self.clock.getDelayedCalls()), (0, []))
        self.following.follow(self.config)
        self.assertEqual(self.changes(self.first), 1)
