"""Scores of the networks over patches, the figures made from them, and the inputs of the fusion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from sklearn.metrics import roc_auc_score
from torch import Tensor

from detector.errors import ModelError
from detector.faces.crop import HEAD, INNER
from detector.faces.patch import decode_jpeg
from detector.models.loaded import tensor_kinds
from detector.models.model_files import StoredTensor, find_mismatch, read_arrays
from detector.networks.base import create
from detector.networks.graphs import PHOTOGRAPH, window_outputs
from detector.networks.vit_small_14 import FramingNetwork, ViTSmall14, ViTSmall14PatchHeads
from detector.networks.vit_small_14_windows import ViTSmall14Windows
from detector.scoring.fusion import fusion_inputs
from detector.scoring.scorer import Scorer
from training.second_look.examples.patches import LIP_SYNC, REENACTMENT, SWAP, TALKING_HEAD, Patch
from training.second_look.examples.sampling import crops_of_windows, plain_crop

FAMILIES = {
    "swaps": (SWAP,),
    "reenactment": (REENACTMENT,),
    "talking heads and lip-sync": (TALKING_HEAD, LIP_SYNC),
}
WHILE_TRAINING = 3  # every third frame of a develop clip is used
_BATCH = 8
_SCAN_BATCH = 32


@torch.inference_mode()
def logits(network: FramingNetwork, patches: Sequence[Patch], reading: int) -> NDArray[np.float32]:
    """Return logits (n, questions) of plain crops."""
    network.eval()
    framing = HEAD if reading == PHOTOGRAPH else reading
    out = []
    for start in range(0, len(patches), _BATCH):
        some = patches[start : start + _BATCH]
        crops = np.stack([plain_crop(patch, framing, network.size) for patch in some])
        given = network.of_reading(
            network(network.normalise(torch.from_numpy(crops))), torch.full((len(some),), reading)
        )
        out.append(given.numpy())
    return np.concatenate(out)


def scan_logits(scorer: Scorer, patches: Sequence[Patch]) -> NDArray[np.float64]:
    """Return one logit of the scan per patch."""
    size, out = scorer.card.input.size, []
    for start in range(0, len(patches), _SCAN_BATCH):
        some = patches[start : start + _SCAN_BATCH]
        out.append(scorer.logits([plain_crop(patch, INNER, size) for patch in some]))
    return np.concatenate(out)


@dataclass(frozen=True)
class ClipScores:
    """Mean ``scores`` (clips, columns) over each clip's frames: of one network, or the fusion's inputs."""

    files: list[str]
    fake: NDArray[np.bool_]
    family: list[str]
    group: list[str]
    scores: NDArray[np.float64]

    @property
    def talking(self) -> NDArray[np.bool_]:
        """Flags (n,) of talking heads, whose whole face is generated."""
        return np.array([kind == TALKING_HEAD for kind in self.family])


def by_clip(patches: Sequence[Patch], scores: NDArray[np.floating]) -> ClipScores:
    """Average the scores (n, columns) of each clip's patches."""
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
    """Return the AUC of ``score`` (n,) over clips: of all, by family (against all real clips), by source.

    The sources are FaceForensics++, and all others.
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
    """Return every ``n``-th patch of each clip."""
    seen: dict[str, int] = defaultdict(int)
    out = []
    for patch in patches:
        if seen[patch.file] % n == n // 2:
            out.append(patch)
        seen[patch.file] += 1
    return out


def read_network(weights: Path, architecture: str | None = None) -> FramingNetwork:
    """Read the network of a checkpoint or of shipped weights, in evaluation mode.

    By default its ``architecture`` is the one stated in a safetensors file, or the shipped one, with or
    without heads for patches. Raises :class:`~detector.errors.ModelError` for tensors or a name of another
    kind of network.
    """
    stated, state = _stored(weights)
    name = architecture or stated or _shipped(state)
    network = create(name)
    if not isinstance(network, FramingNetwork):
        raise ModelError(f"{name} is not a FramingNetwork, which a second look needs. Name another.")
    given = {
        tensor: StoredTensor("F32" if kind.floating else "I64", kind.shape, b"")
        for tensor, kind in tensor_kinds(state).items()
    }
    if reason := find_mismatch(tensor_kinds(network.state_dict()), given):
        raise ModelError(
            f"{weights} does not fit architecture {name}: {reason}. Give weights of that architecture, or "
            "`report` and `fit` the name of theirs (--architecture)."
        )
    network.load_state_dict(state)
    return network.eval()


def _shipped(state: Mapping[str, Tensor]) -> str:
    if any(name.startswith("branch_") for name in state):
        return ViTSmall14Windows.architecture
    has_patch_heads = any(name.startswith("patch_") for name in state)
    return (ViTSmall14PatchHeads if has_patch_heads else ViTSmall14).architecture


def _stored(weights: Path) -> tuple[str | None, dict[str, Tensor]]:
    """Return the architecture stated in a file of weights, and its tensors."""
    if weights.suffix == ".safetensors":
        with safe_open(weights, "pt") as head:
            stated = (head.metadata() or {}).get("architecture")
        return stated, {
            name: torch.tensor(value) for name, value in read_arrays(weights.read_bytes()).items()
        }
    state = torch.load(weights, map_location="cpu", weights_only=True)
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(
            f"{weights} holds more than a network's tensors. Give a file of its state_dict only."
        )
    return None, dict(state)


def fusion_columns(
    network: FramingNetwork, scorer: Scorer, patches: Sequence[Patch], head: int = HEAD
) -> NDArray[np.float64]:
    """Return the inputs (n, 5) of the fusion for each patch, with the reading ``head`` of the whole head."""
    seen = [logits(network, patches, reading) for reading in (INNER, head)]
    columns = np.column_stack(seen).astype(np.float64)
    if isinstance(network, ViTSmall14Windows):
        columns[:, -1] = window_logits(network, patches, head == PHOTOGRAPH)
    return fusion_inputs(scan_logits(scorer, patches), columns)


@torch.inference_mode()
def window_logits(network: ViTSmall14Windows, patches: Sequence[Patch], still: bool) -> NDArray[np.float32]:
    """Return what the windows of each patch together say of synthesis (n,)."""
    outputs, out = window_outputs(still), []
    for patch in patches:
        assert patch.box is not None
        crops = np.stack(crops_of_windows(decode_jpeg(patch.data), patch.box, still))
        given = network.score_windows(network.normalise(torch.from_numpy(crops)))
        out.append(float(given[range(len(outputs)), outputs].sum()))
    return np.array(out, np.float32)
