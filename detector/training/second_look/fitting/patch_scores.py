"""Scores of the network over patches, and the figures over clips made from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from detector.faces.framing import HEAD, INNER
from detector.networks.framing_network import FramingNetwork
from detector.networks.readings import PHOTOGRAPH
from detector.scoring.scorer import Scorer
from detector.training.second_look.examples.crops import plain_crop
from detector.training.second_look.examples.kinds import LIP_SYNC, REENACTMENT, SWAP, TALKING_HEAD
from detector.training.second_look.examples.patches import Patch

FAMILIES = {
    "swaps": (SWAP,),
    "reenactment": (REENACTMENT,),
    "talking heads and lip-sync": (TALKING_HEAD, LIP_SYNC),
}
WHILE_TRAINING = 3  # every third frame of a develop clip is looked at
_BATCH = 8
_SCAN_BATCH = 32


@torch.inference_mode()
def logits(network: FramingNetwork, patches: Sequence[Patch], reading: int) -> NDArray[np.float32]:
    """Logits (n, questions) of plain crops."""
    network.eval()
    framing = HEAD if reading == PHOTOGRAPH else reading
    out = []
    for start in range(0, len(patches), _BATCH):
        some = patches[start : start + _BATCH]
        crops = np.stack([plain_crop(patch, framing, network.size) for patch in some])
        given = network.of_reading(
            network(network.normalised(torch.from_numpy(crops))), torch.full((len(some),), reading)
        )
        out.append(given.numpy())
    return np.concatenate(out)


def scan_logits(scorer: Scorer, patches: Sequence[Patch]) -> NDArray[np.float64]:
    """One logit of the scan for each patch."""
    size, out = scorer.card.input.size, []
    for start in range(0, len(patches), _SCAN_BATCH):
        some = patches[start : start + _SCAN_BATCH]
        out.append(scorer.logits([plain_crop(patch, INNER, size) for patch in some]))
    return np.concatenate(out)


@dataclass(frozen=True)
class ClipScores:
    """``scores`` (clips, columns), means over a clip's frames: of one network, or the fusion's inputs."""

    files: list[str]
    fake: NDArray[np.bool_]
    family: list[str]
    group: list[str]
    scores: NDArray[np.float64]

    @property
    def talking(self) -> NDArray[np.bool_]:
        """Which clips (n,) are talking heads, whose whole face is generated."""
        return np.array([kind == TALKING_HEAD for kind in self.family])


def by_clip(patches: Sequence[Patch], scores: NDArray[np.floating]) -> ClipScores:
    """Mean of the scores (n, columns) of each clip's patches."""
    rows: dict[str, list[int]] = defaultdict(list)
    for number, patch in enumerate(patches):
        rows[patch.file].append(number)
    first = [patches[row[0]] for row in rows.values()]
    return ClipScores(
        list(rows),
        np.array([patch.fake for patch in first]),
        [patch.family for patch in first],
        [patch.group for patch in first],
        np.array([scores[row].mean(axis=0, dtype=np.float64) for row in rows.values()]),
    )


def clip_aucs(clips: ClipScores, score: NDArray[np.floating]) -> dict[str, float]:
    """AUC of ``score`` (n,), one a clip: overall, by family (against all real clips), and by source.

    The sources are FaceForensics++ alone, and all without it.
    """
    families = np.array(clips.family)
    from_ffpp = np.array([group.startswith("ffpp") for group in clips.group])
    chosen = {"all": np.ones(len(families), bool)}
    chosen |= {name: ~clips.fake | np.isin(families, kinds) for name, kinds in FAMILIES.items()}
    chosen |= {"FaceForensics++": from_ffpp, "not FaceForensics++": ~from_ffpp}
    return {
        name: round(float(roc_auc_score(clips.fake[kept], score[kept])), 3)
        for name, kept in chosen.items()
        if len(set(clips.fake[kept].tolist())) == 2
    }


def every_nth_frame(patches: Sequence[Patch], n: int) -> list[Patch]:
    """Of each clip, every ``n``-th of its patches."""
    seen: dict[str, int] = defaultdict(int)
    out = []
    for patch in patches:
        if seen[patch.file] % n == n // 2:
            out.append(patch)
        seen[patch.file] += 1
    return out
