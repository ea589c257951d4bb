"""
Forward to those of a route's targets that are for this request: see
L{Branch<smartproxy_tw.config.selection.Branch>}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zope.interface import implementer

from ..facts import Amendment
from ..interfaces import IAction, IExchange, IStream
from ..plane.link import UpstreamFailure
from ..routing.choice import Tier, tiers
from ..routing.sight import Sight
from .refusal import Refusal

if TYPE_CHECKING:
    from ..config.selection import Branch
    from .means import Means

__all__ = ["BranchesAction"]

_NOBODY = UpstreamFailure("no target is for this, and none is for the rest", isBusy=True)


class _Choice:
    """
    One branch.
    """

    def __init__(self, branch: Branch, action: IAction) -> None:
        self.action = action
        self.weight = max(1, len(branch.forward.targets))
        lines = "".join(f"{name}: {value}\r\n" for name, value in branch.headers).encode("latin-1")
        names = frozenset(name.lower().encode("ascii") for name, _ in branch.headers)
        self.amendment = Amendment(removed=names, fields=lines) if lines else None


class _Turns:
    """
    Choices with the same conditions.
    """

    def __init__(self, tier: Tier, choices: Sequence[_Choice]) -> None:
        self.tier = tier
        self._choices = _spread(choices)
        self._turn = -1

    def next(self) -> _Choice:
        """
        Whose turn it is.
        """
        self._turn = (self._turn + 1) % len(self._choices)
        return self._choices[self._turn]


@implementer(IAction)
class BranchesAction:
    """
    Chooses for each request anew.
    """

    def __init__(self, branches: Sequence[Branch], actions: Sequence[IAction], means: Means) -> None:
        """
        @param branches: In the order of the configuration.
        @param actions: What each of them does.
        @raise ValueError: A condition of one is none.
        """
        self._nobody = Refusal(means.reactor, _NOBODY)
        choices = [_Choice(*each) for each in zip(branches, actions, strict=True)]
        self._turns = [_Turns(tier, [choices[place] for place in tier.places]) for tier in tiers(branches)]

    def request(self, exchange: IExchange) -> None:
        """
        See L{IAction}.
        """
        facts = exchange.facts()
        client = facts.client or facts.connection.client.host
        choice = self._choose(facts.path, Sight(client, facts.method, facts.query, exchange.fields))
        if choice is None:
            exchange.forward(self._nobody)
            return
        if choice.amendment is not None:
            exchange.amend(choice.amendment)
        choice.action.request(exchange)

    def stream(self, stream: IStream) -> None:
        """
        See L{IAction}.
        """
        choice = self._choose(None, Sight(stream.facts().client.host))
        if choice is None:
            stream.forward(self._nobody)
        else:
            choice.action.stream(stream)

    def _choose(self, path: str | None, sight: Sight) -> _Choice | None:
        for turns in self._turns:
            if turns.tier.holds(path, sight):
                return turns.next()
        return None


def _spread(choices: Sequence[_Choice]) -> Sequence[_Choice]:
    """
    Each as often as it has targets, and none of them long in a row.
    """
    if len(choices) == 1:
        return choices
    turns = [
        ((turn + 0.5) / choice.weight, index)
        for index, choice in enumerate(choices)
        for turn in range(choice.weight)
    ]
    return [choices[index] for _, index in sorted(turns)]
