"""
Tests for L{smartproxy_tw.service.lives}; whole proxies change in
L{tests.service.test_turnover} and are started again in L{tests.service.test_tree}.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from smartproxy_tw.config.changes import Changes
from smartproxy_tw.config.model import Block, Config, Route, Timeouts
from smartproxy_tw.service.errors import ChangeRefused, RestartNeeded, StartError, StoppedError
from smartproxy_tw.service.lives import Lives
from smartproxy_tw.service.readiness import Readiness

FIRST = Config((), "/state")
OTHER = replace(FIRST, routes=(Route("a", (80,), Block(), "http"),))
THIRD = replace(FIRST, routes=(Route("b", (80,), Block(), "http"),))
RESTART = replace(FIRST, stateDir="/elsewhere")


class Life:
    """
    One whose news are the test's.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.hasBegun = False
        self.isOver = False
        self.ready = Readiness()
        self.changing: Deferred[None] = Deferred()
        self.wanted: list[Config] = []
        self.bound = 0

    def bind(self) -> None:
        """
        Its ports.
        """
        self.hasBegun = True
        self.bound += 1

    def begin(self) -> None:
        """
        It begins.
        """
        self.hasBegun = True

    def whenReady(self) -> Deferred[None]:
        """
        Wait for it to be served.
        """
        return self.ready.when()

    def change(self, config: Config) -> Deferred[None]:
        """
        Go by another configuration.
        """
        self.wanted.append(config)
        self.changing = Deferred()
        return self.changing

    def end(self) -> Deferred[None]:
        """
        It ends, and takes its time.
        """
        self.isOver = True
        return Deferred()


