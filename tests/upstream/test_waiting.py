"""
The queue of those who find no free connection.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.upstream.waiting import Queue

from .loop import Loop


class Customer:
    """
    Somebody who waits.
    """

    def __init__(self, shop: QueueTests, name: str) -> None:
        self.shop = shop
        self.name = name
        self.isPicky = self.isBroken = self.isCrashed = False

    def retry(self) -> bool:
        """See L{Waiter<smartproxy_tw.upstream.waiting.Waiter>}."""
        if self.isBroken:
            raise RuntimeError("a bug")
        if self.isPicky:
            return False
        self.shop.goods -= 1
        self.shop.served.append(self.name)
        return True

    def crash(self) -> None:
        """It was a bug."""
        self.isCrashed = True


class QueueTests(SynchronousTestCase):
    """
    L{Queue}.
    """

    def setUp(self) -> None:
        """Three wait, and there is room for a fourth."""
        self.loop = Loop()
        self.addCleanup(self.loop.poller.stop)
        self.goods = 0
        self.served: list[str] = []
        self.queue = Queue(self.loop.poller, 4, 5.0, lambda: self.goods > 0)
        self.one, self.two, self.three = [Customer(self, name) for name in ("one", "two", "three")]
        for each in (self.one, self.two, self.three):
            self.assertTrue(self.queue.join(each))

    def brings(self, goods: int) -> None:
        """
        Something comes free.
        """
        self.goods += goods
        self.queue.wake()
        self.queue.wake()
        self.loop.turns()

    def test_order(self) -> None:
        """
        Whoever came first is served first, and no more than there is.
        """
        self.brings(1)
        self.assertEqual((self.served, len(self.queue)), (["one"], 2))
        self.brings(5)
        self.assertEqual((self.served, len(self.queue), self.goods), (["one", "two", "three"], 0, 3))

    def test_notAtOnce(self) -> None:
        """
        Nobody is served before whoever freed something is done.
        """
        self.goods = 1
        self.queue.wake()
        self.assertEqual(self.served, [])

    def test_full(self) -> None:
        """
        There is room for so many.
        """
        self.assertTrue(self.queue.join(Customer(self, "four")))
        self.assertFalse(self.queue.join(Customer(self, "five")))
        self.brings(1)
        self.assertTrue(self.queue.join(Customer(self, "five")))

    def test_leaves(self) -> None:
        """
        Whoever has left is not asked.
        """
        self.queue.leave(self.one)
        self.queue.leave(self.one)
        self.brings(1)
        self.assertEqual(self.served, ["two"])

    def test_picky(self) -> None:
        """
        Who cannot use it keeps his place while others behind him can.
        """
        self.one.isPicky = True
        self.brings(1)
        self.assertEqual(self.served, ["two"])
        self.one.isPicky = False
        self.brings(1)
        self.assertEqual(self.served, ["two", "one"])

    def test_bug(self) -> None:
        """
        One that crashes does not keep the others from being served.
        """
        self.one.isBroken = True
        self.brings(2)
        self.assertEqual(self.served, ["two", "three"])
        self.assertTrue(self.one.isCrashed)
        self.assertEqual(len(self.queue), 0)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
