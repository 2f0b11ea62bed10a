"""Analyses made up for tests: real pictures, plausible figures, no engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from detector.schema.analysis import (
    Analysis,
    Coverage,
    HideAndRescore,
    Media,
    MediaKind,
    Model,
    Parameters,
    Peak,
    Person,
    Score,
    SecondLook,
    Segment,
    Software,
    Span,
    Verdict,
)
from detector.verdict.judged_persons import JudgedExhibit
from detector.verdict.verdict import exhibit_probability

EXHIBIT_SHA256 = "3f" * 32
MODEL_SHA256 = "a7" * 32
RATE = 8.0


def person_name(index: int) -> str:
    """A, B … Z, AA, AB …"""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def write_png(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def scene(seed: int, width: int = 160, height: int = 90) -> np.ndarray:
    """A small picture that differs by seed and compresses like a photo, not like noise."""
    rows, columns = np.ogrid[0:height, 0:width]
    waves = [np.sin((columns + seed * 7) / 19 + k) + np.cos((rows + seed * 5) / 13 + k) for k in range(3)]
    return ((np.stack(waves, axis=-1) + 2) * 63).astype(np.uint8)


def check(confirmed: bool = True) -> HideAndRescore:
    return HideAndRescore(
        area=0.15,
        probability=0.94,
        hidden_highlight=0.41 if confirmed else 0.91,
        hidden_random=0.92,
        drop_highlight=3.11 if confirmed else 0.44,
        drop_random=0.31,
    )


@cache
def pictures(seed: int, width: int, height: int) -> tuple[bytes, bytes, bytes]:
    """PNG files of a frame, its overlay and its map: hundreds of tests ask for the same few."""
    picture = scene(seed, width, height)
    warm = cv2.applyColorMap(picture[..., 0], cv2.COLORMAP_INFERNO)
    frame, overlay, heat = (
        cv2.imencode(".png", image)[1].tobytes()
        for image in (picture, warm, np.dstack([warm, picture[..., 0]]))
    )
    return frame, overlay, heat


@cache
def scores(
    index: int, duration: float, hot: tuple[tuple[float, float], ...], count: int | None = None
) -> tuple[Score, ...]:
    """One score a sample: high inside ``hot``, an unusable stretch and a lost face in between."""
    total = count if count is not None else int(duration * RATE)
    samples = []
    for step in range(total):
        time = duration * step / max(total, 1)
        share = step / max(total, 1)
        if 0.62 < share < 0.66 and index % 2 == 0:
            continue
        if 0.70 < share < 0.76:
            samples.append(
                Score(time=time, pts=int(time * 12800), track=2 * index, box=(10, 10, 40, 50), usable=False)
            )
            continue
        inside = any(start <= time <= end for start, end in hot)
        base = 0.9 if inside else 0.16
        value = min(
            max(base + 0.08 * math.sin(step * 1.7 + index) + 0.05 * math.cos(step * 0.37), 0.01), 0.99
        )
        smooth = min(max(base + 0.03 * math.sin(step * 0.3), 0.0), 1.0)
        samples.append(
            Score(
                time=time,
                pts=int(time * 12800),
                track=2 * index + (share > 0.66),
                box=(412, 120, 596, 340),
                usable=True,
                logit=math.log(value / (1 - value)),
                probability=value,
                smoothed=smooth,
            )
        )
    return tuple(samples)


def peak(segment: str, number: int, time: float, kept: bool, confirmed: bool = True) -> Peak:
    return Peak(
        time=time,
        pts=int(time * 12800),
        probability=0.96,
        box=(412, 120, 596, 340),
        frame=f"overlays/{segment}-{number}-frame.png" if kept else None,
        overlay=f"overlays/{segment}-{number}.png" if kept else None,
        map=f"overlays/{segment}-{number}-map.png" if kept else None,
        heat=0.83,
        check=check(confirmed),
    )


def media(kind: MediaKind, duration: float, **changes: Any) -> Media:
    video = kind is MediaKind.VIDEO
    facts: dict[str, Any] = {
        "file": "interview_cut3.mp4" if video else "portrait.jpg",
        "bytes": 12_412_345,
        "sha256": EXHIBIT_SHA256,
        "kind": kind,
        "container": "mov,mp4,m4a,3gp,3g2,mj2" if video else "jpeg_pipe",
        "codec": "h264" if video else "mjpeg",
        "width": 1920,
        "height": 1080,
        "rotation": 0,
        "time_base": "1/12800",
        "frame_rate": "30000/1001" if video else None,
        "variable_frame_rate": False,
        "duration": 0.0 if kind is MediaKind.IMAGE else duration,
        "frames_decoded": int(duration * 29.97) if video else 1,
        "frames_undecodable": 3 if video else 0,
        "has_sound": video,
    }
    return Media(**{**facts, **changes})


def model() -> Model:
    return Model(
        name="efficientnet_lite0_faces",
        title="EfficientNet-Lite0 on aligned faces",
        architecture="tf_efficientnet_lite0",
        sha256=MODEL_SHA256,
        temperature=1.734,
        figures={
            "auc_frames": 0.9312,
            "auc_videos": 0.9587,
            "equal_error_rate": 0.1123,
            "calibration_error": 0.021,
        },
        domain="Frontal and half-profile faces of 64 px and more in H.264 video of moderate compression.",
        limits=(
            "Faces synthesised whole were not part of the training data.",
            "Not measured on infrared video.",
        ),
    )


def build(
    folder: Path,
    *,
    persons: int = 2,
    segments: int = 3,
    peaks: int = 3,
    verdict: Verdict | None = None,
    kind: MediaKind = MediaKind.VIDEO,
    duration: float = 60.0,
    file: str | None = None,
    sha256: str = EXHIBIT_SHA256,
    kept: bool = True,
    count: int | None = None,
    picture: tuple[int, int] = (160, 90),
) -> Analysis:
    """An analysis with ``segments`` dealt out over ``persons``, its pictures written to ``folder``.

    Persons are called A, B and so on, the segments of A are A1, A2 …, each with so many ``peaks``, a photo's
    with one. Unless a ``verdict`` is given it is *manipulated* where there are segments. Of an inconclusive
    one nobody could be judged. Pictures have the size ``picture`` in px; none where they are not ``kept``.
    ``count`` is how many scores each person has, else :data:`RATE` a second.
    """
    still = kind is MediaKind.IMAGE
    names = [person_name(index) for index in range(persons)]
    findings = _segments(names, segments, 1 if still else peaks, duration, still=still, kept=kept)
    if kept:
        for index, segment in enumerate(findings):
            _write_pictures(folder, segment, index, picture)
    if verdict is None:
        verdict = Verdict.MANIPULATED if findings else Verdict.NOT_FOUND
    judged = verdict is not Verdict.INCONCLUSIVE
    people = tuple(
        _person(
            index,
            [finding for finding in findings if finding.person == name],
            duration,
            count,
            still=still,
            judged=judged,
        )
        for index, name in enumerate(names)
    )
    parameters, coverage = Parameters(enter_threshold=0.75), _coverage(persons, duration, still=still)
    exhibit = JudgedExhibit(kind, parameters, coverage, people, findings)
    return Analysis(
        verdict=verdict,
        reason=_reason(verdict, len(findings)),
        probability=exhibit_probability(exhibit, verdict),
        segments=tuple(findings),
        persons=people,
        media=media(kind, duration, sha256=sha256, **({"file": file} if file else {})),
        model=model(),
        parameters=parameters,
        coverage=coverage,
        software=Software(
            reelproof="0.1.0", torch="2.14.1", device="cpu: AMD EPYC", created="2025-11-20T08:41:02Z"
        ),
    )


def _segments(
    names: Sequence[str], count: int, peaks: int, duration: float, *, still: bool, kept: bool
) -> list[Segment]:
    """``count`` segments, one a person in turn; a person's lie apart in equal parts of the time."""
    segments: list[Segment] = []
    rounds = max(1, math.ceil(count / max(len(names), 1)))
    part = duration / rounds
    for index in range(count if names else 0):
        turn, place = divmod(index, len(names))
        start = 0.0 if still else turn * part + 0.2 * part
        end = start if still else start + 0.4 * part
        label = f"{names[place]}{turn + 1}"
        segments.append(
            Segment(
                id=label,
                person=names[place],
                start=start,
                end=end,
                confidence=max(0.55, 0.97 - 0.09 * (index % 5)),
                frames=1 if still else 24,
                peaks=tuple(
                    peak(
                        label,
                        number,
                        start + (end - start) * number / (peaks + 1),
                        kept,
                        confirmed=number != 2,
                    )
                    for number in range(1, peaks + 1)
                ),
            )
        )
    return segments


