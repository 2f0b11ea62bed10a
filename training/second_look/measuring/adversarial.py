"""Adversarial pictures and clips: how FGSM and PGD attacks on the scan change the fused verdict."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional as F

from detector.engine import analyze
from detector.faces.crop import INNER, CropSquare, inner_square, roll
from detector.faces.patch import decode_jpeg
from detector.faces.search.networks import FaceDetector
from detector.media.frame import Image
from detector.models.card import SecondLookCard
from detector.models.loaded import LoadedModel
from detector.networks.vit_small_14 import FramingNetwork
from detector.progress import ReportText
from detector.schema.analysis import Parameters, Verdict
from detector.schema.scores import logit_of
from detector.scoring.fusion import SCAN, SECOND_NETWORK, Fusion, fusion_inputs
from detector.scoring.scorer import Scorer
from training.evaluation.short_clips import ShortClip, read_short_clip, write_short_clip
from training.second_look.examples.patches import SMALLEST_FACE, Patch
from training.second_look.examples.sampling import square_of
from training.second_look.fitting.exhibits import develop_clips
from training.second_look.fitting.patch_scores import fusion_columns

FACES = 100  # of develop clips, half of them manipulated


@dataclass(frozen=True)
class Attack:
    """``steps`` along the sign of the gradient, at most ``budget`` of 255 levels away from the picture.

    FGSM is Goodfellow et al. (ICLR 2015), PGD Madry et al. (ICLR 2018), here started from the picture itself.
    """

    name: str
    steps: int
    budget: int

    @property
    def stride(self) -> float:
        """Levels a step; several steps could reach twice the budget."""
        return float(self.budget) if self.steps == 1 else 2 * self.budget / self.steps


ATTACKS = (
    Attack("FGSM, 2/255", 1, 2),
    Attack("FGSM, 4/255", 1, 4),
    Attack("PGD, 8 steps, 2/255", 8, 2),
    Attack("PGD, 8 steps, 4/255", 8, 4),
)


def crop_of(picture: Tensor, square: CropSquare, size: int) -> Tensor:
    """Crop (3, h, w) with a gradient, equal to :func:`detector.faces.crop.crop_square` up to rounding."""
    times = max(1, round(square.side / size))
    inverse = cv2.invertAffineTransform(square.matrix(size * times))
    at = torch.arange(size * times, dtype=torch.float32)
    down, right = torch.meshgrid(at, at, indexing="ij")
    matrix = torch.from_numpy(inverse).float()
    x = matrix[0, 0] * right + matrix[0, 1] * down + matrix[0, 2]
    y = matrix[1, 0] * right + matrix[1, 1] * down + matrix[1, 2]
    height, width = picture.shape[1:]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    crop = F.grid_sample(picture[None], grid[None], padding_mode="border", align_corners=False)
    return F.avg_pool2d(crop, times) if times > 1 else crop


def attack_picture(scorer: Scorer, picture: Image, square: CropSquare, fake: bool, attack: Attack) -> Image:
    """Change ``picture`` such that the scan's logit moves away from the truth.

    White box: the attack knows the scan's weights and framing. The second look is not attacked: its answer
    shows whether such changes carry over.
    """
    given = scorer.card.input
    mean, spread = (torch.tensor(v).view(1, 3, 1, 1) for v in (given.mean, given.std))
    network = scorer.loaded.network
    first = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)
    now = first.clone()
    for _ in range(attack.steps):
        now.requires_grad_(True)
        crop = crop_of(now, square, given.size) / 255
        (gradient,) = torch.autograd.grad(network((crop - mean) / spread).sum(), now)
        with torch.no_grad():
            now = now + attack.stride * gradient.sign() * (-1 if fake else 1)
            now = torch.minimum(torch.maximum(now, first - attack.budget), first + attack.budget)
            now = now.clamp(0, 255)
    return np.asarray(now.detach().round().permute(1, 2, 0).numpy(), np.uint8)


def measure_attacks(
    scorer: Scorer,
    network: FramingNetwork,
    card: SecondLookCard,
    develop: Sequence[Patch],
    parameters: Parameters,
    report: ReportText,
) -> SecondLookCard:
    """Add figures under every attack on faces of ``develop`` to ``card``.

    They are of the scan, of the fused score, of the same with the scan's answer to the unchanged picture, and
    how often the two networks contradict each other.
    """
    chosen, figures = faces(develop, FACES), dict(card.figures)
    fake, fusion = np.array([patch.fake for patch in chosen]), Fusion.of(card)
    enter = logit_of(parameters.enter_threshold)
    as_it_is = fusion_columns(network, scorer, chosen)
    for attack in (None, *ATTACKS):
        name, inputs = "not attacked", as_it_is
        if attack is not None:
            patches = [_attacked_patch(scorer, patch, attack) for patch in chosen]
            name, inputs = attack.name, fusion_columns(network, scorer, patches)
        alone = fusion_inputs(as_it_is[:, SCAN], inputs[:, SECOND_NETWORK])
        contradicted = fusion.contradicts(inputs)
        figures[f"{FACES} faces, {name}, contradicted"] = round(float(contradicted.mean()), 3)
        report(f"{name}: contradicted {contradicted[fake].sum()} and {contradicted[~fake].sum()}")
        for of, logits in (
            ("scan", inputs[:, 0]),
            ("fused", fusion.logit(inputs)),
            ("second look", fusion.logit(alone)),
        ):
            area = round(float(roc_auc_score(fake, logits)), 3)
            flagged = (logits >= enter) & ~(contradicted & (of == "fused"))
            figures[f"{FACES} faces, {name}, AUC, {of}"] = area
            report(
                f"{name}, {of}: AUC {area}, flagged {flagged[fake].sum()} of {fake.sum()} manipulated, "
                f"{flagged[~fake].sum()} of {(~fake).sum()} unmanipulated"
            )
    return card.model_copy(update={"figures": figures})


def faces(develop: Sequence[Patch], count: int) -> list[Patch]:
    """Return a patch from the middle of each clip; at most ``count``, half of them manipulated."""
    by_clip: dict[str, list[Patch]] = {}
    for patch in develop:
        by_clip.setdefault(patch.file, []).append(patch)
    middle = [patches[len(patches) // 2] for _, patches in sorted(by_clip.items())]
    sides: tuple[list[Patch], ...] = ([p for p in middle if p.fake], [p for p in middle if not p.fake])
    return [patch for side in sides for patch in side[: count // 2]]


def _attacked_patch(scorer: Scorer, patch: Patch, attack: Attack) -> Patch:
    changed = attack_picture(scorer, decode_jpeg(patch.data), square_of(patch, INNER), patch.fake, attack)
    return dataclasses.replace(patch, data=_lossless(changed))


def _lossless(picture: Image) -> bytes:
    """Encode as PNG; JPEG would undo part of an attack."""
    stored: NDArray[np.uint8] = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
    return stored.tobytes()


_CRF = 10
_FRAMES = 75  # of a clip: three seconds suffice for a verdict
_WHOLE = (ATTACKS[0], ATTACKS[2], ATTACKS[3])


def measure_attacked_clips(
    data: Path, model: LoadedModel, folder: Path, count: int, report: ReportText
) -> dict[str, dict[bool, Counter[Verdict]]]:
    """Count verdicts on ``count`` develop clips, half of them manipulated, by attack and by truth.

    Every face of every frame is attacked, and the clip is encoded again at a low rate factor, as an attacker
    would; the effect of that alone is measured, too. Attacked clips are written to ``folder`` one at a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, detector, scorer = folder / "attacked.mp4", FaceDetector(0.5), Scorer(model.alone)
    attacks: dict[str, Attack | None] = {"encoded anew": None, **{attack.name: attack for attack in _WHOLE}}
    verdicts = {name: {True: Counter[Verdict](), False: Counter[Verdict]()} for name in attacks}
    labelled = [(clip, row["label"] == "fake") for clip, row in develop_clips(data)]
    for clip, fake in balanced_clips(labelled, count):
        film = read_short_clip(clip)
        frames = film.frames[:_FRAMES]
        for name, attack in attacks.items():
            changed = (
                frames
                if attack is None
                else [attack_frame(scorer, detector, frame, fake, attack) for frame in frames]
            )
            write_short_clip(ShortClip(changed, film.rate), path, _CRF)
            verdict = analyze(path, model=model, explain=False).verdict
            verdicts[name][fake][verdict] += 1
            report(f"{clip.name}, {'manipulated' if fake else 'unmanipulated'}, {name}: {verdict}")
    for name, by_truth in verdicts.items():
        for fake, counted in by_truth.items():
            counts = ", ".join(f"{verdict} {number}" for verdict, number in sorted(counted.items()))
            report(f"{name}, {'manipulated' if fake else 'unmanipulated'} clips: {counts}")
    return verdicts


