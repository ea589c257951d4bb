"""
All guards of all routes: made when a configuration is put to use, and kept for as long as a
route says the same of them, so that a reload forgets no count and no limit of a route that
it does not change.

The order in which guards are asked is here and nowhere else: the lists; connections at a
time; new connections; requests; other origins; WebSockets; passwords; tokens; somebody else;
and then the certificate is told.

Each kind is imported with the first route that asks for it: most ask for none.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..config.model import Route
    from ..config.security import ForwardAuth, JWTAuth, Security
    from ..interfaces import IAction, ILens
    from .bearer import Bearer
    from .inquiry import Inquiry
    from .passage import Report
    from .verifier import Verifier
    from .visit import Guard

__all__ = ["Gatehouse", "Posts"]

#: How long keys may take to be fetched, in seconds.
_FETCHING = 10.0


class Gatehouse:
    """
    What outlives a configuration.
    """

    def __init__(
        self, reactor: Any, clock: Callable[[], float], denied: Callable[[str, str, str, str], None]
    ) -> None:
        """
        @param reactor: Tells the time, makes connections, hears of threads.
        @param clock: The time of day, in seconds since 1970.
        @param denied: Told of each denial: the name of the route, the reason, the client, and
            what else there is to say.
        """
        self.reactor = reactor
        self.clock = clock
        self.denied = denied
        self._close: Callable[[], object] = lambda: None
        self._posts = Posts(self, {}, 1)

    @cached_property
    def verifier(self) -> Verifier:
        """
        Tells whether passwords are right.
        """
        from .verifier import Threads, Verifier

        threads = Threads(self.reactor)
        self._close = threads.close
        return Verifier(threads.do, self.reactor.seconds)

    def posts(self, workers: int) -> Posts:
        """
        The guards of a configuration that is about to be used.

        @param workers: So many processes share what is limited for all.
        """
        return Posts(self, self._posts.guards, workers)

    def use(self, posts: Posts) -> None:
        """
        It is used from now on; what it has no need of is closed.
        """
        before, self._posts = self._posts, posts
        for key, guard in before.guards.items():
            if posts.guards.get(key) is not guard:
                guard.close()
        posts.settle()

    def close(self) -> None:
        """
        The end.
        """
        self.use(Posts(self, {}, 1))
        self._close()


class Posts:
    """
    The guards of one configuration.

    @ivar guards: By the route, what they are, and what they were told.
    """

    def __init__(self, house: Gatehouse, former: dict[Any, Guard], workers: int) -> None:
        """
        @param former: Those of the configuration before.
        @param workers: As L{Gatehouse.posts}.
        """
        self.guards: dict[Any, Guard] = {}
        self._house = house
        self._former = former
        self._workers = workers

    def settle(self) -> None:
        """
        Those of the configuration before are nothing to this any more.
        """
        self._former = {}

    def share(self, number: int) -> int:
        """
        What this process has of a number that is for all: rounded up.
        """
        return -(-number // self._workers)

    def reading(self, routes: Iterable[Route]) -> Generator[None, None, None]:
        """
        Read the lists, step by step, before guards are asked for: they may be very long.

        @raise ValueError: As L{Lists}.
        """
        for route in routes:
            asked = route.security
            if asked is None or not (asked.allowed or asked.blocked):
                continue
            from .lists import Lists

            key = _lists(asked)
            if key not in self.guards and key not in self._former:
                self.guards[key] = yield from Lists.reading(asked.allowed, asked.blocked)

    def before(self, route: Route, action: IAction) -> IAction:
        """
        @return: The action with the guards of its route before it; itself, if there are none.
        @raise ValueError: Something that a guard needs cannot be used.
        """
        asked = route.security
        if not (asked or route.securityHeaders or route.cors or route.webSocket):
            return action
        from .passage import Guarded

        doorkeepers: list[Guard] = []
        guards: list[Guard] = []
        lenses: list[ILens] = []
        if route.securityHeaders is not None:
            from .advice import Advice

            lenses.append(Advice(route.securityHeaders, route.tls is not None))
        if asked is not None:
            doorkeepers = list(self._doorkeepers(route.name, asked))
            if asked.limit is not None:
                from .pace import Requests

                limit = asked.limit
                guards.append(
                    self._kept(
                        (route.name, "limit", limit, asked.prefix, self._workers),
                        lambda: Requests(limit, self._house.reactor.seconds, self.share),
                    )
                )
        if route.cors is not None:
            from .cors import Sharing

            guards.append(Sharing(route.cors))
        if route.webSocket is not None:
            from .sockets import Sockets

            guards.append(Sockets(route.webSocket))
        if asked is not None:
            guards += self._identities(route.name, asked)
        if not (doorkeepers or guards or lenses):
            return action
        return Guarded(
            action,
            (*doorkeepers, *guards),
            self._report(route.name),
            prefix=64 if asked is None else asked.prefix,
            doorkeepers=len(doorkeepers),
            lenses=lenses,
        )

    def _doorkeepers(self, name: str, asked: Security) -> Iterator[Guard]:
        """
        Those who are asked about all connections.
        """
        if asked.allowed or asked.blocked:
            from .lists import Lists

            yield self._kept(_lists(asked), lambda: Lists(asked.allowed, asked.blocked))
        most = None if asked.connections is None else self.share(asked.connections)
        each = None if asked.perClient is None else self.share(asked.perClient)
        if most is not None or each is not None:
            from .crowd import Crowd

            yield self._kept((name, "crowd", most, each, asked.prefix), lambda: Crowd(most, each))
        if asked.rate is not None:
            from .pace import Arrivals

            rate = self.share(asked.rate)
            yield self._kept(
                (name, "arrivals", rate, asked.prefix), lambda: Arrivals(rate, self._house.reactor.seconds)
            )

    def _identities(self, name: str, asked: Security) -> Iterator[Guard]:
        """
        Those who want to know who it is, and tell the target.
        """
        if asked.basic is not None:
            from .basic import Basic

            yield Basic(asked.basic, self._house.verifier)
        jwt, forward = asked.jwt, asked.forward
        if jwt is not None:
            yield self._kept((name, "jwt", jwt), lambda: self._bearer(jwt))
        if forward is not None:
            yield self._kept((name, "forward", forward), lambda: self._inquiry(forward))
        if asked.certificate is not None:
            from .shown import Shown

            yield Shown(asked.certificate)

    def _bearer(self, settings: JWTAuth) -> Bearer:
        from .bearer import Bearer

        house, url = self._house, settings.url
        if url is None:
            return Bearer(settings, house.clock)
        from .keyring import Keyring
        from .web import Web

        web = Web(house.reactor, settings.caFile, _FETCHING)
        return Bearer(settings, house.clock, lambda told: Keyring(web, url, house.reactor.seconds, told))

    def _inquiry(self, settings: ForwardAuth) -> Inquiry:
        from .inquiry import Inquiry
        from .web import Web

        return Inquiry(settings, Web(self._house.reactor, settings.caFile, settings.timeout))

    def _kept(self, key: Any, make: Callable[[], Guard]) -> Guard:
        """
        The one that there was for the same, or another one.
        """
        found = self.guards.get(key)
        if found is None:
            found = self._former.get(key)
        if found is None:
            found = make()
        self.guards[key] = found
        return found

    def _report(self, name: str) -> Report:
        denied = self._house.denied

        def report(reason: str, client: str, detail: str) -> None:
            denied(name, reason, client, detail)

        return report


def _lists(asked: Security) -> Any:
    # Routes that say the same share them: one list for all of a thousand routes is read once.
    return "lists", asked.allowed, asked.blocked
