"""How codecs change scores and verdicts of the same clips."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import av
import numpy as np

from detector.engine import analyze
from detector.models.card import SecondLookCard, deciding_sha256
from detector.models.loaded import LoadedModel
from detector.models.model_files import load_card, second_look_path
from detector.progress import ReportText
from detector.schema.analysis import Analysis, Verdict
from detector.schema.scores import logit_of
from detector.scoring.fusion import Fusion
from training.evaluation.short_clips import ShortClip, read_short_clip
from training.model_card import write_second_look_card
from training.second_look.fitting.exhibits import develop_clips

Encoder = tuple[str, dict[str, str]]
"""FFmpeg's name of an encoder, and its options."""

ENCODERS: dict[str, Encoder] = {
    "hevc": ("libx265", {"crf": "28", "preset": "medium", "x265-params": "log-level=error:pools=1"}),
    "av1": ("libsvtav1", {"crf": "35", "preset": "8", "svtav1-params": "lp=1"}),
    "vp9": ("libvpx-vp9", {"crf": "33", "b:v": "0", "cpu-used": "4", "deadline": "good"}),
}
"""Encoders by FFmpeg's name of the codec: usual quality, one thread."""
_AS_IT_IS = "as it is"
_VERSIONS: dict[str, tuple[Encoder, ...]] = {
    _AS_IT_IS: (("libx264", {"crf": "4"}),),
    **{codec: (encoder,) for codec, encoder in ENCODERS.items()},
    # Recorded by phones, shared by platforms: nothing in the file reveals it.
    "hevc, then h264": (ENCODERS["hevc"], ("libx264", {"crf": "23", "preset": "medium"})),
}
_SECONDS = 4  # of each clip


@dataclass(frozen=True)
class Encoded:
    """A clip in a codec, or as it is, with the altered half's logit of the person who scores highest."""

    file: str
    codec: str
    fake: bool
    verdict: Verdict
    altered: float | None  # None if no second look took place


def measure_codecs(
    data: Path, model: LoadedModel, folder: Path, every: int, manipulated: bool, report: ReportText
) -> dict[str, float]:
    """Return how much each codec raises the altered half's logit of unmanipulated clips, on average.

    Both networks were trained on footage that H.264 had encoded; traces of HEVC, VP9 and AV1 raise their
    answers, even after re-encoding as H.264. The first seconds of every ``every``-th develop clip are used;
    of ``manipulated`` ones only verdicts are reported. Copies are written to ``folder`` one at a time, and
    results stored there for this fusion, so that a run can be resumed.
    """
    assert model.card.second_look is not None
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{deciding_sha256(model.card)[:12]}.jsonl"
    known = {(record.file, record.codec): record for record in _read(kept)}
    for path, row in develop_clips(data)[::every]:
        film, fake = None, row["label"] == "fake"
        if fake and not manipulated:
            continue
        for codec, chain in _VERSIONS.items():
            if (path.name, codec) in known:
                continue
            film = film or _beginning(read_short_clip(path))
            copy = _encode(film, chain, folder / "copy.mp4")
            record = _measure(
                path.name, codec, fake, analyze(copy, model=model, explain=False), model.card.second_look
            )
            known[path.name, codec] = record
            with kept.open("a") as file:
                file.write(json.dumps(asdict(record)) + "\n")
    for codec in _VERSIONS:
        report(f"{codec}: {_describe([record for record in known.values() if record.codec == codec])}")
    return {codec: _added(list(known.values()), codec) for codec in ENCODERS}


def _encode(film: ShortClip, encoders: Sequence[Encoder], path: Path) -> Path:
    """Encode ``film`` by each encoder in turn; write the last result to ``path``."""
    for number, encoder in enumerate(encoders):
        write_encoded(film if number == 0 else read_short_clip(path), path, *encoder)
    return path


def write_encoded(film: ShortClip, path: Path, encoder: str, options: dict[str, str]) -> Path:
    """Write ``film`` as mp4 by ``encoder``, with even sides and a constant rate."""
    height, width = (side - side % 2 for side in film.frames[0].shape[:2])
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream(encoder, rate=film.rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        for number, picture in enumerate(film.frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), format="rgb24")
            frame.pts, frame.time_base = number, 1 / film.rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def update_codecs(model: str, added: dict[str, float]) -> Path:
    """Write what codecs add, rounded to a tenth, to the second look's card."""
    _, weights = load_card(model)
    path = second_look_path(weights)
    card = SecondLookCard.model_validate_json(path.with_suffix(".json").read_bytes())
    codecs = {codec: round(max(shift, 0.0), 1) for codec, shift in added.items()}
    write_second_look_card(card.model_copy(update={"codecs": codecs}), path)
    return path


def _beginning(film: ShortClip) -> ShortClip:
    return replace(film, frames=film.frames[: round(_SECONDS * film.rate)])


def _measure(file: str, codec: str, fake: bool, analysis: Analysis, card: SecondLookCard) -> Encoded:
    looks = [person.second_look for person in analysis.persons if person.second_look is not None]
    fusion = Fusion.of(card, codec=codec)
    taken = card.codecs.get(codec, 0.0)
    levels = [fusion.unpublished(logit_of(look.altered)) + taken for look in looks]
    return Encoded(file, codec, fake, analysis.verdict, max(levels, default=None))


def _added(encoded: Sequence[Encoded], codec: str) -> float:
    level = {(record.file, record.codec): record.altered for record in encoded if not record.fake}
    pairs = [(level.get((file, _AS_IT_IS)), high) for (file, of), high in level.items() if of == codec]
    differences = [high - low for low, high in pairs if low is not None and high is not None]
    return float(np.mean(differences)) if differences else 0.0


def _describe(encoded: Sequence[Encoded]) -> str:
    counts = []
    for fake, truth in ((True, "manipulated"), (False, "unmanipulated")):
        verdicts = [record.verdict for record in encoded if record.fake is fake]
        by_verdict = (f"{verdicts.count(verdict)} {verdict}" for verdict in Verdict)
        counts.append(f"of {len(verdicts)} {truth} ones {', '.join(by_verdict)}")
    return "; ".join(counts)


def _read(kept: Path) -> list[Encoded]:
    if not kept.exists():
        return []
    before = [json.loads(line) for line in kept.read_text().splitlines()]
    return [Encoded(**{**row, "verdict": Verdict(row["verdict"])}) for row in before]
