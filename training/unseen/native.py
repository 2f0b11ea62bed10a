"""Windows of stills at native resolution, training clips and photographs, as the second look cuts them.

A still is a square around the head, one or two of each clip, with the page that published it. Each window is
a set of its own, since each has a linear head of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

from detector.faces.crop import Box
from detector.faces.patch import decode_jpeg, encode_jpeg
from detector.faces.search.networks import FaceDetector
from detector.media.frame import Image
from training.data.labelled_sets import open_zip
from training.data.research_faces import clip_rows, read_csv
from training.second_look.examples.patches import TRAIN, Patch, family, largest_faces, moments
from training.second_look.examples.sampling import crops_of_windows
from training.unseen.samples import Draw, Sample, sample_of

NATIVE = "native"
FOOTAGE = frozenset({NATIVE, "clips"})
"""Sources of frames of videos; all others are photographs."""
_CLIP_FRAMES = 2
_CONFIDENCE = 0.5
Drawn = list[tuple[list[Sample], Draw]]


def native_patches(data: Path) -> list[Patch]:
    """Return the stills of ``native``, whose ``file`` is the name of their clip and ``origin`` the page."""
    patches = []
    with open_zip(data / "native.zip") as archive:
        names = {Path(name).name: name for name in archive.namelist()}
        rows = read_csv(data / "native.csv")
        for number, row in enumerate(rows):
            pixels = archive.read(names[row["file"]])
            height, width = decode_jpeg(pixels).shape[:2]
            fake, box = row["label"] == "fake", cast(Box, tuple(map(float, row["box"].split())))
            patches.append(
                Patch(
                    pixels,
                    width,
                    height,
                    box,
                    0.0,
                    1.0,
                    NATIVE,
                    row["clip"],
                    number,
                    fake,
                    row["generator"],
                    family(row["generator"], fake),
                    row["group"],
                    row["note"],
                    row["role"],
                    row["origin"],
                )  # fmt: skip
            )
    return patches


def clip_patches(data: Path) -> Iterator[Patch]:
    """Yield whole frames with the largest face of each training clip of the first collection."""
    detector = FaceDetector(_CONFIDENCE)
    for row in clip_rows(data / "clips"):
        if row["role"] != TRAIN:
            continue
        for number, image in moments(data / "clips" / row["file"], _CLIP_FRAMES):
            for box, roll in largest_faces(image, detector, 1):
                fake, generator = row["label"] == "fake", row["generator"]
                yield Patch(
                    encode_jpeg(image), image.shape[1], image.shape[0], box, roll, 1.0, "clips", row["file"],
                    number, fake, generator, family(generator, fake), row["group"], "", TRAIN, row["origin"],
                )  # fmt: skip


def drawn_windows(patches: Iterable[Patch], window: int) -> Drawn:
    """Return samples of one ``window`` of ``patches``."""
    return [_drawn(patch, window) for patch in patches if patch.box is not None]


def _drawn(patch: Patch, window: int) -> tuple[list[Sample], Draw]:
    def draw() -> list[Image]:
        assert patch.box is not None
        return [crops_of_windows(decode_jpeg(patch.data), patch.box, patch.source not in FOOTAGE)[window]]

    return [sample_of(patch, "plain")], draw
