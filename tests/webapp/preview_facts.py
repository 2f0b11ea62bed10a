"""Facts of files as the engine states them, for tests of previews."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from analyses import media as facts_of
from clips import numbered
from made_results import digest

from detector.media.open import open_media
from detector.schema.analysis import Media

SMALL = [numbered(number) for number in range(30)]


def described(path: Path) -> Media:
    """The facts of a file as the engine would state them."""
    with open_media(path) as reader:
        sizes = [
            (f.width, f.height) if reader.orientation(f)[0] % 2 == 0 else (f.height, f.width)
            for f, _ in reader.every_frame()
        ]
        return facts_of(
            reader.kind,
            float(reader.duration),
            container=reader.container_format,
            codec=reader.codec,
            width=sizes[0][0],
            height=sizes[0][1],
            frames_decoded=reader.tally.decoded,
            frames_undecodable=reader.tally.undecodable,
            frame_rate=str(reader.frame_rate) if reader.frame_rate else None,
            sha256=digest(path.read_bytes()),
        )


def moments(path: Path) -> list[Fraction]:
    """Times of all frames, in seconds from the first."""
    with open_media(path) as reader:
        times = [pts for _, pts in reader.every_frame()]
        return [(pts - times[0]) * reader.time_base for pts in times]
