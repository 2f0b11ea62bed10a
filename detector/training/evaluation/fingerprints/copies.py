"""Clips, photographs, and copies of them as they are found in the world.

Which of them show the same scene the lists of the research data tell; nothing else must match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from detector.media.frame import Image
from detector.training.data.face_samples import read_csv
from detector.training.data.labelled_sets import opened_zip
from detector.training.evaluation.comparison.variants import VARIANTS, Variant
from detector.training.evaluation.material.short_clips import ShortClip

_RATE = Fraction(25)
SECONDS = 8.0  # of a clip that are copied, at most
_CORNER = 0.1  # of width and height, cut off on two sides
_QUALITY = {28: 60, 40: 20}  # of a JPEG, by the rate factor of the video it stands for


def _corner(film: ShortClip) -> ShortClip:
    height, width = film.frames[0].shape[:2]
    down, across = round(_CORNER * height), round(_CORNER * width)
    return ShortClip([frame[down:, across:] for frame in film.frames], film.rate)


_NAMES = ("crf 28", "crf 40", "scale 0.5", "scale 1.3", "crop 10 %", "caption bar", "mirrored")
COPIES: tuple[Variant, ...] = (
    *(variant for name in _NAMES for variant in VARIANTS if variant.name == name),
    Variant("crop 10 % at a corner", _corner),
)


@dataclass(frozen=True)
class ResearchClip:
    """A clip of the research data. Clips that share a value of ``scenes`` may show the same."""

    path: Path
    role: str
    scenes: frozenset[str]


@dataclass(frozen=True)
class ResearchPhoto:
    """A photograph, likewise."""

    name: str
    scenes: frozenset[str]
    read: Callable[[], Image]


def clips(data: Path) -> list[ResearchClip]:
    """All clips and videos below ``data``."""
    out = []
    for folder in ("clips", "videos"):
        for row in read_csv(data / folder / "labels.csv"):
            group, aligned = row.get("group") or "", row.get("aligned") or ""
            scenes = {group, aligned, row["file"]}
            if row["file"].startswith("ffpp-"):  # named for the recordings they were made of
                numbers = row["file"].removesuffix(".mp4").split("-")[-1].split("_")
                scenes |= {f"ffpp-{number}" for number in numbers}
            elif group.startswith("ffpp-"):
                scenes |= {f"ffpp-{number}" for number in group.split("-")[1:]}
            out.append(ResearchClip(data / folder / row["file"], row["role"], frozenset(scenes - {""})))
    return out


def photos(data: Path) -> list[ResearchPhoto]:
    """All photographs below ``data``: of LFW and UTKFace, and the stills, made-up ones among them."""
    groups = {row["file"]: row["group"] for row in read_csv(data / "stills.csv")}
    return [
        ResearchPhoto(name, frozenset({name, groups.get(name, name)}), reader)
        for archive in ("photos-real.zip", "stills.zip")
        for name, reader in _pictures(data / archive)
    ]


def photo_copy(picture: Image, variant: Variant) -> Image:
    """A photograph changed as a clip is by ``variant``, and saved as a JPEG."""
    changed = variant.change(ShortClip([picture], _RATE)).frames[0]
    quality = _QUALITY.get(variant.crf, 80)
    ok, data = cv2.imencode(
        ".jpg", cv2.cvtColor(changed, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    assert ok
    return _decoded(data)


def _pictures(archive: Path) -> Iterator[tuple[str, Callable[[], Image]]]:
    with opened_zip(archive) as opened:
        names = [name for name in opened.namelist() if name.endswith(".jpg")]
    for name in names:
        yield name, lambda name=name: _read(archive, name)  # type: ignore[misc]


def _read(archive: Path, name: str) -> Image:
    with opened_zip(archive) as opened:
        return _decoded(np.frombuffer(opened.read(name), np.uint8))


def _decoded(data: np.ndarray) -> Image:
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
