"""
Tests for L{smartproxy_tw.control.post}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.control.post import Post, Serving, Starting, Vacant, pause


class PostTests(SynchronousTestCase):
    """
    One place and those who hold it.
    """

    def test_firstLife(self) -> None:
        """
        It is filled, and its worker serves.
        """
        post = Post(1)
        self.assertEqual(post.state, Vacant(0))
        self.assertEqual(post.filled().state, Starting(0))
        self.assertEqual(post.filled().settled(7.0), Post(1, Serving(0, 7.0)))

    def test_diedOld(self) -> None:
        """
        Who died after it had served for a while is replaced at once, however
        often that happens.
        """
        post = Post(1)
        for _ in range(5):
            post = post.filled().settled(100.0).died(160.0)
            self.assertEqual(pause(post.state.failures), 0.0)

    def test_diedYoung(self) -> None:
        """
        The first one is replaced at once; then the place stays vacant longer each
        time, up to half a minute, also when a worker served for a moment.
        """
        post, pauses = Post(1), []
        for place in range(12):
            post = post.filled()
            if place % 2:
                post = post.settled(0.0)
            post = post.died(1.0)
            pauses.append(pause(post.state.failures))
        self.assertEqual(pauses[:5], [0.0, 0.25, 0.5, 1.0, 2.0])
        self.assertEqual(pauses, sorted(pauses))
        self.assertEqual(pauses[-1], 30.0)
        self.assertEqual(pause(10000), 30.0)

    def test_forgiven(self) -> None:
        """
        A long life makes good for those that were short.
        """
        post = Post(1, Serving(9, 0.0)).died(60.0)
        self.assertEqual(post.state, Vacant(1))

    def test_left(self) -> None:
        """
        Leaving when asked is no failure, unless it had not served yet.
        """
        self.assertEqual(Post(1, Serving(5, 0.0)).left().state, Vacant(0))
        self.assertEqual(Post(1, Starting(5)).left().state, Vacant(5))
