"""
What is known of targets beyond what those who are sent there find: which are drained,
and which the checks have found unhealthy.  One for the data path of a process, which is
told of it; nothing here looks at anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..config.model import checkedOf

if TYPE_CHECKING:
    from ..config.model import Checked, Forward, Target
    from ..facts import Verdict

__all__ = ["Standings"]


class Standings:
    """
    @ivar diverted: The names of targets that nothing new is to be sent to.
    @ivar verdicts: What checks have found, of whatever is unhealthy.
    @ivar secret: What cookies are signed with; empty before that was told.
    """

    def __init__(self) -> None:
        """
        Nothing is known: all are taken for healthy.
        """
        self.diverted: set[str] = set()
        self.verdicts: dict[Checked, Verdict] = {}
        self.secret = b""

    def judge(self, checked: Checked, verdict: Verdict) -> None:
        """
        A check has found this.
        """
        if verdict.isHealthy:
            self.verdicts.pop(checked, None)
        else:
            self.verdicts[checked] = verdict

    def objection(self, forward: Forward, target: Target, label: str = "") -> str | None:
        """
        Why nothing is to be sent to a target.

        @param forward: What it is a target of.
        @param label: The name of the service that has it, if one has.
        @return: For people; L{None}: it may be.
        """
        if self.diverted and (str(target) in self.diverted or label in self.diverted):
            return "it is drained"
        if self.verdicts:
            checked = checkedOf(forward, target)
            verdict = None if checked is None else self.verdicts.get(checked)
            if verdict is not None:
                return f"it is unhealthy ({verdict.reason})"
        return None
