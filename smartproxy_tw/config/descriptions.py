"""
What is said of options that stand in several sections.
"""

from __future__ import annotations

__all__ = ["HEALTH", "LOAD_BALANCING", "TIMEOUTS", "TLS", "WEBSOCKET"]

#: Of the options of an action and of a site.
LOAD_BALANCING = (
    "Which target is next: `round-robin`, `least-connections`, `ip-hash`, `random-two-choices`, or a mapping "
    "with more to say."
)
HEALTH = "How it is known which targets can be had."
#: Of the options of a route and of a site.
TIMEOUTS = "How long it waits, in place of `timeouts` of the whole file, and how long its tunnels may last."
WEBSOCKET = (
    "Who may open WebSockets: `false`: nobody, 403; `true`: who asks as RFC 6455 has it; or a mapping. "
    "Default: whoever the target agrees with."
)
#: Of the option of every action.
TLS = "What becomes of TLS from the client. Left out, the route takes plain connections only."
