"""Measure how compression, scaling, blur, noise and light change the scores of the same clips."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from sklearn.metrics import roc_auc_score

from detector.media.encode import H264Writer
from detector.media.frame import Frame, Image
from detector.media.open import open_media
from detector.media.reader import MediaReader
from detector.progress import ReportText
from detector.schema.analysis import Parameters, Verdict
from detector.scoring.scorer import Scorer
from training.evaluation.material import (
    Clip,
    ListedClip,
    analyse_clips,
    scored_clips,
    scored_frames,
    share_flagged,
)
from training.evaluation.recorded_clips import Distortion

SECONDS = 3  # of each clip, so that a table takes minutes
_RATE = 4.0  # sampled frames a second: half of the engine's
# One identity pair of FaceForensics++, the DFDC clips and two of VoxCeleb2: seven manipulated and seven
# unmanipulated clips when the research data is complete.
_SUBSET = ("183", "253_183", "183_253", "original-253", "dfdc-", "voxceleb2-audio")
_NOISE = 10.0
_BLUR = 2.0  # standard deviation, px of a frame 640 px wide
_TICKS = 90_000  # a second: the clock of the compressed excerpt
_GAMMA_DARK, _GAIN_BRIGHT = 2.2, 1.7


@dataclass(frozen=True)
class Excerpt(Distortion):
    """The first seconds, unchanged: the reference for the others."""

    name: str = f"first {SECONDS} s"

    def frames(self, reader: MediaReader, rate: float) -> Iterator[Frame]:
        # Read to the end, for the reader's own counts.
        for frame in reader.frames(rate):
            if frame.time < SECONDS:
                yield frame


@dataclass(frozen=True)
class Altered(Excerpt):
    """Every sampled frame changed by ``alter`` and not compressed again."""

    alter: Callable[[Image], Image] = field(default=lambda image: image)

    def frames(self, reader: MediaReader, rate: float) -> Iterator[Frame]:
        for frame in super().frames(reader, rate):
            yield replace(frame, image=self.alter(frame.image))


@dataclass(frozen=True)
class Compressed(Excerpt):
    """Every frame of the excerpt compressed with H.264 at a constant rate factor, as x264 does for upload."""

    crf: int = 23

    def frames(self, reader: MediaReader, rate: float) -> Iterator[Frame]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "compressed.mp4"
            _compress(reader, path, self.crf)
            with open_media(path) as again:
                yield from again.frames(rate)


def distortions() -> dict[str, Distortion]:
    """Return every distortion by the name of its row; the first one changes nothing."""

    def altered(name: str, alter: Callable[[Image], Image]) -> Altered:
        return Altered(f"first {SECONDS} s, {name}", alter)

    dark = (255 * (np.arange(256) / 255) ** _GAMMA_DARK + 0.5).astype(np.uint8)
    bright = np.clip(np.arange(256) * _GAIN_BRIGHT, 0, 255).astype(np.uint8)
    return {
        "as it is": Excerpt(),
        **{
            f"H.264, crf {crf}": Compressed(f"first {SECONDS} s, x264 crf {crf}", crf)
            for crf in (23, 28, 33, 40)
        },
        "half size": altered("half", lambda image: _scale(image, 0.5)),
        "quarter size": altered("quarter", lambda image: _scale(image, 0.25)),
        "blurred": altered(f"blur {_BLUR}", _blur),
        "noisy": altered(f"noise {_NOISE}", _add_noise),
        "dark": altered(f"gamma {_GAMMA_DARK}", lambda image: dark[image]),
        "bright": altered(f"gain {_GAIN_BRIGHT}", lambda image: bright[image]),
    }


def robustness_subset(clips: Sequence[ListedClip]) -> list[ListedClip]:
    """Return the whole clips that are distorted: the research data's subset, or else all."""
    whole = [c for c in clips if c.generator and not c.truth]
    chosen = [c for c in whole if any(part in c.file for part in _SUBSET)]
    both = {c.fake for c in chosen} == {True, False}
    return chosen if both else whole


def robustness(
    clips: Sequence[ListedClip],
    scorer: Scorer,
    faces: Path,
    report: ReportText,
    chosen: Sequence[str] | None = None,
) -> list[dict[str, object]]:
    """Return one row per distortion: AUC over clips and frames, shares flagged and inconclusive, and losses.

    A loss is the AUC lost against the first row. Figures that cannot be computed, such as the AUC if no face
    can be judged in one class, are None. Detections are cached in ``faces`` for each distorted clip.
    """
    rows: list[dict[str, object]] = []
    parameters = Parameters(sample_rate=_RATE)
    for name, distortion in distortions().items():
        if chosen is not None and name not in chosen:
            continue
        report(name)
        judged = analyse_clips(clips, scorer, faces, lambda text: None, distortion, parameters=parameters)
        rows.append({"distortion": name, **_row(judged)})
    for row in rows:
        for level in ("clip AUC", "frame AUC"):
            now, before = row[level], rows[0][level]
            row[f"{level} lost"] = (
                round(before - now, 4) if isinstance(now, float) and isinstance(before, float) else None
            )
    return rows


def _row(clips: Sequence[Clip]) -> dict[str, object]:
    fakes, reals = [c for c in clips if c.fake], [c for c in clips if not c.fake]
    per_clip, frames = scored_clips(clips), scored_frames(clips)
    return {
        "clip AUC": _auc(per_clip.labels, per_clip.scores),
        "frame AUC": _auc(frames.labels, frames.scores),
        "manipulated clips flagged": round(share_flagged(fakes), 4),
        "unmanipulated clips flagged": round(share_flagged(reals), 4),
        "clips inconclusive": round(share_flagged(clips, Verdict.INCONCLUSIVE), 4),
        "faces judged": len(frames.labels),
    }


def _auc(labels: np.ndarray, values: np.ndarray) -> float | None:
    if len(labels) == 0 or labels.min() == labels.max():
        return None
    return round(float(roc_auc_score(labels, values)), 4)


def _compress(reader: MediaReader, path: Path, crf: int) -> None:
    with av.open(str(path), "w") as container:
        writer: H264Writer | None = None
        # 30 frames a second cover every frame of footage made at 24 to 30.
        for frame in reader.frames(30):
            if frame.time >= SECONDS:
                continue
            height, width = (n // 2 * 2 for n in frame.image.shape[:2])
            writer = writer or H264Writer(
                container,
                (width, height),
                Fraction(30),
                {"preset": "veryfast", "crf": str(crf)},
                clock=Fraction(1, _TICKS),
                one_thread=True,
            )
            picture = np.ascontiguousarray(frame.image[:height, :width])
            time = Fraction(int(frame.time * _TICKS), _TICKS)
            writer.write(av.VideoFrame.from_ndarray(picture, format="rgb24"), time)
        if writer is not None:
            writer.finish()


def _scale(image: Image, scale: float) -> Image:
    height, width = image.shape[:2]
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _blur(image: Image) -> Image:
    return cv2.GaussianBlur(image, (0, 0), max(0.5, _BLUR * image.shape[1] / 640))


def _add_noise(image: Image) -> Image:
    # Equal noise in every frame would be a pattern; a seed from the picture keeps it repeatable.
    rng = np.random.default_rng(int(image[::16, ::16].sum()))
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(_NOISE)
    return np.clip(image + noise, 0, 255).astype(np.uint8)
