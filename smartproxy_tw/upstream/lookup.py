"""
Names by DNS, with the lifetime that their owner gave them.

Both families are asked for at once.  When one has answered and the other has
not for L{DELAY} seconds, what there is serves already (RFC 8305 section 3); the
rest follows.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from .outcome import Failed, Found, Nothing
from .query import NoAnswer, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from twisted.python.failure import Failure

    from .nameservers import NameServers
    from .outcome import Outcome

__all__ = ["DELAY", "DNS", "canReach", "preferred", "related"]

_log = Logger()

#: The resolution delay of RFC 8305 section 3, in seconds.
DELAY = 0.05
# However long its owner says that a name has no address, it is asked again after this, in seconds.
_MOST_NOTHING = 10.0
# Aliases are followed so far.
_MOST_ALIASES = 16


def canReach(address: str) -> bool:
    """
    @param address: An IP address.
    @return: Whether this system knows a way there.  Nothing is sent.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as sock:
            sock.connect((address, 9))
    except OSError:
        return False
    return True


def preferred(addresses: Iterable[str], isUsable: Callable[[str], bool] = canReach) -> tuple[str, ...]:
    """
    Put the addresses of a name into the order of preference: those that can be
    reached first (RFC 6724 section 6, rule 1), among them IPv6.

    @param addresses: Of either family.
    @param isUsable: Whether one can be reached.
    """
    found = sorted(dict.fromkeys(addresses), key=lambda each: ":" not in each)
    return tuple(sorted(found, key=lambda each: not isUsable(each)))


def related(answers: list[Any], name: str, kind: int) -> tuple[list[Any], list[Any]]:
    """
    What an answer says of a name, by its aliases where it has some.

    @param answers: As they came.
    @param name: ASCII.
    @param kind: The type that was asked for.
    @return: The records of that type, and the aliases that lead to them.
    """
    from twisted.names import dns

    mine = {name.encode("ascii").lower()}
    aliases = [each for each in answers if each.type == dns.CNAME]
    used: list[Any] = []
    for _ in range(_MOST_ALIASES):
        more = [each for each in aliases if each.name.name.lower() in mine and each not in used]
        if not more:
            break
        used += more
        mine |= {each.payload.name.name.lower() for each in more}
    return [each for each in answers if each.type == kind and each.name.name.lower() in mine], used


def _addresses(answers: list[Any], name: str, kind: int) -> Found | None:
    """
    What an answer says of a name and its aliases.
    """
    from twisted.names import dns

    records, used = related(answers, name, kind)
    if not records:
        return None
    family = socket.AF_INET if kind == dns.A else socket.AF_INET6
    found = dict.fromkeys(socket.inet_ntop(family, each.payload.address) for each in records)
    return Found(tuple(found), float(min(each.ttl for each in (*records, *used))))


def _nothing(authority: list[Any]) -> Nothing:
    """
    How long an empty answer holds (RFC 2308 section 5).
    """
    from twisted.names import dns

    owners = [each for each in authority if each.type == dns.SOA]
    seconds = min((min(each.ttl, each.payload.minimum) for each in owners), default=0)
    return Nothing(min(float(seconds), _MOST_NOTHING))


class DNS:
    """
    Asks name servers.
    """

    def __init__(
        self, reactor: Any, settings: Callable[[], NameServers], isUsable: Callable[[str], bool] = canReach
    ) -> None:
        """
        @param reactor: One with descriptors, TCP and time.
        @param settings: Whom to ask; read for each question.
        @param isUsable: Whether an address can be reached.
        """
        self._reactor = reactor
        self._settings = settings
        self._isUsable = isUsable

    def canAsk(self) -> bool:
        """
        Whether there is anybody to ask.
        """
        return bool(self._settings().servers)

    def ask(self, host: str, then: Callable[[Outcome, bool], None]) -> None:
        """
        Find the addresses of a name.

        @param host: ASCII, without a trailing dot.
        @param then: Called with an outcome, and whether it is the last one:
            once, or twice when something could be told early.
        """
        asking = Deferred.fromCoroutine(self._ask(host, then))
        asking.addErrback(self._crashed, then)

    def _crashed(self, why: Failure, then: Callable[[Outcome, bool], None]) -> None:
        _log.failure("A bug while resolving", why)
        then(Failed("a bug while resolving"), True)

    async def _ask(self, host: str, then: Callable[[Outcome, bool], None]) -> None:
        settings = self._settings()
        if not settings.servers:
            then(Failed("there is no name server to ask"), True)
            return
        outcome: Outcome = Failed("it cannot be asked for")
        failed: Failed | None = None
        for name in settings.candidates(host):
            outcome = await self._both(settings, name, then)
            if isinstance(outcome, Found):
                break
            if isinstance(outcome, Failed):
                failed = failed or outcome
        then(outcome if isinstance(outcome, Found) else failed or outcome, True)

    async def _both(self, settings: NameServers, name: str, then: Callable[[Outcome, bool], None]) -> Outcome:
        """
        Ask for both families.
        """
        from twisted.names import dns

        outcomes: list[Outcome] = []
        delay: Any = None

        def tellEarly() -> None:
            if len(outcomes) == 1:
                then(self._joined([*outcomes, Failed("not yet")]), False)

        def keep(outcome: Outcome) -> None:
            nonlocal delay
            outcomes.append(outcome)
            if len(outcomes) == 1 and isinstance(outcome, Found):
                delay = self._reactor.callLater(DELAY, tellEarly)

        asked = [
            Deferred.fromCoroutine(self._one(settings, name, kind)).addCallback(keep)
            for kind in (dns.A, dns.AAAA)
        ]
        try:
            await gatherResults(asked)
        finally:
            if delay is not None and delay.active():
                delay.cancel()
        return self._joined(outcomes)

    async def _one(self, settings: NameServers, name: str, kind: int) -> Outcome:
        try:
            answer = await ask(self._reactor, settings, name, kind)
        except NoAnswer as why:
            return Failed(f"no name server tells: {why}")
        except ValueError as why:
            # Too long for DNS.
            return Failed(str(why))
        return _addresses(answer.answers, name, kind) or _nothing(answer.authority)

    def _joined(self, outcomes: list[Outcome]) -> Outcome:
        """
        One outcome for both families.
        """
        found = [each for each in outcomes if isinstance(each, Found)]
        if found:
            return Found(
                preferred([address for each in found for address in each.addresses], self._isUsable),
                min(each.seconds for each in found),
                any(isinstance(each, Failed) for each in outcomes),
            )
        failed = next((each for each in outcomes if isinstance(each, Failed)), None)
        return failed or Nothing(min(each.seconds for each in outcomes if isinstance(each, Nothing)))
