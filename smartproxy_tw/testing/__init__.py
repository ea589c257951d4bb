"""
What tests can stand on, ours and those of our users: a certificate authority
that validates, ports and a data path that wait to be told, an origin.
"""

from __future__ import annotations

__all__: list[str] = []