def attack_frame(scorer: Scorer, detector: FaceDetector, frame: Image, fake: bool, attack: Attack) -> Image:
    """Attack every face of ``frame``, one after the other."""
    changed = frame.copy()
    for face in detector(frame):
        if face.width >= SMALLEST_FACE:
            square = inner_square(face.box, roll(face))
            around = _around(square, frame)
            left, top = around[1].start, around[0].start
            there = replace(square, x=square.x - left, y=square.y - top)
            changed[around] = attack_picture(scorer, changed[around], there, fake, attack)
    return changed


def _around(square: CropSquare, frame: Image) -> tuple[slice, slice]:
    """Return rows and columns of ``frame`` that contain ``square``: gradients cost by the pixel."""
    reach = square.side * 0.75  # half its diagonal, and a little
    rows, columns = (
        slice(max(0, int(middle - reach)), min(size, int(middle + reach) + 1))
        for middle, size in ((square.y, frame.shape[0]), (square.x, frame.shape[1]))
    )
    return rows, columns


def balanced_clips(clips: Sequence[tuple[Path, bool]], count: int) -> list[tuple[Path, bool]]:
    """Choose ``count`` of ``clips``, half of them manipulated, evenly from the whole list."""
    out = []
    for side in (True, False):
        mine = [clip for clip in clips if clip[1] is side]
        out += [mine[number * len(mine) // (count // 2)] for number in range(min(count // 2, len(mine)))]
    return out
