"""
What can be asked about the configuration of a running proxy, and done with it: the
words of L{SmartProxy<smartproxy_tw.service.tree.SmartProxy>} as questions to a
L{Desk<smartproxy_tw.service.desk.Desk>}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred

from ..config.errors import ConfigError
from .desk import Desk, Question, Refusal, Reply
from .errors import ChangeRefused, RestartNeeded, StoppedError

if TYPE_CHECKING:
    from ..config.changes import Changes

__all__ = ["Reloads", "Subject"]


class Subject(Protocol):
    """
    What goes by the configuration.
    """

    def reload(self, asker: str) -> Deferred[Changes]:
        """
        Read it anew, and go by it.
        """

    def preview(self) -> Deferred[Changes]:
        """
        What that would change.
        """


class Reloads:
    """
    About the configuration of one proxy.
    """

    def __init__(self, subject: Subject) -> None:
        """
        @param subject: Goes by it.
        """
        self._subject = subject

    def begin(self, desk: Desk) -> None:
        """
        Take questions.
        """
        desk.take("POST", "/v1/reload", self._reload)

    def end(self) -> None:
        """
        Nothing is to be done.
        """

    async def _reload(self, question: Question) -> Reply:
        question.only("dry_run")
        isDry = question.claim("dry_run")
        try:
            changes = await (self._subject.preview() if isDry else self._subject.reload(question.asker))
        except ConfigError as why:
            problems = [str(each) for each in why.problems]
            raise Refusal(422, "bad-configuration", str(why), problems=problems) from why
        except RestartNeeded as why:
            raise Refusal(409, "restart-needed", str(why), changes=_members(why.changes)) from why
        except ChangeRefused as why:
            raise Refusal(409, "refused", str(why)) from why
        except StoppedError as why:
            raise Refusal(503, "stopping", str(why)) from why
        return Reply({"reloaded": not isDry, "changes": _members(changes), "lines": [*changes.lines()]})


def _members(changes: Changes) -> dict[str, Any]:
    return {
        "routes": {
            "added": list(changes.added),
            "removed": list(changes.removed),
            "changed": list(changes.changed),
            "reordered": changes.isReordered,
        },
        "ports": {"bound": list(changes.bound), "released": list(changes.released)},
        "certificates": {"wanted": list(changes.wanted), "dropped": list(changes.dropped)},
        "settings": [
            {
                "name": each.name,
                "old": each.old,
                "new": each.new,
                "needs_restart": each in changes.obstacles,
            }
            for each in changes.settings
        ],
    }
