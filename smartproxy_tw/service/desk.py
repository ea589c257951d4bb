"""
What can be asked of a running proxy, whatever it is asked by: questions with a verb
and a path in, answers of plain values out.

Who takes questions gives answers or raises a L{Refusal}; whatever else is raised is a
defect, logged, and told as no more than that.  A member that a question does not know
is refused, so that a misspelled one is not taken for its absence.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import field
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from ..values import dataclass

__all__ = ["Desk", "Question", "Refusal", "Reply"]


@dataclass(frozen=True, slots=True)
class Question:
    """
    What somebody wants.

    @ivar parameters: What stands behind the path, each name with all its values.
    @ivar members: Of the JSON object that came along; empty where none did.
    @ivar asker: Who it is, for the log.
    """

    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)
    asker: str = "somebody"

    def only(self, *names: str) -> None:
        """
        See that nothing else was said.

        @raise Refusal: Something was.
        """
        for name in (*self.parameters, *self.members):
            if name not in names:
                known = f"there are {', '.join(names)}" if names else "there are none"
                raise Refusal(400, "bad-question", f"{name!r} is not known here: {known}.")

    def claim(self, name: str) -> bool:
        """
        A member that is true or false, false where it is missing.

        @raise Refusal: It is neither.
        """
        found = self.members.get(name, False)
        if not isinstance(found, bool):
            raise Refusal(400, "bad-question", f"{name!r} is neither true nor false.")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """
        A member that is a list of texts, empty where it is missing.

        @raise Refusal: It is none.
        """
        found = self.members.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise Refusal(400, "bad-question", f"{name!r} is no list of texts.")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Reply:
    """
    An answer.

    @ivar members: What is told, of kinds that JSON has.
    @ivar status: Of HTTP.
    @ivar fields: Further ones of HTTP.
    @ivar text: Instead of members: lines, each with its end, taken up piece by piece;
        an empty one where somebody else may have his turn.
    @ivar listing: The name and the items of one more member, a list that may be long:
        it is taken up piece by piece.
    """

    members: Mapping[str, Any]
    status: int = 200
    fields: Mapping[str, str] = field(default_factory=dict)
    listing: tuple[str, Iterable[Any]] | None = None
    text: Iterable[str] | None = None


class Refusal(Exception):
    """
    What was asked for is not done.

    @ivar status: Of HTTP.
    @ivar code: For programs; does not change.
    @ivar facts: More members of the error.
    """

    def __init__(self, status: int, code: str, message: str, **facts: Any) -> None:
        """
        @param message: For people, a whole sentence.
        """
        super().__init__(message)
        self.status = status
        self.code = code
        self.facts = facts

    @property
    def error(self) -> dict[str, Any]:
        """
        As it is told.
        """
        return {"code": self.code, "message": str(self), **self.facts}

    def reply(self, **fields: str) -> Reply:
        """
        As an answer.
        """
        return Reply({"error": self.error}, self.status, fields)


#: Answers a question.
Take = Callable[[Question], Awaitable[Reply]]


class Desk:
    """
    Knows who takes what.
    """

    _log = Logger()

    def __init__(self) -> None:
        """
        Nothing is taken yet.
        """
        self._takers: dict[str, dict[str, Take]] = {}

    def take(self, verb: str, path: str, taker: Take) -> None:
        """
        Have a question answered.

        @param verb: A method of HTTP.
        @param path: For instance C{/v1/certificates}.
        """
        self._takers.setdefault(path, {})[verb] = taker

    @property
    def questions(self) -> list[str]:
        """
        All that can be asked.
        """
        return [f"{verb} {path}" for path, takers in self._takers.items() for verb in takers]

    async def answer(
        self, verb: str, path: str, parameters: Mapping[str, tuple[str, ...]], body: bytes, asker: str
    ) -> Reply:
        """
        Answer.  Never fails but by cancellation.

        @param body: JSON, or nothing.
        """
        takers = self._takers.get(path)
        if takers is None:
            known = ", ".join(self.questions)
            return Refusal(404, "unknown-path", f"There is no {path!r} here. There are: {known}.").reply()
        taker = takers.get(verb)
        if taker is None:
            allowed = ", ".join(takers)
            message = f"{path} takes {allowed}, not {verb}."
            return Refusal(405, "unknown-method", message).reply(Allow=allowed)
        try:
            return await taker(Question(parameters, _members(body), asker))
        except Refusal as why:
            return why.reply()
        except CancelledError:
            raise
        except Exception:
            self._log.failure("A defect while answering {verb} {path}", verb=verb, path=path)
            return Refusal(500, "defect", "A defect: the log of the proxy has its traceback.").reply()


def _members(body: bytes) -> Mapping[str, Any]:
    if not body.strip():
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as why:
        said = "it is nested too deeply" if isinstance(why, RecursionError) else str(why)
        raise Refusal(400, "bad-json", f"What was sent is no JSON: {said}.") from None
    if not isinstance(found, dict):
        raise Refusal(400, "bad-json", "What was sent is no JSON object.")
    return found
