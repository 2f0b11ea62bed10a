"""What encoding by another codec adds to the altered half of the fusion, and verdicts of such clips.

Both networks learnt from footage that H.264 had passed over. HEVC, VP9 and AV1 leave other traces, which
raise what they say of alteration, of unmanipulated clips too, and which stay where H.264 comes after.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import av
import numpy as np

from detector.engine import analyze
from detector.models.card import SecondLookCard, deciding_sha256
from detector.models.card_files import load_card, second_look_path
from detector.models.loaded import LoadedModel
from detector.progress import ReportText
from detector.schema.analysis import Analysis, Verdict
from detector.schema.logistic import logit_of
from detector.scoring.fusion import Fusion
from detector.training.evaluation.material.short_clips import ShortClip, read_short_clip
from detector.training.publish.card_writing import write_second_look
from detector.training.second_look.fitting.exhibits import develop_clips

Encoder = tuple[str, dict[str, str]]
"""FFmpeg's name of one, and options."""

ENCODERS: dict[str, Encoder] = {
    "hevc": ("libx265", {"crf": "28", "preset": "medium", "x265-params": "log-level=error:pools=1"}),
    "av1": ("libsvtav1", {"crf": "35", "preset": "8", "svtav1-params": "lp=1"}),
    "vp9": ("libvpx-vp9", {"crf": "33", "b:v": "0", "cpu-used": "4", "deadline": "good"}),
}
"""By FFmpeg's name of a codec its encoder: its usual quality, with one thread."""
_AS_IT_IS = "as it is"
_VERSIONS: dict[str, tuple[Encoder, ...]] = {
    _AS_IT_IS: (("libx264", {"crf": "4"}),),
    **{codec: (encoder,) for codec, encoder in ENCODERS.items()},
    # As phones record and platforms hand on: nothing in the file tells.
    "hevc, then h264": (ENCODERS["hevc"], ("libx264", {"crf": "23", "preset": "medium"})),
}
_SECONDS = 4  # of each clip


@dataclass(frozen=True)
class Encoded:
    """A clip in a codec, or as it is; the altered half's logit is that of the person who scores highest."""

    file: str
    codec: str
    fake: bool
    verdict: Verdict
    altered: float | None  # None where nobody was looked at


def measure_codecs(
    data: Path, model: LoadedModel, folder: Path, every: int, manipulated: bool, report: ReportText
) -> dict[str, float]:
    """By codec, how much higher the altered half's logit is of unmanipulated clips encoded by it, on average.

    Of develop clips every ``every``-th, its first seconds; of ``manipulated`` ones the verdicts alone.
    Copies are written to ``folder`` one at a time; results are kept there for this fusion, so that an
    interrupted run goes on.
    """
    assert model.card.second_look is not None
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{deciding_sha256(model.card)[:12]}.jsonl"
    known = {(one.file, one.codec): one for one in _read(kept)}
    for path, row in develop_clips(data)[::every]:
        film, fake = None, row["label"] == "fake"
        if fake and not manipulated:
            continue
        for codec, chain in _VERSIONS.items():
            if (path.name, codec) in known:
                continue
            film = film or _beginning(read_short_clip(path))
            copy = _through(film, chain, folder / "copy.mp4")
            one = _told(path.name, codec, fake, analyze(copy, model=model), model.card.second_look)
            known[path.name, codec] = one
            with kept.open("a") as file:
                file.write(json.dumps(asdict(one)) + "\n")
    for codec in _VERSIONS:
        report(f"{codec}: {_counted([one for one in known.values() if one.codec == codec])}")
    return {codec: _added(list(known.values()), codec) for codec in ENCODERS}


def _through(film: ShortClip, encoders: Sequence[Encoder], path: Path) -> Path:
    """``film`` through each of them in turn; what the last one made is at ``path``."""
    for number, encoder in enumerate(encoders):
        write_encoded(film if number == 0 else read_short_clip(path), path, *encoder)
    return path


def write_encoded(film: ShortClip, path: Path, encoder: str, options: dict[str, str]) -> Path:
    """``film`` in mp4 by ``encoder``, of even sides and an even rate."""
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
    """Put what codecs add, to a tenth, onto the card of the second look of ``model``."""
    _, weights = load_card(model)
    path = second_look_path(weights)
    card = SecondLookCard.model_validate_json(path.with_suffix(".json").read_bytes())
    codecs = {codec: round(max(each, 0.0), 1) for codec, each in added.items()}
    write_second_look(card.model_copy(update={"codecs": codecs}), path)
    return path


def _beginning(film: ShortClip) -> ShortClip:
    return replace(film, frames=film.frames[: round(_SECONDS * film.rate)])


def _told(file: str, codec: str, fake: bool, analysis: Analysis, card: SecondLookCard) -> Encoded:
    looks = [person.second_look for person in analysis.persons if person.second_look is not None]
    fusion = Fusion.of(card, codec=codec)
    taken = card.codecs.get(codec, 0.0)
    levels = [fusion.unpublished(logit_of(look.altered)) + taken for look in looks]
    return Encoded(file, codec, fake, analysis.verdict, max(levels, default=None))


def _added(told: Sequence[Encoded], codec: str) -> float:
    level = {(one.file, one.codec): one.altered for one in told if not one.fake}
    pairs = [(level.get((file, _AS_IT_IS)), high) for (file, of), high in level.items() if of == codec]
    differences = [high - low for low, high in pairs if low is not None and high is not None]
    return float(np.mean(differences)) if differences else 0.0


def _counted(told: Sequence[Encoded]) -> str:
    found = []
    for fake, truth in ((True, "manipulated"), (False, "unmanipulated")):
        verdicts = [one.verdict for one in told if one.fake is fake]
        counts = (f"{verdicts.count(each)} {each}" for each in Verdict)
        found.append(f"of {len(verdicts)} {truth} ones {', '.join(counts)}")
    return "; ".join(found)


def _read(kept: Path) -> list[Encoded]:
    if not kept.exists():
        return []
    before = [json.loads(line) for line in kept.read_text().splitlines()]
    return [Encoded(**{**each, "verdict": Verdict(each["verdict"])}) for each in before]
