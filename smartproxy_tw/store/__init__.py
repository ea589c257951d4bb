"""
What must outlive the process: certificates, accounts, the local authority's
root, and the lock that keeps one process to one state directory.
"""

from __future__ import annotations

__all__: list[str] = []
