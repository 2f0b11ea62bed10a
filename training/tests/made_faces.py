"""Training samples made inside the tests: patterns for faces, with landmarks where faces have them."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import cv2
import numpy as np

from detector.face_blending import TEMPLATE
from training.data.research_faces import MARGIN, Sample


def crop(seed: int, fake: bool, size: int = 64) -> np.ndarray:
    """A pattern of its own for each seed; fakes carry a fine chequer, which survives nothing but is plain."""
    coarse = np.random.default_rng(seed).integers(60, 190, (4, 4, 3), np.uint8)
    picture = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    if fake:
        rows, columns = np.mgrid[0:size, 0:size]
        chequer = ((rows // 4 + columns // 4) % 2 * 2 - 1)[..., None]
        picture = np.clip(picture + 50 * chequer, 0, 255).astype(np.uint8)
    return picture


def encoded(picture: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, picture[:, :, ::-1])[1].tobytes()


def samples(count: int = 8) -> list[Sample]:
    """``count`` framed real and as many fake crops, and ``count`` real ones of a clip, with a margin."""
    inner = (TEMPLATE * 0.8 + 0.1).astype(np.float32)
    out = []
    for i in range(count):
        out.append(Sample(encoded(crop(i, False)), 0, f"r{i}", inner * 64, framed=True))
        out.append(Sample(encoded(crop(100 + i, True)), 1, f"f{i}", None, framed=True))
        wide = round(64 * MARGIN)
        middle = (wide - 64) / 2
        landmarks = (inner * 64 + middle).astype(np.float32)
        out.append(Sample(encoded(crop(200 + i, False, wide)), 0, "clip", landmarks, framed=False))
    return out


def write_archive(path: Path, count: int, first: int = 0) -> None:
    """A zip of ``count`` real and ``count`` fake crops beside its CSV, as the DFDC ones are."""
    with zipfile.ZipFile(path, "w") as archive, path.with_suffix(".csv").open("w", newline="") as table:
        rows = csv.writer(table)
        rows.writerow(["file", "label", "source", "crop_width"])
        for i in range(first, first + count):
            for label in ("real", "fake"):
                name = f"{label}-{i}.jpg"
                archive.writestr(name, encoded(crop(i, label == "fake"), ".jpg"))
                rows.writerow([name, label, f"source-{i}", 64])
