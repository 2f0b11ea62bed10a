"""What a confined process may use, and which files it may touch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds.

    An analysis of 4K video takes 1.6 GB of ``memory`` as it is counted here, of which 1 GB is
    torch's and the like, and some twelve minutes of processor time an hour of 720p.
    """

    memory: int = 4096 * MEGABYTE
    cpu: int = 14_400
    wall: float = 7_200
    written: int = 4096 * MEGABYTE
    files: int = 256


@dataclass(frozen=True)
class AllowedPaths:
    """Files and folders a confined process may touch beside the program's own, which it may read.

    Those in ``writable`` exist already; their sizes together are what ``Limits.written`` limits. With
    ``ports`` it keeps the network: it may look up names and connect to these TCP ports, of any machine.
    """

    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    ports: tuple[int, ...] = ()
