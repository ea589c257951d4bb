"""
C{smartproxy certificates renew} and C{revoke}: asks the running proxy for it, and
tells how it goes until there is another certificate.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from .admin import Ask, ProxyAway

__all__ = ["Demands"]

#: Waited between two looks, in seconds: at first, and at most.
_FIRST_LOOK, _LATEST_LOOK = 0.2, 2.0

#: The proxy is asked about so many by name, and about all where there are more.
_BY_NAME = 20

_Told = Mapping[str, Any]


class Demands:
    """
    One command.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        sleep: Callable[[float], object] = time.sleep,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        """
        @param ask: Asks the proxy.
        @param sleep: Waits.
        @param out: Where it is told how it goes.
        @param err: Where it is told what goes wrong.
        """
        self._ask = ask
        self._sleep = sleep
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._isWell = True

    def renew(self, names: Sequence[str], *, isAll: bool, isForced: bool, isWaiting: bool) -> bool:
        """
        Have certificates renewed.

        @param names: Which; none with C{isAll}.
        @param isForced: Whether an order that has just failed is no reason to wait.
        @param isWaiting: Whether to wait for them.
        @return: Whether all is as it was wanted.
        @raise ProxyAway: The proxy does not answer, or not any more.
        """
        members: dict[str, Any] = {"all": True} if isAll else {"names": list(names)}
        outcomes = self._demanded("renew", {**members, "force": isForced})
        going = [each for each in outcomes if each.get("outcome") != "refused"]
        for each in going:
            isNew = each["outcome"] == "ordering"
            self._say(each, "ordered" if isNew else "an order is under way already")
        if isAll and not outcomes and self._isWell:
            print("no route wants a certificate by ACME", file=self._out)
        return self._watched(going) if isWaiting else self._isWell

    def revoke(self, names: Sequence[str], reason: str, *, isWaiting: bool) -> bool:
        """
        Have certificates revoked, and replaced.

        @param reason: In the words of RFC 5280.
        @param isWaiting: Whether to wait for those that follow them.
        @return: As L{renew}, which also says what is raised.
        """
        outcomes = self._demanded("revoke", {"names": list(names), "reason": reason})
        gone = [each for each in outcomes if each.get("outcome") != "refused"]
        for each in gone:
            isNew = each["outcome"] == "revoked"
            self._say(each, f"{'revoked' if isNew else 'was revoked before'}: serial number {each['serial']}")
            if each.get("problem"):
                self._complain(each, each["problem"])
        return self._watched(gone) if isWaiting else self._isWell

    def find(self, names: Sequence[str]) -> list[str]:
        """
        What there is to be revoked, a line for each.

        @return: Empty when something is wrong, which was told.
        """
        answer = self._ask("GET", "/v1/certificates", {"name": list(names)})
        if answer.error is not None:
            print(answer.error, file=self._err)
            return []
        lines = [
            f"{_called(each)}: serial number {each['serial']}, valid until {each['not_after']}"
            for each in answer.members["certificates"]
            if each["serial"] is not None
        ]
        if not lines:
            print(f"No certificate by an authority is served for {', '.join(names)}.", file=self._err)
        return lines

    def _demanded(self, verb: str, members: Mapping[str, Any]) -> list[_Told]:
        answer = self._ask("POST", f"/v1/certificates/{verb}", members)
        outcomes: list[_Told] = list(answer.members.get("certificates", ()))
        if answer.error is not None and not outcomes:
            self._isWell = False
            print(answer.error, file=self._err)
        for each in outcomes:
            if each["outcome"] == "refused":
                code, message = each["error"]["code"], each["error"]["message"]
                hint = " (--force does not wait)" if verb == "renew" and code == "failed" else ""
                self._complain(each, f"{message}{hint}")
        return outcomes

    def _watched(self, begun: list[_Told]) -> bool:
        """
        Wait for the end of the orders.
        """
        waiting = {each["key"]: each for each in begun}
        said: dict[str, str] = {}
        wait = _FIRST_LOOK
        while waiting:
            self._sleep(wait)
            wait = min(_LATEST_LOOK, wait * 1.2)
            found = self._look(waiting)
            for key, before in list(waiting.items()):
                now = found.get(key)
                if now is None or now["orders"] < before["orders"]:
                    raise ProxyAway("The proxy was restarted meanwhile, and knows no more of it. Ask again.")
                if now["orders"] > before["orders"]:
                    del waiting[key]
                    self._tellEnd(before, now)
                elif (line := _progress(now)) != said.get(key):
                    said[key] = line
                    self._say(now, line)
        return self._isWell

    def _look(self, waiting: Mapping[str, _Told]) -> dict[str, _Told]:
        which: Mapping[str, Any] = {"key": list(waiting)} if len(waiting) <= _BY_NAME else {}
        answer = self._ask("GET", "/v1/certificates", which)
        return {each["key"]: each for each in answer.members.get("certificates", ())}

    def _tellEnd(self, before: _Told, now: _Told) -> None:
        isNew = now["serial"] is not None and now["serial"] != before["serial"]
        if isNew and now["state"] not in ("failed", "revoked"):
            until, serial = now["not_after"], now["serial"]
            self._say(now, f"serving another one, valid until {until}: serial number {serial}")
        if not isNew or now["problem"]:
            problem = now["problem"] or "the order ended without a certificate"
            again = f". Next attempt: {now['next_attempt']}" if now["next_attempt"] else ""
            self._complain(now, f"{problem}{again}")

    def _say(self, which: _Told, line: str) -> None:
        print(f"{_called(which)}: {line}", file=self._out, flush=True)

    def _complain(self, which: _Told, line: str) -> None:
        self._isWell = False
        print(f"{_called(which)}: {line}", file=self._err, flush=True)


def _called(which: _Told) -> str:
    return ", ".join(which["names"]) + (" (RSA)" if which["key"].startswith("rsa:") else "")


def _progress(now: _Told) -> str:
    until = f" until {now['next_attempt']}" if now["next_attempt"] else ""
    if now["state"] == "waiting":
        return f"waiting{until}: {now['reason'] or 'for its turn'}"
    if now["state"] in ("failed", "revoked") and now["problem"]:
        return f"waiting{until}: {now['problem']}"
    return str(now["state"])
