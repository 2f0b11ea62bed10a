"""Heads for photographs, and how well they tell generators and sources that were left out.

A studio portrait of a plain background and even light must not be the sign of a generated one: real ones of
many sources are learnt from, and twins of photographs, which share all of that with their originals. Part of
what the shipped heads said is kept, which know StyleGAN better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.unseen.evaluation import auc
from training.unseen.families import COMPOSITE, EDIT, LIPS, PORTRAIT, REAL, SWAP, TALKING, VIDEO
from training.unseen.features import FeatureSet
from training.unseen.heads import LinearHead, mean_of
from training.unseen.linear import Standardisation, regression
from training.unseen.samples import Sample

STRENGTH = 1e-3
"""C of the regressions, for weights that add up to 5,000."""
GENERATED = frozenset({REAL, PORTRAIT, TALKING, VIDEO})
ALTERED_KINDS = frozenset({REAL, COMPOSITE, SWAP, EDIT, LIPS})
"""Kinds that each of both heads learns from."""
GENERATORS = (
    ("StyleGAN1",),
    ("StyleGAN2",),
    ("FLUX with LoRA", "InfiniteYou"),
    ("Kolors", "SDXL", "Midjourney", "GPT-4o"),
)
"""Generators that are left out together."""
_CLIPS, _CLIPS_WITH_TWINS, _TWINS = 0.3, 0.2, 0.5  # shares of the weight
_SHARES = (0.4, 0.4, 0.2)  # of heads without twins, with twins, and of footage, in spreads
_CLIP_FRAMES = 2  # of each training clip
_SOURCE_FOLDS = 5


@dataclass(frozen=True)
class Pictures:
    """What heads for photographs are fitted on; ``twins`` are of heads in clips and in photographs."""

    photographs: FeatureSet
    resaved: FeatureSet
    clips: FeatureSet
    twins: FeatureSet

    def learnable(self, outside: Callable[[Sample], bool] = lambda sample: False) -> Pictures:
        """Those of role ``train`` that are not ``outside``, and the first frames of each clip."""
        seen: Counter[str] = Counter()
        first = []
        for sample in self.clips.samples:
            seen[sample.file] += 1
            first.append(sample.role == "train" and seen[sample.file] <= _CLIP_FRAMES)

        def kept(of: FeatureSet) -> FeatureSet:
            return of.of(np.array([s.role == "train" and not outside(s) for s in of.samples]))

        clips = self.clips.of(np.array(first))
        return Pictures(kept(self.photographs), kept(self.resaved), clips, kept(self.twins))


def source_of(sample: Sample) -> str:
    """Where an unmanipulated photograph is from."""
    if sample.source == "stills":
        return sample.group.rsplit("-", 1)[0]
    return sample.origin if sample.source == "photos2" else sample.source


def head(pictures: Pictures, kinds: frozenset[str], twins: bool) -> LinearHead:
    """A head on samples of ``kinds``, with or without twins."""
    sets = [pictures.photographs, pictures.resaved, pictures.clips, *([pictures.twins] if twins else [])]
    whole = sum(sets[1:], sets[0])
    whole = whole.of(np.array([sample.kind in kinds for sample in whole.samples]))
    own = np.array([sample.pair < 0 for sample in whole.samples])
    standardisation = Standardisation(whole.features[own])
    shares = (_CLIPS_WITH_TWINS, _TWINS) if twins else (_CLIPS, 0.0)
    labels = np.array([sample.fake for sample in whole.samples])
    weight, bias = regression(
        standardisation(whole.features), labels, _weights(whole.samples, *shares), STRENGTH
    )
    return LinearHead(weight, bias, standardisation.centre, standardisation.spread)


def generated_head(pictures: Pictures, footage: LinearHead) -> LinearHead:
    """What a photograph's head says of synthesis: heads without and with twins, and that of ``footage``."""
    parts = [head(pictures, GENERATED, twins=False), head(pictures, GENERATED, twins=True), footage]
    of = pictures.photographs
    real = of.features[np.array([not sample.fake for sample in of.samples])]
    spreads = [float(part(real).std()) for part in parts]
    return mean_of(parts, [share * spreads[0] / own for share, own in zip(_SHARES, spreads, strict=True)])


def altered_head(pictures: Pictures) -> LinearHead:
    """What it says of alteration: composites, and frames of altered faces."""
    return head(pictures, ALTERED_KINDS, twins=False)


def left_out(pictures: Pictures, footage: LinearHead) -> Iterator[tuple[str, float, int]]:
    """AUC of each row of :data:`GENERATORS`, told from unmanipulated photographs of sources left out as well.

    With the number of its pictures, of every role but ``test``. Each fifth of the sources in turn is left
    out; AUC are averaged by its number of photographs.
    """
    samples = pictures.photographs.samples
    shown = np.array([sample.role != "test" for sample in samples])
    folds = _source_folds([s for s, keep in zip(samples, shown, strict=True) if keep and not s.fake])
    for names in GENERATORS:
        fake = shown & np.array([sample.family in names for sample in samples])
        areas, counts = [], []
        for fold in range(_SOURCE_FOLDS):
            outside = _outside(names, folds, fold)
            model = generated_head(pictures.learnable(outside), footage)
            real = shown & np.array([not s.fake and folds.get(source_of(s)) == fold for s in samples])
            given = model(pictures.photographs.features)
            areas.append(auc(given[fake], given[real]))
            counts.append(int(real.sum()))
        yield ", ".join(names), float(np.average(areas, weights=counts)), int(fake.sum())


def _outside(names: Sequence[str], folds: dict[str, int], fold: int) -> Callable[[Sample], bool]:
    def outside(sample: Sample) -> bool:
        photograph = sample.source not in {"clips", "videos"}
        return sample.family in names or (
            photograph and sample.family == REAL and folds.get(source_of(sample)) == fold
        )

    return outside


def _source_folds(samples: Sequence[Sample]) -> dict[str, int]:
    """The fold of each source; larger ones first, each where fewest photographs are."""
    total = [0] * _SOURCE_FOLDS
    folds = {}
    for source, count in sorted(Counter(map(source_of, samples)).items(), key=lambda row: (-row[1], row[0])):
        folds[source] = int(np.argmin(total))
        total[folds[source]] += count
    return folds


def _weights(samples: Sequence[Sample], clips: float, twins: float) -> NDArray[np.float64]:
    """Weights (n,): classes alike within photographs, clips and twins; families and sources by the root of
    their number."""
    parts = np.array([_part(sample) for sample in samples])
    fake = np.array([sample.fake for sample in samples])
    keys = [
        (part, sample.family if sample.fake else source_of(sample) if part == "photograph" else sample.group)
        for part, sample in zip(parts.tolist(), samples, strict=True)
    ]
    counts = Counter(keys)
    weights = np.array([1.0 if key[0] == "twin" else counts[key] ** -0.5 for key in keys])
    for part, share in (("twin", twins), ("clip", clips), ("photograph", 1 - twins - clips)):
        for label in (fake, ~fake):
            rows = (parts == part) & label
            if rows.any():
                weights[rows] *= share / 2 / weights[rows].sum()
    return weights * len(samples) / weights.sum()


def _part(sample: Sample) -> str:
    if sample.pair >= 0:
        return "twin"
    return "clip" if sample.source in {"clips", "videos"} else "photograph"
