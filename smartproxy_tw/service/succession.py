"""
The certificates that come and go with another configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, TypeVar

from ..values import dataclass
from .automatic import AutoCertificate
from .files import FileCertificate
from .internal import InternalCertificate

if TYPE_CHECKING:
    from ..config.model import Config

__all__ = ["AnyCertificate", "Succession", "portions"]

AnyCertificate = AutoCertificate | InternalCertificate | FileCertificate

T = TypeVar("T")


@dataclass(slots=True)
class Succession:
    """
    Served already, and nothing else yet: what it has can be taken back.

    @ivar config: The configuration.
    @ivar shown: What the data path is to go by: with what stands in for others.
    @ivar first: Those by ACME.
    @ivar twins: The second ones to them, by the identity of the first.
    @ivar internal: Those by the local authority.
    @ivar files: Those in files.
    @ivar gone: The identities of those that nobody needs any more.
    """

    config: Config
    shown: Config
    first: list[AutoCertificate] = field(default_factory=list)
    twins: dict[str, AutoCertificate] = field(default_factory=dict)
    internal: list[InternalCertificate] = field(default_factory=list)
    files: list[FileCertificate] = field(default_factory=list)
    gone: frozenset[str] = frozenset()

    @property
    def every(self) -> tuple[AnyCertificate, ...]:
        """
        All that come.
        """
        return (*self.first, *self.twins.values(), *self.internal, *self.files)


def portions(things: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """
    Some at a time.

    @param size: So many; the last ones may be fewer.
    """
    for start in range(0, len(things), size):
        yield things[start : start + size]
