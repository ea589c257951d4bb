"""
The limit of open files, and what has room in it.
"""

from __future__ import annotations

import resource

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.plane.descriptors import allowDescriptors, room


class DescriptorsTests(SynchronousTestCase):
    """
    L{room} and L{allowDescriptors}.
    """

    def setUp(self) -> None:
        """The limits are as they were, afterwards."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.hard = before[1]
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)

    def limit(self, soft: int) -> None:
        """
        Set the limit that counts.
        """
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, self.hard))

    def test_room(self) -> None:
        """
        Two descriptors for each connection, some for the rest, and never
        nothing at all.
        """
        for soft, most in ((1024, 480), (256, 96), (66, 1), (60, 1)):
            self.limit(soft)
            self.assertEqual(room(), most)

    def test_allow(self) -> None:
        """
        The limit becomes what it may be, and never less than it was.
        """
        self.limit(512)
        allowDescriptors()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.assertEqual(hard, self.hard)
        self.assertTrue(soft == hard or soft == 1048576)
        allowDescriptors()
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (soft, hard))