class LivesTests(SynchronousTestCase):
    """
    One after the other.
    """

    def setUp(self) -> None:
        self.made: list[Life] = []
        self.followed: list[Config] = []
        self.told: list[Changes] = []
        self.lives = Lives(FIRST, self.complete, self.make, self.followed.append, self.told.append)

    def complete(self, config: Config) -> Config:
        """
        What the program has besides: less patience.
        """
        if config.workers != 1:
            raise ValueError("not with workers")
        return replace(config, timeouts=Timeouts(connect=1.0)) if config.routes else config

    def make(self, config: Config) -> Any:
        """
        One more.
        """
        self.made.append(Life(config))
        return self.made[-1]

    def change(self, config: Config) -> Deferred[Changes]:
        """
        Somebody wants another configuration.
        """
        return self.lives.change(lambda _: config)

    def serves(self) -> Life:
        """
        One that is served.
        """
        self.lives.begin()
        life = self.made[-1]
        life.ready.happen()
        self.followed.clear()
        return life

    def test_followed(self) -> None:
        """
        The configuration is followed as soon as all is served, unless that comes to nothing or
        is over by then.
        """
        self.lives.bind()
        self.lives.begin()
        [life] = self.made
        self.assertEqual((life.bound, self.followed), (1, []))
        life.ready.happen()
        self.assertEqual(self.followed, [FIRST])
        self.lives.end()
        self.lives.begin()
        self.made[-1].ready.fail(StartError("in vain"))
        self.lives.end()
        self.lives.begin()
        self.lives.end()
        self.made[-2].ready.happen()
        self.assertEqual(self.followed, [FIRST])

    def test_another(self) -> None:
        """
        Once one has ended, or could not begin, the next start is that of another.
        """
        life = self.serves()
        self.assertIs(self.lives.current, life)
        self.assertNoResult(self.lives.end())
        self.assertIsNot(self.lives.current, life)
        self.serves().isOver = True
        self.lives.bind()
        self.assertEqual([each.bound for each in self.made], [0, 0, 1])

    def test_changed(self) -> None:
        """
        It is in use, completed, when the life has it, and followed then; the next one has it
        too.
        """
        life = self.serves()
        changing = self.change(OTHER)
        wanted = self.complete(OTHER)
        self.assertEqual((life.wanted, self.lives.config), ([wanted], FIRST))
        self.assertNoResult(changing)
        life.changing.callback(None)
        found = self.successResultOf(changing)
        self.assertEqual((self.told, found.added), ([found], ("a",)))
        self.assertEqual((self.lives.config, self.followed), (wanted, [wanted]))
        self.lives.end()
        self.assertEqual(self.made[-1].config, wanted)

    def test_turns(self) -> None:
        """
        Each is made of what the one before has left, well or not.
        """
        life = self.serves()
        seen: list[Config] = []
        first = self.change(OTHER)
        second = self.lives.change(lambda config: (seen.append(config), THIRD)[1])  # type: ignore[func-returns-value]
        third = self.lives.change(lambda config: (seen.append(config), config)[1])  # type: ignore[func-returns-value]
        self.assertEqual(seen, [])
        life.changing.callback(None)
        self.assertEqual(seen, [self.complete(OTHER)])
        life.changing.errback(ChangeRefused("no"))
        life.changing.callback(None)
        self.assertEqual(seen, [self.complete(OTHER)] * 2)
        self.successResultOf(first)
        self.failureResultOf(second, ChangeRefused)
        self.successResultOf(third)

    def test_early(self) -> None:
        """
        Before the start nobody is asked, and it is another life that will begin.
        """
        self.successResultOf(self.change(OTHER))
        self.assertEqual(self.made[0].wanted, [])
        self.assertEqual(self.lives.current.config, self.complete(OTHER))
        self.assertEqual(self.followed, [])

    def test_atTheStart(self) -> None:
        """
        While one begins it is waited for; where it cannot begin, that is why.
        """
        self.lives.begin()
        changing = self.change(OTHER)
        self.assertEqual(self.made[0].wanted, [])
        self.made[0].ready.fail(StartError("no port"))
        why = self.failureResultOf(changing, ChangeRefused).value
        self.assertEqual(str(why), "The proxy has not started: no port")
        self.assertEqual(self.lives.config, FIRST)

    def test_restart(self) -> None:
        """
        What no life that goes on can do is refused, and needs none where none goes on.
        """
        life = self.serves()
        self.failureResultOf(self.change(RESTART), RestartNeeded)
        self.assertEqual(life.wanted, [])
        self.lives.end()
        self.successResultOf(self.change(RESTART))
        self.assertEqual(self.lives.config, RESTART)

    def test_none(self) -> None:
        """
        What is no configuration is refused, be it only compared.
        """
        config = replace(FIRST, workers=2)
        why = self.failureResultOf(self.change(config), ChangeRefused).value
        self.assertEqual(str(why), "not with workers")
        self.assertRaises(ChangeRefused, self.lives.compare, config)
        self.assertEqual(self.lives.compare(OTHER).added, ("a",))
        self.assertEqual((self.lives.config, self.told), (FIRST, []))

    def test_ended(self) -> None:
        """
        Where the life ends and another one begins meanwhile, that one goes by what was before;
        where none has begun, the next one does not.
        """
        life = self.serves()
        changing = self.change(OTHER)
        self.lives.end()
        self.lives.begin()
        life.changing.callback(None)
        self.failureResultOf(changing, StoppedError)
        self.assertEqual(self.lives.config, FIRST)
        life = self.made[-1]
        life.ready.happen()
        changing = self.change(OTHER)
        self.lives.end()
        life.changing.callback(None)
        self.successResultOf(changing)
        self.assertEqual(self.lives.current.config, self.complete(OTHER))

    def test_uninterested(self) -> None:
        """
        Whoever waits no longer takes nothing back.
        """
        life = self.serves()
        changing = self.change(OTHER)
        changing.cancel()
        self.failureResultOf(changing, CancelledError)
        life.changing.callback(None)
        self.assertEqual(self.lives.config, self.complete(OTHER))