def _write_pictures(folder: Path, segment: Segment, index: int, size: tuple[int, int]) -> None:
    """The three pictures of each peak, others for each segment."""
    for peak_frame in segment.peaks:
        files = (peak_frame.frame, peak_frame.overlay, peak_frame.map)
        for name, data in zip(files, pictures(index * 3 + len(segment.id), *size), strict=True):
            path = folder / str(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def _person(
    index: int, own: Sequence[Segment], duration: float, count: int | None, *, still: bool, judged: bool
) -> Person:
    """Person number ``index`` with their ``own`` segments, inside which scores are high."""
    unusable = [Score(time=1.0, pts=12800, track=0, box=(5, 5, 20, 24), usable=False)]
    hot = tuple((segment.start, segment.end) for segment in own)
    return Person(
        id=person_name(index),
        median_box=(412, 120, 596, 340),
        screen_time=0.0 if still else duration * 0.9,
        tracks=(2 * index, 2 * index + 1),
        usable_frames=(1 if still else 440) if judged else 0,
        probability=max((segment.confidence for segment in own), default=0.06) if judged else None,
        scores=tuple(scores(index, duration, hot, 1 if still else count) if judged else unusable),
    )


def _reason(verdict: Verdict, segments: int) -> str:
    return {
        Verdict.MANIPULATED: f"{segments} segments reached the threshold of 0.7 for at least 0.5 s.",
        Verdict.NOT_FOUND: "No smoothed score reached 0.7.",
        Verdict.INCONCLUSIVE: "Only 3 usable face frames were found; 8 are needed.",
    }[verdict]


def _coverage(persons: int, duration: float, *, still: bool) -> Coverage:
    """Of a video with two cuts, and a stretch in which nobody could be judged."""
    blurred = Span(start=duration * 0.7, end=duration * 0.76, reason="no usable face: blurred")
    return Coverage(
        frames_sampled=1 if still else int(duration * RATE),
        frames_with_face=1 if still else 460,
        frames_with_usable_face=1 if still else 440,
        faces_found=900 if persons else 0,
        faces_unusable=41 if persons else 0,
        faces_discarded=3 if persons else 0,
        cuts=() if still else (duration * 0.31, duration * 0.66),
        not_examined=() if still else (blurred,),
    )


def with_stability(analysis: Analysis, **stability: float) -> Analysis:
    """``analysis`` as if a second look had been taken at the persons given by their letters."""

    def looked(person: Person) -> Person:
        if person.id not in stability:
            return person
        of_views = stability[person.id]
        look = SecondLook(scan=0.5, altered=0.7, synthesised=0.1, stability=of_views, moments=())
        return person.model_copy(update={"second_look": look})

    return analysis.model_copy(update={"persons": tuple(map(looked, analysis.persons))})


@dataclass(frozen=True)
class Written:
    """An analysis and the folder its report was written to."""

    analysis: Analysis
    folder: Path

    @property
    def html(self) -> str:
        return (self.folder / "report.html").read_text("utf-8")
