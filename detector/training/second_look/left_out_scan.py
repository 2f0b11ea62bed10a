"""How well the scan tells generators that it has not learnt, and what that costs with those it has.

The scan is trained from its start without some generators, as what ships was trained with them. What it says
of the generators left out, and of those learnt, is then measured at several shares of the way from the first
weights to the last (WiSE-FT, Wortsman et al., CVPR 2022), on footage of people it has not learnt from.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from detector.errors import ParameterError
from detector.faces.framing import INNER
from detector.networks.framing_network import FramingNetwork
from detector.progress import ReportText
from detector.training.data.face_samples import Sample
from detector.training.second_look.examples.kinds import LIP_SYNC, REENACTMENT, SWAP
from detector.training.second_look.examples.patches import TRAIN, Patch, is_of, load, require_training
from detector.training.second_look.fitting.patch_scores import by_clip, every_nth_frame, logits
from detector.training.second_look.measuring.left_out_generators import LEARNT_FRAMES, TOLD_FRAMES
from detector.training.second_look.scan import ScanNetwork, ScanSource, between
from detector.training.second_look.scan_loop import Figures, Recipe, Trainer, tune

SHARES = (0.0, 0.25, 0.5, 0.7, 0.85, 1.0)
_ALTERED = (SWAP, REENACTMENT, LIP_SYNC)


def train_without(
    start: ScanNetwork,
    patches: Sequence[Patch],
    samples: list[Sample],
    generators: Sequence[str],
    recipe: Recipe,
    folder: Path,
    report: ReportText,
) -> Path:
    """Train a copy of ``start`` on ``patches`` but fakes of ``generators``; its weights, in a folder of their
    own below ``folder``.

    Generators are named by parts of their names, in small letters. Raises
    :class:`~detector.errors.ParameterError` for one of which there is nothing.
    """
    require_training(patches, None)
    for generator in generators:
        if not any(is_of(patch, [generator]) for patch in patches):
            raise ParameterError(f"No training example is by a generator with {generator!r} in its name.")
    kept = [patch for patch in patches if not is_of(patch, generators)]
    own = folder / quote(" ".join(sorted(generators)), safe=" ")
    own.mkdir(parents=True, exist_ok=True)
    last = own / f"step-{recipe.steps}.pt"
    if not last.is_file():
        trainer = Trainer(copy.deepcopy(start), recipe)
        tune(trainer, ScanSource(kept, samples, recipe.seed), own, _unmeasured, report)
    return last


def measure_shares(
    start: ScanNetwork, last: Path, out: Path, generators: Sequence[str], report: ReportText
) -> dict[float, dict[str, float]]:
    """AUC over clips for each share of the way from ``start`` to ``last``: of each of ``generators``, of all
    of them (``left out``), and of other altered faces of role ``develop`` (``learnt``).

    All against unmanipulated clips of role ``develop``. Of what was left out, clips of role ``train`` count
    as well. Patches lie below ``out``.
    """
    clips = [*load(out, "clips"), *load(out, "videos")]
    unknown = [patch for patch in clips if patch.role == TRAIN and is_of(patch, generators)]
    shown = every_nth_frame(unknown, LEARNT_FRAMES)
    shown += every_nth_frame([patch for patch in clips if patch.role == "develop"], TOLD_FRAMES)
    network, figures = ScanNetwork(), {}
    for share in SHARES:
        network.load_state_dict(between(start, last, share))
        scores = logits(network, shown, INNER)[:, 0]
        told = {name: _auc(shown, scores, [is_of(patch, [name]) for patch in shown]) for name in generators}
        told["left out"] = _auc(shown, scores, [is_of(patch, generators) for patch in shown])
        learnt = [patch.family in _ALTERED and not is_of(patch, generators) for patch in shown]
        told["learnt"] = _auc(shown, scores, learnt)
        figures[share] = told
        report(f"{share:.2f} of the way: {told}")
    return figures


def _auc(shown: Sequence[Patch], scores: NDArray[np.float32], fakes: Sequence[bool]) -> float:
    """AUC of the clips of ``fakes`` against unmanipulated ones."""
    rows = [row for row, fake in enumerate(fakes) if fake or not shown[row].fake]
    clips = by_clip([shown[row] for row in rows], scores[rows][:, None])
    return round(float(roc_auc_score(clips.fake, clips.scores[:, 0])), 3)


def _unmeasured(network: FramingNetwork) -> tuple[float, Figures]:
    """Nothing chooses a checkpoint here: the last one counts."""
    return 0.0, {}
