"""
What a running proxy tells of itself, for those who ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smartproxy_tw.commands.admin import Answer, ProxyAway

__all__ = ["Asked", "standing"]


def standing(**members: Any) -> dict[str, Any]:
    """
    One that is well, but for what is said.
    """
    usual = {
        "version": "1.2",
        "process": 7,
        "started": "2026-11-30T12:00:00Z",
        "uptime": 93784.5,
        "ready": True,
        "reason": None,
        "configuration": {"source": "/etc/s.yaml", "loaded": "2026-11-30T12:00:00Z", "age": 61, "routes": 2},
        "workers": [{"number": 1, "process": 7, "state": "serving"}],
        "listening": [
            {"address": "0.0.0.0", "port": 80, "adopted": True},
            {"address": "::1", "port": 443, "adopted": True},
        ],
        "connections": {
            "open": 3,
            "limit": 20000,
            "counts": {"misses": 0, "refusals": 1, "connections": 9, "requests": 50},
        },
        "upstreams": {"targets": 2, "healthy": 2, "others": []},
        "certificates": {"wanted": 2, "valid": 2, "failing": 0, "states": {"valid": 2}, "problems": []},
    }
    return {**usual, **members}


FAILING = {
    "wanted": 3,
    "valid": 1,
    "failing": 1,
    "states": {"valid": 1, "ordering": 1, "failed": 1},
    "problems": [
        {
            "key": "auto:bad.test",
            "names": ["bad.test", "www.bad.test"],
            "state": "failed",
            "problem": "no\x1b[31m such name",
            "next_attempt": "2026-11-30T13:00:00Z",
        }
    ],
}


class Asked:
    """
    Gives one answer after the other, the last one for good.
    """

    def __init__(self, *answers: Answer | ProxyAway | Mapping[str, Any]) -> None:
        self.answers = list(answers)
        self.questions: list[tuple[str, str, Mapping[str, Any]]] = []

    def __call__(self, verb: str, target: str, members: Mapping[str, Any]) -> Answer:
        self.questions.append((verb, target, members))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ProxyAway):
            raise answer
        return answer if isinstance(answer, Answer) else Answer(200, answer)
