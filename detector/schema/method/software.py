"""What an analysis was computed with."""

from __future__ import annotations

from pydantic import Field

from detector.schema.base import Sha256, Value


class Library(Value):
    """A library that took part, under its name on the Python package index."""

    name: str
    version: str


class Software(Value):
    """What the analysis was computed with; all but the first four fields since 1.2."""

    reelproof: str
    torch: str
    device: str = Field(description="cpu or cuda, and the device's name")
    created: str = Field(description="UTC, ISO 8601")
    python: str | None = None
    libraries: tuple[Library, ...] = ()
    system: str | None = Field(default=None, description="operating system and kernel")
    processor: str | None = None
    instructions: str | None = Field(default=None, description="the widest vector instructions there are")
    commit: str | None = Field(default=None, description="of the source tree; null outside a git checkout")
    source_sha256: Sha256 | None = Field(
        default=None, description="over the engine's source; docs/exhibit.md says how it is made"
    )
    face_proposals_sha256: Sha256 | None = Field(
        default=None, description="of the network that proposes where faces may be; since 1.13"
    )
    covered_faces_sha256: Sha256 | None = Field(
        default=None, description="of the network that tells covered faces; since 1.21"
    )
    backend: str | None = Field(default=None, description="what ran the network; since 1.3")
    precision: str | None = Field(default=None, description="of the network's arithmetic")
    threads: int | None = Field(default=None, ge=1, description="for that, on the processor")
    batch: int | None = Field(default=None, ge=1, description="crops scored at once, at most")
    command: str | None = Field(
        default=None, description="for a POSIX shell in the exhibit's folder; repeats the analysis"
    )


class Ran(Value):
    """What ran a model."""

    backend: str
    precision: str
    device: str = Field(description="cpu or cuda, and the device's name")
