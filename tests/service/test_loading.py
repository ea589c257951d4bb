"""
Tests for L{smartproxy_tw.service.loading}.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.service.errors import CertificateError
from smartproxy_tw.service.loading import Loading
from smartproxy_tw.service.succession import Succession

from .configurations import BLOG, SHOP, configuration


class Told:
    """
    Stands for all that a loading speaks to: the authorities, the local one, and what
    stands in.
    """

    def __init__(self) -> None:
        self.story: list[str] = []
        self.authority = self

    def open(self) -> None:
        self.story.append("opened")

    async def answer(self) -> None:
        self.story.append("answered")

    async def stored(self) -> tuple[str, str]:
        return "stock", "twins"

    async def find(self, portion: Any, stored: str, served: set[str]) -> None:
        self.story.append(f"looked among {len(served)} for {len(portion)}")


class Certificate:
    """
    One that is loaded, or cannot be.
    """

    def __init__(self, told: Told, name: str, problem: str | None = None) -> None:
        self.auto = SHOP if name == "shop" else BLOG
        self._told, self._name, self._problem = told, name, problem

    def load(self, *stocks: str) -> Deferred[None]:
        self._told.story.append(" ".join((self._name, *stocks)))
        return succeed(None) if self._problem is None else fail(CertificateError(self._problem))


class LoadingTests(SynchronousTestCase):
    """
    Certificates of all kinds.
    """

    def setUp(self) -> None:
        self.told, self.clock = Told(), Clock()
        world = cast(Any, self.told)
        self.loading = Loading(world, world, world, self.clock)
        config = configuration("/x")
        self.some = Succession(config, config)

    def certificate(self, name: str, problem: str | None = None) -> Any:
        return Certificate(self.told, name, problem)

    def have(self, atOnce: int = 9) -> Deferred[None]:
        return Deferred.fromCoroutine(self.loading.have(self.some, ["auto:other.test"], atOnce))

    def test_order(self) -> None:
        """
        Answers that were under way come first, what is fixed next, then what is stored,
        second certificates last.
        """
        self.some.first += [self.certificate("shop"), self.certificate("blog")]
        self.some.twins["x"] = self.certificate("twin")
        self.some.internal.append(self.certificate("internal"))
        self.some.files.append(self.certificate("file"))
        self.successResultOf(self.have())
        begin = ["answered", "opened", "file", "internal"]
        stored = ["shop stock twins", "blog stock twins", "looked among 3 for 2", "twin twins"]
        self.assertEqual(self.told.story, [*begin, *stored])

    def test_nothingNeeded(self) -> None:
        """
        Nobody is troubled for what is not wanted.
        """
        self.successResultOf(self.have())
        self.assertEqual(self.told.story, [])

    def test_problems(self) -> None:
        """
        All that is wrong with files is told at once, and nothing of the store is loaded
        then.
        """
        self.some.files += [self.certificate(each, f"{each} is bad") for each in ("a", "b")]
        self.some.files.insert(1, self.certificate("good"))
        self.some.first.append(self.certificate("shop"))
        why = self.failureResultOf(self.have(), CertificateError).value
        self.assertEqual(str(why), "a is bad\nb is bad")
        self.assertEqual(self.told.story, ["answered", "a", "good", "b"])

    def test_pauses(self) -> None:
        """
        After so many others have their turn.
        """
        self.some.files += [self.certificate(each) for each in "abc"]
        having = self.have(2)
        self.assertEqual(self.told.story, ["a", "b"])
        self.clock.advance(0)
        self.assertEqual(self.told.story, ["a", "b", "c"])
        self.successResultOf(having)
