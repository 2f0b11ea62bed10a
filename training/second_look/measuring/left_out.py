"""Measure how well generators are recognised that were left out of training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from detector.errors import ParameterError
from detector.faces.crop import HEAD, INNER
from detector.files import atomic_path
from detector.media.frame import Image
from detector.networks.graphs import ALTERED, SYNTHESISED
from detector.networks.vit_small_14 import FramingNetwork, ViTSmall14
from detector.progress import ReportText
from training.data.research_faces import Sample
from training.second_look.examples.pairs import Pair, blend_pairs, motion_pairs, pair_crops
from training.second_look.examples.patches import (
    LIP_SYNC,
    NOT_ASKED,
    PICTURE,
    REENACTMENT,
    SWAP,
    TALKING_HEAD,
    TRAIN,
    Patch,
    is_of,
    load,
    require_training,
    targets,
)
from training.second_look.examples.sampling import ALTERED_SHARES, plain_crop
from training.second_look.fitting.patch_scores import by_clip, every_nth_frame, logits
from training.second_look.linear_heads import (
    BLENDED,
    BLENDS,
    EXAMPLES_STRENGTH,
    MOVED,
    STRENGTH,
    features_of,
    head_with_pairs,
    linear_head,
    scale_to_total,
    standardise,
)
from training.second_look.runs import Figures, Recipe, Trainer, tune
from training.second_look.scan import ScanNetwork, ScanSource, interpolate_scan

PICTURES = ("stylegan1", "stylegan2", "flux", "photoshop")
TALKING_HEADS = ("float", "hunyuan", "edtalk", "aniportrait", "biodeep", "sadtalker", "fomm")
ALTERED_FACES = ("wav2lip", "hyperlips", "deepfacelive", "deepfakes", "faceswap", "face2face")
"""Parts of generators' names, in small letters; matching ones are left out together."""
LEARNT_FRAMES, TOLD_FRAMES = 6, 3  # every sixth frame of training clips, every third of others
_LARGE = {pool: share for (pool, _), share in ALTERED_SHARES.items() if pool in {"ffpp", "dfdc"}}
"""Shares of the large sets of crops among the examples of altered faces."""
_CROPS_EVERY = 2  # of their crops
_SYNTHESISED = (PICTURE, TALKING_HEAD)

Features = NDArray[np.float32]


@dataclass(frozen=True)
class PatchFeatures:
    """Patches with their features (n, f)."""

    patches: Sequence[Patch]
    features: Features

    def of(self, chosen: Callable[[Patch], bool]) -> PatchFeatures:
        """Return the ``chosen`` ones."""
        rows = [row for row, patch in enumerate(self.patches) if chosen(patch)]
        return PatchFeatures([self.patches[row] for row in rows], self.features[rows])

    def __add__(self, other: PatchFeatures) -> PatchFeatures:
        return PatchFeatures([*self.patches, *other.patches], np.concatenate([self.features, other.features]))


@dataclass(frozen=True)
class PairFeatures:
    """Features (2 n, f) of pairs, originals and changed ones in turn, with their share of a head's weight."""

    features: Features
    share: float


