"""
Who may ask by TCP, told by the head of the request alone.

On a unix socket the kernel sees to that.  On a port of this machine everybody on it can
connect, and so can every web page that somebody on it looks at: by a form, by a script,
or by a name of its own that it has point here (DNS rebinding).  None of these has the
token; and what a browser sends is refused besides, since its C{Host} is another name,
its C{Origin} another page, or what it sends is not JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from hmac import compare_digest
from ipaddress import IPv6Address, ip_address

from ..facts import Address
from .desk import Refusal

__all__ = ["Guard"]

#: Gives all values of a field, by its name.
Fields = Callable[[str], Sequence[str]]


class Guard:
    """
    Of one port.
    """

    def __init__(self, token: str, listen: Address) -> None:
        """
        @param token: What has to be shown.
        @param listen: Where it is listened.
        """
        self._digest = _digest(token)
        self._listen = listen

    def objection(self, fields: Fields, hasBody: bool, local: Address) -> Refusal | None:
        """
        Why a request is not answered.

        @param fields: Of its head.
        @param hasBody: Whether something came along.
        @param local: The address that it came to.
        @return: L{None}: nothing is against it.
        """
        hosts = fields("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._names(local):
            message = f"The field Host has to name this address: {self._listen}."
            return Refusal(403, "wrong-host", message)
        if any(origin != f"http://{hosts[0]}" for origin in fields("origin")):
            return Refusal(403, "foreign-origin", "No other web page may ask this.")
        if not self._isKnown(fields("authorization")):
            message = "Show the token of admin.token: Authorization: Bearer TOKEN."
            return Refusal(401, "no-token", message)
        if hasBody and not _isJSON(fields("content-type")):
            return Refusal(415, "no-json", "What is sent has to be JSON: Content-Type: application/json.")
        return None

    def _names(self, local: Address) -> set[str]:
        # A name that is looked up could be anybody's; an address is just this one.
        address = ip_address(local.host)
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            # One socket for both, and a client that knows nothing of that.
            address = address.ipv4_mapped
            local = Address(str(address), local.port)
        found = {str(self._listen), str(local)}
        if address.is_loopback:
            found.add(f"localhost:{local.port}")
        return found | ({name.removesuffix(":80") for name in found} if local.port == 80 else set())

    def _isKnown(self, shown: Sequence[str]) -> bool:
        if len(shown) != 1:
            return False
        scheme, _, token = shown[0].partition(" ")
        return scheme.lower() == "bearer" and compare_digest(_digest(token.strip()), self._digest)


def _digest(token: str) -> bytes:
    # Of one length, so that the time of the comparison does not tell that of the token.
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def _isJSON(kinds: Sequence[str]) -> bool:
    return len(kinds) == 1 and kinds[0].partition(";")[0].strip().lower() == "application/json"
