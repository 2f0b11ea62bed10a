"""Analyses and finished results made up for tests, with real pictures and no engine."""

from __future__ import annotations

import hashlib
import io
import json
import math
from functools import cache
from pathlib import Path

import skimage.data
from flask import Flask
from PIL import Image, ImageDraw

from detector.analysis import (
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
    Segment,
    Software,
    Span,
    Verdict,
)
from webapp import intake, jobs
from webapp.folders import Folders
from webapp.tables import AnalysisRow, State, now

RATE = 8.0


@cache
def portrait() -> Image.Image:
    """A public-domain portrait, wide as a video frame."""
    photo = Image.fromarray(skimage.data.astronaut())
    frame = Image.new("RGB", (640, 360), (58, 66, 78))
    frame.paste(photo.resize((360, 360)), (30, 0))
    frame.paste(photo.resize((360, 360)).crop((60, 0, 310, 360)), (390, 0))
    return frame


@cache
def pictures() -> tuple[bytes, bytes]:
    """A frame and its overlay as PNG."""
    frame = portrait()
    overlay = frame.copy()
    draw = ImageDraw.Draw(overlay, "RGBA")
    for radius, alpha in ((70, 60), (48, 90), (28, 150)):
        draw.ellipse((190 - radius, 80 - radius, 190 + radius, 80 + radius), fill=(255, 190, 40, alpha))
    draw.rectangle((120, 15, 260, 175), outline=(255, 255, 255, 255), width=2)
    files = io.BytesIO(), io.BytesIO()
    for picture, file in zip((frame, overlay), files, strict=True):
        picture.save(file, "PNG")
    return files[0].getvalue(), files[1].getvalue()


def paint(folder: Path, name: str) -> tuple[str, str]:
    """A frame and its overlay below ``folder``; their relative paths."""
    (folder / "overlays").mkdir(parents=True, exist_ok=True)
    paths = f"overlays/{name}-frame.png", f"overlays/{name}.png"
    for path, content in zip(paths, pictures(), strict=True):
        (folder / path).write_bytes(content)
    return paths


def make_peak(folder: Path, name: str, time: float, confirmed: bool) -> Peak:
    """One peak frame with its pictures."""
    frame, overlay = paint(folder, name)
    return Peak(
        time=time,
        pts=int(time * 12800),
        probability=0.96,
        box=(120, 15, 260, 175),
        frame=frame,
        overlay=overlay,
        heat=0.83 if confirmed else 0.34,
        check=HideAndRescore(
            area=0.15,
            probability=0.96,
            hidden_highlight=0.41 if confirmed else 0.93,
            hidden_random=0.94,
            drop_highlight=3.1 if confirmed else 0.5,
            drop_random=0.4,
        ),
    )


def make_analysis(
    folder: Path,
    *,
    persons: int = 2,
    segments: int = 1,
    kind: MediaKind = MediaKind.VIDEO,
    verdict: Verdict | None = None,
    duration: float = 9.0,
    file: str = "interview.mp4",
    sha256: str = "3f" * 32,
) -> Analysis:
    """An analysis whose ``segments`` all belong to person A, its pictures written to ``folder``."""
    still = kind is MediaKind.IMAGE
    slot = duration / max(segments, 1)
    spans = [(0.0, 0.0) if still else (slot * (k + 1 / 3), slot * (k + 2 / 3)) for k in range(segments)]
    found = tuple(
        Segment(
            id=f"A{number}",
            person="A",
            start=start,
            end=end,
            confidence=0.97 - 0.06 * (number % 5),
            frames=1 if still else max(1, int((end - start) * RATE)),
            peaks=tuple(
                make_peak(folder, f"A{number}-{k}", start + (end - start) * k / 4, confirmed=k != 2)
                for k in range(1, 2 if still else 4)
            ),
        )
        for number, (start, end) in enumerate(spans, 1)
    )
    verdict = verdict or (Verdict.MANIPULATED if found else Verdict.NOT_FOUND)
    judged = verdict is not Verdict.INCONCLUSIVE
    return Analysis(
        verdict=verdict,
        reason={
            Verdict.MANIPULATED: f"Person A: {segments} segments flagged as manipulated.",
            Verdict.NOT_FOUND: "2 persons judged in 72 sampled frames; none reached the threshold.",
            Verdict.INCONCLUSIVE: "No face was found in any of 72 sampled frames.",
        }[verdict],
        probability=(0.97 if found else 0.06) if judged else None,
        segments=found,
        persons=tuple(
            Person(
                id=chr(65 + index),
                median_box=(120 + 200 * index, 15, 260 + 200 * index, 175),
                screen_time=0.0 if still else duration,
                tracks=(index,),
                usable_frames=1 if still else int(duration * RATE),
                probability=(0.97 if found and not index else 0.06) if judged else None,
                scores=tuple(make_scores(index, duration, spans if not index else [], still)),
            )
            for index in range(persons if judged else 0)
        ),
        media=Media(
            file=file,
            bytes=2_412_345,
            sha256=sha256,
            kind=kind,
            container="png_pipe" if still else "mov,mp4,m4a,3gp,3g2,mj2",
            codec="png" if still else "h264",
            width=640,
            height=360,
            rotation=0,
            time_base="1/12800",
            frame_rate=None if still else "25",
            variable_frame_rate=False,
            duration=0.0 if still else duration,
            frames_decoded=1 if still else int(duration * 25),
            frames_undecodable=0,
            has_sound=False,
        ),
        model=Model(
            name="lite0-faces",
            title="EfficientNet-Lite0 on faces",
            architecture="tf_efficientnet_lite0",
            sha256="a7" * 32,
            temperature=1.7,
            figures={"auc_crops": 0.931},
            domain="Faces of 64 px and more in H.264 video of moderate compression.",
            limits=("Faces synthesised whole were not part of the training data.",),
        ),
        parameters=Parameters(),
        coverage=Coverage(
            frames_sampled=1 if still else int(duration * RATE),
            frames_with_face=persons and (1 if still else int(duration * RATE)),
            frames_with_usable_face=persons and (1 if still else int(duration * RATE)),
            faces_found=persons if judged else 0,
            faces_unusable=0,
            cuts=(),
            not_examined=() if judged else (Span(start=0.0, end=duration, reason="no face was found"),),
        ),
        software=Software(reelproof="0.1.0", torch="2.14.1", device="cpu", created="2026-11-20T08:41:02Z"),
    )


