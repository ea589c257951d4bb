"""
What a file says of the ways in which targets share what there is to do, and of their
health, from what is written to what it means; with what contradicts itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from . import balance, model
from .document import Path
from .elsewhere import elsewhere

if TYPE_CHECKING:
    from . import spread
else:
    spread = elsewhere("spread")

__all__ = ["balanceOf", "healthOf", "spreadProblems"]


def balanceOf(written: str | spread.Balancing | None) -> balance.Balance:
    """
    @param written: As it can be, or L{None}.
    """
    if written is None:
        return balance.Balance()
    if not isinstance(written, spread.Balancing):
        return balance.Balance(written)  # type: ignore[arg-type]
    sticky = None
    if written.sticky is not None:
        sticky = balance.Sticky(written.sticky.cookie, written.sticky.maxAge, written.sticky.secret)
    return balance.Balance(written.algorithm, sticky, written.slowStart)


def healthOf(written: spread.Health | None) -> balance.Health:
    """
    @param written: As it can be, or L{None}.
    """
    if written is None:
        return balance.Health()
    passive = balance.Ejection()
    if written.passive is not None:
        told = written.passive
        passive = balance.Ejection(
            told.failures, told.ejectFor, told.ejectForAtMost, True, frozenset(told.statuses)
        )
    return balance.Health(None if written.active is None else _check(written.active), passive)


def _check(written: spread.ActiveCheck) -> balance.Check:
    plain = balance.Check()
    status: Any = written.status
    codes = status if isinstance(status, list) else [] if status is None else [status]
    return balance.Check(
        kind=written.type,
        path=plain.path if written.path is None else written.path,
        host=written.host,
        port=written.port,
        statuses=tuple(map(spread.statuses, codes)) or plain.statuses,
        interval=written.interval,
        timeout=written.timeout,
        rise=written.healthy,
        fall=written.unhealthy,
    )


def spreadProblems(
    wrong: Callable[[Path, str], None],
    below: Path,
    forward: model.Forward,
    protocol: Literal["http", "tcp"],
    targets: str = "targets",
) -> None:
    """
    Find what contradicts itself.

    @param wrong: Is told each problem, and where it is.
    @param below: Where the action stands.
    @param forward: What it means.
    @param protocol: What is spoken.
    @param targets: What the targets are called there.
    """
    if forward.balance.sticky is not None and protocol == "tcp":
        wrong(
            (*below, "load_balancing", "sticky"),
            "needs HTTP, as only requests have cookies: for bytes use algorithm: ip-hash",
        )
    if forward.targets and not any(each.weight for each in forward.targets):
        wrong((*below, targets), "leaves nobody: at least one target needs a weight above 0")
    check = forward.health.active
    if check is None:
        return
    if check.port is None and any(each.port is None and not each.isService for each in forward.targets):
        wrong((*below, "health", "active"), "needs port: a target with port preserve has none of its own")
    if check.port is not None and any(each.port == 0 for each in forward.targets):
        wrong((*below, "health", "active", "port"), "cannot be: a unix socket has no port")