@dataclass(frozen=True)
class _FeatureStore:
    """Features by ``network``, computed once and stored in ``folder``."""

    network: ViTSmall14
    folder: Path
    report: ReportText

    def patches(self, name: str, patches: Sequence[Patch], framing: int) -> PatchFeatures:
        """Return those of the set of patches called ``name``, in one framing."""
        crops = (plain_crop(patch, framing, self.network.size) for patch in patches)
        return PatchFeatures(patches, self._kept(f"{name}{'-inner' if framing == INNER else ''}", crops))

    def pairs(self, name: str, pairs: Iterable[Pair], share: float) -> PairFeatures:
        """Return those of pairs, with ``share`` of a head's weight."""
        return PairFeatures(self._kept(name, pair_crops(pairs, self.network.size)), share)

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
    """Return the AUC of each generator when left out, and its number of pictures or clips.

    The shipped network's blocks were tuned on all generators, so the pretrained start is used here, with
    linear heads fitted as in what ships, without one generator at a time. Patches lie below ``out``;
    ``faces`` are all of role ``train``. Features are stored in ``folder``.
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
    aucs = _each_left_out(PICTURES, pictures, store.patches("val-stills", val_stills, HEAD), report)
    moved = store.pairs("moved", motion_pairs(faces), MOVED)
    held_out = store.patches("develop-clips", develop_clips, HEAD)
    aucs |= _each_left_out(TALKING_HEADS, heads, held_out, report, moved)
    blends = store.pairs("blends", blend_pairs(faces, BLENDED), BLENDS)
    inner = store.patches("train-crops", train_crops, INNER) + store.patches(
        "train-clips", train_clips, INNER
    )
    held_out = store.patches("develop-clips", develop_clips, INNER)
    aucs |= _each_left_out(ALTERED_FACES, inner, held_out, report, blends, EXAMPLES_STRENGTH)
    return aucs


def _each_left_out(
    generators: Sequence[str],
    learnt: PatchFeatures,
    held_out: PatchFeatures,
    report: ReportText,
    pairs: PairFeatures | None = None,
    strength: float = STRENGTH,
) -> dict[str, tuple[float, int]]:
    """Return the :func:`left_out_auc` of each of ``generators``, by its name."""
    aucs = {}
    for name in generators:
        auc, count = aucs[name] = left_out_auc(learnt, held_out, name, pairs, strength)
        report(f"{name}: AUC {auc:.3f} over {count} of it")
    return aucs


def left_out_auc(
    learnt: PatchFeatures,
    held_out: PatchFeatures,
    generator: str,
    pairs: PairFeatures | None = None,
    strength: float = STRENGTH,
) -> tuple[float, int]:
    """Return the AUC of ``generator``, not learned, against unmanipulated ``held_out`` ones, and its count.

    The head that is asked about its family is fitted, with ``pairs`` if there are any.
    """

    is_of_it = partial(is_of, generators=[generator])
    mine = (learnt + held_out).of(lambda patch: is_of_it(patch) and patch.source not in _LARGE)
    asked = SYNTHESISED if mine.patches[0].family in _SYNTHESISED else ALTERED
    others = learnt.of(lambda patch: not is_of_it(patch) and _target(patch, asked) != NOT_ASKED)
    centre, spread = others.features.mean(axis=0), others.features.std(axis=0) + 1e-3
    z = standardise(others.features, centre, spread)
    labels = np.array([_target(patch, asked) for patch in others.patches])
    weights = _by_source(others.patches, labels)
    weight, _ = linear_head(z, labels, strength, weights)
    if pairs is not None:
        of_pairs = standardise(pairs.features, centre, spread)
        of_all = STRENGTH * (len(z) + len(of_pairs))
        with_pairs, _ = head_with_pairs(z, labels, of_pairs, pairs.share, of_all, weights)
        weight = weight + with_pairs  # their mean orders likewise
    shown = mine + held_out.of(lambda patch: not patch.fake)
    logits = standardise(shown.features, centre, spread) @ weight
    whole = by_clip(shown.patches, logits[:, None])
    return float(roc_auc_score(whole.fake, whole.scores[:, 0])), int(whole.fake.sum())


def _by_source(patches: Sequence[Patch], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return weights (n,) that give each large set of crops its share of each class; clips have the rest."""
    sources = np.array([patch.source if patch.source in _LARGE else "" for patch in patches])
    weights = np.ones(len(patches))
    for source, share in {"": 1 - sum(_LARGE.values()), **_LARGE}.items():
        for label in (0, 1):
            scale_to_total(weights, (sources == source) & (labels == label), share)
    return weights


def _target(patch: Patch, question: int) -> int:
    return targets(patch.generator, patch.fake)[question]


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
    """Train a copy of ``start`` on ``patches`` except fakes of ``generators``; return its weights' path.

    They are stored in a folder of their own below ``folder``. Generators are given as parts of their names,
    in small letters. Raises :class:`~detector.errors.ParameterError` for one without training examples.
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
    """Return AUCs over clips for each share of the way from ``start`` to ``last`` (WiSE-FT).

    They are of each of ``generators``, of all of them (``left out``, including clips of role ``train``), and
    of other altered faces of role ``develop`` (``learnt``), against unmanipulated clips of role ``develop``.
    Patches lie below ``out``.
    """
    clips = [*load(out, "clips"), *load(out, "videos")]
    unknown = [patch for patch in clips if patch.role == TRAIN and is_of(patch, generators)]
    shown = every_nth_frame(unknown, LEARNT_FRAMES)
    shown += every_nth_frame([patch for patch in clips if patch.role == "develop"], TOLD_FRAMES)
    network, figures = ScanNetwork(), {}
    for share in SHARES:
        network.load_state_dict(interpolate_scan(start, last, share))
        scores = logits(network, shown, INNER)[:, 0]
        aucs = {name: _auc(shown, scores, [is_of(patch, [name]) for patch in shown]) for name in generators}
        aucs["left out"] = _auc(shown, scores, [is_of(patch, generators) for patch in shown])
        learnt = [patch.family in _ALTERED and not is_of(patch, generators) for patch in shown]
        aucs["learnt"] = _auc(shown, scores, learnt)
        figures[share] = aucs
        report(f"{share:.2f} of the way: {aucs}")
    return figures


def _auc(shown: Sequence[Patch], scores: NDArray[np.float32], fakes: Sequence[bool]) -> float:
    """Return the AUC of the clips of ``fakes`` against unmanipulated ones."""
    rows = [row for row, fake in enumerate(fakes) if fake or not shown[row].fake]
    clips = by_clip([shown[row] for row in rows], scores[rows][:, None])
    return round(float(roc_auc_score(clips.fake, clips.scores[:, 0])), 3)


def _unmeasured(network: FramingNetwork) -> tuple[float, Figures]:
    """Measure nothing: the last checkpoint is used."""
    return 0.0, {}
