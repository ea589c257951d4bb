"""
Which peers are believed when they say for whom they speak.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address

__all__ = ["Trust"]

_MEMO = 4096


class Trust:
    """
    A set of networks, asked by address.
    """

    def __init__(self, networks: tuple[IPv4Network | IPv6Network, ...]) -> None:
        self._networks = networks
        self._memo: dict[str, bool] = {}

    def trusts(self, host: str) -> bool:
        """
        @param host: An IP address; anything else (a unix socket) is not
            trusted.
        """
        if not self._networks:
            return False
        known = self._memo.get(host)
        if known is None:
            known = self._find(host)
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            self._memo[host] = known
        return known

    def _find(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address.version == network.version and address in network for network in self._networks)
