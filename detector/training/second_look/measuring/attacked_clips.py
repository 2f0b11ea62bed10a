"""Adversarial clips: every frame attacked against the scan's network, then the whole engine on the result.

The attacks are those of :mod:`.adversarial` beside this, white box against the scan
alone, on every face of every frame. The clip is encoded anew at a low rate factor, as someone would who wants
the attack to survive; what that alone changes is measured beside it. The engine sees all its samples, moments
and views, so the verdict is the one a reader gets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from detector.engine import analyze
from detector.faces.crop import CropSquare, roll
from detector.faces.framing import inner_square
from detector.faces.search.centerface import FaceDetector
from detector.media.frame import Image
from detector.models.loaded import LoadedModel
from detector.progress import ReportText
from detector.schema.analysis import Verdict
from detector.scoring.scorer import Scorer
from detector.training.evaluation.material.short_clips import ShortClip, read_short_clip, write_short_clip
from detector.training.second_look.examples.prepare import SMALLEST_FACE
from detector.training.second_look.fitting.exhibits import develop_clips
from detector.training.second_look.measuring.adversarial import ATTACKS, Attack, attacked

_CRF = 10
_FRAMES = 75  # of a clip: three seconds, enough for any verdict, a quarter of the time of some clips
_WHOLE = (ATTACKS[0], ATTACKS[2], ATTACKS[3])


def measure_attacked_clips(
    data: Path, model: LoadedModel, folder: Path, count: int, report: ReportText
) -> dict[str, dict[bool, Counter[Verdict]]]:
    """Verdicts of ``count`` develop clips, half of them manipulated, by attack and by truth.

    Attacked clips are written to ``folder`` one at a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, detector, scorer = folder / "attacked.mp4", FaceDetector(0.5), Scorer(model.alone)
    attacks: dict[str, Attack | None] = {"encoded anew": None, **{attack.name: attack for attack in _WHOLE}}
    verdicts = {name: {True: Counter[Verdict](), False: Counter[Verdict]()} for name in attacks}
    labelled = [(clip, row["label"] == "fake") for clip, row in develop_clips(data)]
    for clip, fake in half_and_half(labelled, count):
        film = read_short_clip(clip)
        frames = film.frames[:_FRAMES]
        for name, attack in attacks.items():
            changed = (
                frames
                if attack is None
                else [attacked_frame(scorer, detector, frame, fake, attack) for frame in frames]
            )
            write_short_clip(ShortClip(changed, film.rate), path, _CRF)
            verdict = analyze(path, model=model).verdict
            verdicts[name][fake][verdict] += 1
            report(f"{clip.name}, {'manipulated' if fake else 'unmanipulated'}, {name}: {verdict}")
    for name, by_truth in verdicts.items():
        for fake, counted in by_truth.items():
            told = ", ".join(f"{verdict} {number}" for verdict, number in sorted(counted.items()))
            report(f"{name}, {'manipulated' if fake else 'unmanipulated'} clips: {told}")
    return verdicts


def attacked_frame(scorer: Scorer, detector: FaceDetector, frame: Image, fake: bool, attack: Attack) -> Image:
    """``frame`` with every face attacked, one after the other."""
    changed = frame.copy()
    for face in detector(frame):
        if face.width >= SMALLEST_FACE:
            square = inner_square(face.box, roll(face))
            around = _around(square, frame)
            left, top = around[1].start, around[0].start
            there = replace(square, x=square.x - left, y=square.y - top)
            changed[around] = attacked(scorer, changed[around], there, fake, attack)
    return changed


def _around(square: CropSquare, frame: Image) -> tuple[slice, slice]:
    """Rows and columns of ``frame`` that hold ``square``, however turned: gradients cost by the pixel."""
    reach = square.side * 0.75  # half its diagonal, and a little
    rows, columns = (
        slice(max(0, int(middle - reach)), min(size, int(middle + reach) + 1))
        for middle, size in ((square.y, frame.shape[0]), (square.x, frame.shape[1]))
    )
    return rows, columns


def half_and_half(clips: Sequence[tuple[Path, bool]], count: int) -> list[tuple[Path, bool]]:
    """``count`` of ``clips``, half of them manipulated, evenly from the whole list."""
    out = []
    for side in (True, False):
        mine = [clip for clip in clips if clip[1] is side]
        out += [mine[number * len(mine) // (count // 2)] for number in range(min(count // 2, len(mine)))]
    return out
