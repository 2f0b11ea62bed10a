"""How well generators are recognised that were left out of learning: one figure for each.

The shipped network's upper blocks were tuned on examples of all generators, so leaving one out of its heads
would say little. Here the blocks are those of the pretrained start, which has seen no generator's name, and
linear heads on its features are fitted without one generator at a time, each as in what ships: portraits are
told from whole heads, talking heads from whole heads learnt from clips and moved frames, altered faces from
inner faces learnt from crops, clips and blends. Its pictures and clips are then told from unmanipulated ones
held out: photographs of role ``val``, clips of role ``develop``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from detector.faces.framing import HEAD, INNER
from detector.files import atomic_path
from detector.media.frame import Image
from detector.networks.readings import ALTERED, SYNTHESISED
from detector.networks.vit_small_14 import ViTSmall14
from detector.progress import ReportText
from detector.training.second_look.altered_head import BLENDED, BLENDS, EXAMPLES_STRENGTH
from detector.training.second_look.clip_heads import MOVED
from detector.training.second_look.examples.blend_pairs import blend_pairs
from detector.training.second_look.examples.crops import plain_crop
from detector.training.second_look.examples.kinds import PICTURE, TALKING_HEAD, UNASKED, targets
from detector.training.second_look.examples.motion_pairs import motion_pairs
from detector.training.second_look.examples.pairs import Pair, pair_crops
from detector.training.second_look.examples.patches import TRAIN, Patch, is_of, load, require_training
from detector.training.second_look.examples.sampling import ALTERED_SHARES
from detector.training.second_look.features import features_of
from detector.training.second_look.fitting.patch_scores import by_clip, every_nth_frame
from detector.training.second_look.linear_heads import (
    STRENGTH,
    head_with_pairs,
    linear_head,
    share_out,
    standardised,
)

PICTURES = ("stylegan1", "stylegan2", "flux", "photoshop")
TALKING_HEADS = ("float", "hunyuan", "edtalk", "aniportrait", "biodeep", "sadtalker", "fomm")
ALTERED_FACES = ("wav2lip", "hyperlips", "deepfacelive", "deepfakes", "faceswap", "face2face")
"""Parts of generators' names, in small letters; those that share one are left out together."""
LEARNT_FRAMES, TOLD_FRAMES = 6, 3  # every sixth and every third frame of a clip
_LARGE = {pool: share for (pool, _), share in ALTERED_SHARES.items() if pool in {"ffpp", "dfdc"}}
"""Of the large sets of crops, each one's share among the examples of altered faces."""
_CROPS_EVERY = 2  # of their crops
_SYNTHESISED = (PICTURE, TALKING_HEAD)

Features = NDArray[np.float32]


@dataclass(frozen=True)
class Known:
    """Patches with their features (n, f)."""

    patches: Sequence[Patch]
    features: Features

    def of(self, chosen: Callable[[Patch], bool]) -> Known:
        """Those that are ``chosen``."""
        rows = [row for row, patch in enumerate(self.patches) if chosen(patch)]
        return Known([self.patches[row] for row in rows], self.features[rows])

    def __add__(self, other: Known) -> Known:
        return Known([*self.patches, *other.patches], np.concatenate([self.features, other.features]))


@dataclass(frozen=True)
class Pairs:
    """Features (2 n, f) of pairs, one as it is, one made, and so on; and their share of a head's weight."""

    features: Features
    share: float


@dataclass(frozen=True)
class _FeatureStore:
    """Features by ``network``, made once and kept in files of ``folder``."""

    network: ViTSmall14
    folder: Path
    report: ReportText

    def patches(self, name: str, patches: Sequence[Patch], framing: int) -> Known:
        """Those of the set of patches that is called ``name``, in one framing."""
        crops = (plain_crop(patch, framing, self.network.size) for patch in patches)
        return Known(patches, self._kept(f"{name}{'-inner' if framing == INNER else ''}", crops))

    def pairs(self, name: str, pairs: Iterable[Pair], share: float) -> Pairs:
        """Those of pairs, with ``share`` of a head's weight."""
        return Pairs(self._kept(name, pair_crops(pairs, self.network.size)), share)

    def _kept(self, name: str, crops: Iterable[Image]) -> Features:
        path = self.folder / f"{name}.npy"
        if not path.is_file():
            features = features_of(self.network, crops, self.report)
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.save(file, features)
        kept: Features = np.load(path)
        return kept