def make_scores(index: int, duration: float, hot: list[tuple[float, float]], still: bool) -> list[Score]:
    """One score a sampled frame: high inside ``hot``."""
    scores = []
    for step in range(1 if still else int(duration * RATE)):
        time = step / RATE
        inside = any(start <= time <= end for start, end in hot)
        value = (0.93 if inside else 0.1) + 0.05 * math.sin(step * 1.7 + index)
        scores.append(
            Score(
                time=time,
                pts=int(time * 12800),
                track=index,
                box=(120, 15, 260, 175),
                usable=True,
                logit=math.log(value / (1 - value)),
                probability=value,
                smoothed=0.93 if inside else 0.1,
            )
        )
    return scores


def write_result(analysis: Analysis, folder: Path) -> None:
    """The files of a finished result, with stand-ins for the reports."""
    (folder / "analysis.json").write_text(analysis.to_json())
    (folder / "report.html").write_text("<!doctype html><style>p{color:red}</style><p>report</p>")
    (folder / "report.pdf").write_bytes(b"%PDF-1.7 stand-in")
    (folder / "manifest.json").write_text(json.dumps({"files": {}}))


def hand_in(app: Flask, content: bytes = b"exhibit", file: str = "clip.mp4") -> AnalysisRow:
    """A queued analysis of an exhibit with these bytes."""
    settings, database = app.extensions["settings"], app.extensions["database"]
    folders = Folders(settings.data)
    source = folders.data / "source"
    source.write_bytes(content)
    with database.begin() as session:
        exhibit = intake.take_in_file(session, folders, source, file, spare=0)
        return jobs.create(session, exhibit, file)


def finished(app: Flask, **changes: object) -> AnalysisRow:
    """A finished analysis; ``changes`` go to :func:`make_analysis`."""
    file = str(changes.get("file", "interview.mp4"))
    row = hand_in(app, repr(sorted(changes.items(), key=str)).encode(), file)
    folders, database = Folders(app.extensions["settings"].data), app.extensions["database"]
    folder = folders.result(row.id)
    folder.mkdir()
    analysis = make_analysis(folder, sha256=row.exhibit.sha256, **changes)  # type: ignore[arg-type]
    write_result(analysis, folder)
    with database.begin() as session:
        stored = session.get_one(AnalysisRow, row.id)
        stored.state, stored.progress, stored.attempt = State.DONE, 1.0, 1
        stored.started = stored.finished = now()
        stored.verdict, stored.probability = analysis.verdict.value, analysis.probability
    if analysis.segments:
        from webapp.thumbnails import make_thumbnail

        make_thumbnail(analysis, folder, folders.thumbnail(row.id))
    return stored


def digest(content: bytes) -> str:
    """SHA-256 as exhibits are named."""
    return hashlib.sha256(content).hexdigest()
