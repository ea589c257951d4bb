"""
How HTTP is spoken to targets, as files say it.

What may be written, and what contradicts it: HTTP/2 by TLS needs TLS to the target, and in
the clear it must not have any.
"""

from __future__ import annotations

from typing import Literal

from .model import Target

__all__ = ["DESCRIPTION", "OWN_DESCRIPTION", "Protocol", "problem", "withProtocol"]

Protocol = Literal["http/1.1", "h2", "h2c", "auto"]

#: Of the option of an action.
DESCRIPTION = (
    "How HTTP is spoken to the targets. `http/1.1`; `h2`: HTTP/2 by TLS, which the target has to agree to "
    "(ALPN); `h2c`: HTTP/2 without TLS, as servers of gRPC speak it, which the target has to be known for; "
    "`auto`: what the target prefers by ALPN, and HTTP/1.1 without TLS. With HTTP/2 one connection carries "
    "many requests at a time."
)
#: Of that of a target.
OWN_DESCRIPTION = "As `protocol` of the action, for this target alone."


def problem(protocol: str, *, isTLS: bool) -> str | None:
    """
    @param protocol: As it was written.
    @param isTLS: Whether the target is spoken to by TLS.
    @return: What is wrong with it, the end of a sentence that begins with where it
        stands; or L{None}.
    """
    if protocol == "h2" and not isTLS:
        return (
            "h2 needs TLS to the target: write it as https://, or set tls.mode: terminate-and-reencrypt; "
            "HTTP/2 without TLS is h2c"
        )
    if protocol == "h2c" and isTLS:
        return "h2c is HTTP/2 without TLS, but TLS is spoken to the target: use h2 or auto"
    return None


def withProtocol(target: Target) -> str:
    """
    A target as people read it: where it is, and what is spoken to it, if that is not
    HTTP/1.1.
    """
    if target.protocol == "http/1.1":
        return str(target)
    return f"{target} by {'HTTP/2 if it prefers that' if target.protocol == 'auto' else 'HTTP/2'}"
