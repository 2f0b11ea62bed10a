"""Fit the weights of the face statistic of comparisons on aligned clips of role ``train``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from detector.comparison.affine_view import AffineView
from detector.comparison.face_differences import FEATURES, measure_face
from detector.faces.search.networks import FaceDetector
from detector.media.encode import h264_round_trip
from detector.media.frame import Image
from training.command import run_step
from training.evaluation.comparison.pairs import aligned_sets

_CHANGES = ((1.0, 28), (1.0, 40), (0.5, 23))  # scale and crf
_FRAMES, _FIRST, _STEP = 26, 6, 6  # number read, first one measured, and step
_HELD_BACK = 0.99  # share of original clips that must stay below the threshold


@dataclass(frozen=True)
class FrameRow:
    """Features of one frame; ``clip`` names a clip with one change."""

    group: str
    clip: str
    fake: bool
    features: tuple[float, ...]


def rows(data: Path, role: str) -> Iterator[FrameRow]:
    """Measure frames of all aligned clips, re-encoded and scaled, against their originals."""
    detect = FaceDetector()
    for name, (real, fakes) in aligned_sets(data / "clips", role).items():
        original = _frames(real)
        detections = {at: detect(original[at]) for at in range(_FIRST, len(original), _STEP)}
        boxes = {at: np.array(faces[0].box) for at, faces in detections.items() if faces}
        for path in (real, *fakes):
            frames = _frames(path)
            for scale, crf in _CHANGES:
                clip = f"{path.name} {scale:g} crf {crf}"
                height, width = (2 * round(side * scale / 2) for side in frames[0].shape[:2])
                scaled = [cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA) for f in frames]
                changed = h264_round_trip(scaled, 25, {"crf": str(crf), "preset": "veryfast"})
                for features in _features(changed, original, boxes):
                    yield FrameRow(name, clip, path != real, features)
        print(name, file=sys.stderr, flush=True)


def _features(
    changed: Sequence[Image], original: Sequence[Image], boxes: Mapping[int, NDArray[np.float64]]
) -> Iterator[tuple[float, ...]]:
    """Yield features of the face in each frame of ``changed`` that has a box in the original."""
    (height, width), (there, across) = changed[0].shape[:2], original[0].shape[:2]
    view = AffineView(np.diag([across / width, there / height, 0])[:2])
    for at, box in boxes.items():
        if at < len(changed):
            x0, y0, x1, y1 = (box * width / across).tolist()
            measured = measure_face(changed[at], original[at], view, (x0, y0, x1, y1))
            if measured is not None:
                yield measured.features


def fit(found: list[FrameRow]) -> tuple[list[float], float, dict[str, float]]:
    """Return weights, constant, and how well clips are separated without their set.

    The constant of a logistic regression is lowered until hardly any original is taken for another face. The
    result goes into :mod:`detector.comparison`.
    """
    x, y = np.array([row.features for row in found]), np.array([row.fake for row in found])
    groups, clips = np.array([row.group for row in found]), np.array([row.clip for row in found])
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    folds = GroupKFold(min(10, len(set(groups))))
    left_out = cross_val_predict(model, x, y, groups=groups, cv=folds, method="decision_function")
    names = np.unique(clips)
    medians = np.array([np.median(left_out[clips == name]) for name in names])
    fakes = np.array([bool(y[clips == name][0]) for name in names])
    lowered = max(0.0, float(np.quantile(medians[~fakes], _HELD_BACK)))
    model.fit(x, y)
    scaler, regression = model[0], model[1]
    weights = regression.coef_[0] / scaler.scale_
    constant = float(regression.intercept_[0] - weights @ scaler.mean_ - lowered)
    figures = {
        "clips": float(len(names)),
        "fakes above the threshold": float((medians[fakes] > lowered).mean()),
        "originals above it": float((medians[~fakes] > lowered).mean()),
        "lowered by": lowered,
    }
    return weights.tolist(), constant, figures


def _frames(path: Path) -> list[Image]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), _FRAMES)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the weights; return 2 if that fails."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluation.comparison.fit",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="research folder")
    data = parser.parse_args(arguments).data
    return run_step(partial(_print_fit, data), data)


def _print_fit(data: Path) -> None:
    weights, constant, figures = fit(list(rows(data, "train")))
    print("FEATURES =", FEATURES)
    print("WEIGHTS =", tuple(round(weight, 4) for weight in weights))
    print("CONSTANT =", round(constant, 4))
    for name, value in figures.items():
        print(f"{name}: {value:.4f}")


if __name__ == "__main__":
    sys.exit(main())
