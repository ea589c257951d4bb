"""
Who says first for whom it speaks: those who are believed when they begin a
connection with a header of the PROXY protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .trust import Trust

if TYPE_CHECKING:
    from ..config.model import ProxyProtocol

__all__ = ["Heralds"]


class Heralds:
    """
    As configured, ready to be asked for each connection.

    @ivar ports: Where.
    @ivar trusts: Whether an address is believed.
    @ivar isRequired: Whether those who are have to send a header.
    @ivar seconds: How long it may take.
    """

    def __init__(self, settings: ProxyProtocol) -> None:
        """
        @param settings: As configured.
        """
        self.ports = frozenset(settings.ports)
        self.trusts = Trust(settings.senders).trusts
        self.isRequired = settings.mode == "require"
        self.seconds = settings.timeout
