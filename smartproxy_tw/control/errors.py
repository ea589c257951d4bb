"""
What can go wrong between those who decide and a data path in other processes.
"""

from __future__ import annotations

__all__ = ["Broken", "PlaneLost", "Refused", "WorkerGone"]


class PlaneLost(Exception):
    """
    There is no worker, and none can be had.  The text is for the operator.
    """


class Refused(ValueError):
    """
    A worker found that what it was told cannot be used; it goes on as before.
    """


class Broken(Exception):
    """
    A defect in a worker kept it from doing what it was told; its log has the
    traceback.
    """


class WorkerGone(Exception):
    """
    The worker that was asked has ended, or accepts nothing any more: what it was
    asked for concerns its successor.
    """