def measure_left_out(
    out: Path,
    faces: Sequence[Patch],
    network: ViTSmall14,
    folder: Path,
    report: ReportText,
) -> dict[str, tuple[float, int]]:
    """AUC of each generator when left out, and how many pictures or clips of it were told.

    Patches lie below ``out``; ``faces`` are all of role ``train``, of which crops are learnt from and
    unmanipulated ones blended and moved. Features are kept in ``folder``.
    """
    stills, clips = load(out, "stills"), [*load(out, "clips"), *load(out, "videos")]
    train_stills = [p for p in stills if p.role == TRAIN]
    train_clips = every_nth_frame([p for p in clips if p.role == TRAIN], LEARNT_FRAMES)
    train_crops = [p for p in faces if p.source in _LARGE][::_CROPS_EVERY]
    val_stills = [p for p in stills if p.role == "val"]
    develop_clips = every_nth_frame([p for p in clips if p.role == "develop"], TOLD_FRAMES)
    require_training([*train_stills, *train_clips, *train_crops], None)

    store = _FeatureStore(network, folder, report)
    heads = store.patches("train-clips", train_clips, HEAD)
    pictures = store.patches("train-stills", train_stills, HEAD) + heads
    told = _each_left_out(PICTURES, pictures, store.patches("val-stills", val_stills, HEAD), report)
    moved = store.pairs("moved", motion_pairs(faces), MOVED)
    held_out = store.patches("develop-clips", develop_clips, HEAD)
    told |= _each_left_out(TALKING_HEADS, heads, held_out, report, moved)
    blends = store.pairs("blends", blend_pairs(faces, BLENDED), BLENDS)
    inner = store.patches("train-crops", train_crops, INNER) + store.patches(
        "train-clips", train_clips, INNER
    )
    held_out = store.patches("develop-clips", develop_clips, INNER)
    told |= _each_left_out(ALTERED_FACES, inner, held_out, report, blends, EXAMPLES_STRENGTH)
    return told


def _each_left_out(
    generators: Sequence[str],
    learnt: Known,
    held_out: Known,
    report: ReportText,
    pairs: Pairs | None = None,
    strength: float = STRENGTH,
) -> dict[str, tuple[float, int]]:
    """:func:`left_out_auc` of each of ``generators``, by its name."""
    told = {}
    for name in generators:
        auc, count = told[name] = left_out_auc(learnt, held_out, name, pairs, strength)
        report(f"{name}: AUC {auc:.3f} over {count} of it")
    return told


def left_out_auc(
    learnt: Known,
    held_out: Known,
    generator: str,
    pairs: Pairs | None = None,
    strength: float = STRENGTH,
) -> tuple[float, int]:
    """AUC of all pictures or clips of ``generator``, none of which was learnt, against unmanipulated ones of
    ``held_out``; and how many there are of it.

    Of both heads the one that is asked about its family is fitted, with ``pairs`` if there are any.
    """

    def of_it(patch: Patch) -> bool:
        return is_of(patch, [generator])

    mine = (learnt + held_out).of(lambda patch: of_it(patch) and patch.source not in _LARGE)
    asked = SYNTHESISED if mine.patches[0].family in _SYNTHESISED else ALTERED
    others = learnt.of(lambda patch: not of_it(patch) and _target(patch, asked) != UNASKED)
    centre, spread = others.features.mean(axis=0), others.features.std(axis=0) + 1e-3
    z = standardised(others.features, centre, spread)
    labels = np.array([_target(patch, asked) for patch in others.patches])
    weights = _by_source(others.patches, labels)
    weight, _ = linear_head(z, labels, strength, weights)
    if pairs is not None:
        of_pairs = standardised(pairs.features, centre, spread)
        of_all = STRENGTH * (len(z) + len(of_pairs))
        with_pairs, _ = head_with_pairs(z, labels, of_pairs, pairs.share, of_all, weights)
        weight = weight + with_pairs  # their mean orders likewise
    shown = mine + held_out.of(lambda patch: not patch.fake)
    logits = standardised(shown.features, centre, spread) @ weight
    whole = by_clip(shown.patches, logits[:, None])
    return float(roc_auc_score(whole.fake, whole.scores[:, 0])), int(whole.fake.sum())


def _by_source(patches: Sequence[Patch], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weights (n,) by which each large set of crops has its share of each class; clips share the rest."""
    sources = np.array([patch.source if patch.source in _LARGE else "" for patch in patches])
    weights = np.ones(len(patches))
    for source, share in {"": 1 - sum(_LARGE.values()), **_LARGE}.items():
        for label in (0, 1):
            share_out(weights, (sources == source) & (labels == label), share)
    return weights


def _target(patch: Patch, question: int) -> int:
    return targets(patch.generator, patch.fake)[question]
