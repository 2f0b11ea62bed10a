"""Fit and measure the fusion for photographs, and the scan's calibration on ready-made crops.

Photographs are judged by two halves of their own, of which the larger counts. They are fitted on the stills
of role ``val`` and portraits of other sources, as they are and as messengers share them, and measured once on
the stills of role ``test``. The published probability is the share of
manipulated ones if both classes are equally frequent; it is held back only where unmanipulated pictures would
reach a threshold too often.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from detector.faces.crop import Box
from detector.faces.patch import decode_jpeg
from detector.models.card import Bound, PhotographFusion, SecondLookCard
from detector.models.loaded import LoadedModel
from detector.networks.graphs import PHOTOGRAPH
from detector.networks.vit_small_14 import FramingNetwork
from detector.progress import ReportText
from detector.schema.analysis import Parameters
from detector.schema.model import Platt
from detector.schema.scores import logit_of, sigmoid
from detector.scoring.fusion import Floats, Fusion, Half
from detector.scoring.scorer import CropScorer, Scorer
from detector.statistics.error_rates import counted_rate
from detector.statistics.metrics import expected_calibration_error
from training.second_look.examples.patches import COMPOSITE, PICTURE, TALKING_HEAD, Patch, load
from training.second_look.fitting import fusion
from training.second_look.fitting.fusion import Flags
from training.second_look.fitting.patch_scores import fusion_columns

ALTERED, SYNTHESISED = (0, 1, 3), (4,)  # of FUSION_INPUTS
_GENERATED = (PICTURE, TALKING_HEAD)
# Of unmanipulated pictures: flagged, and flagged or in doubt; photographs vary more than clips
_FLAGGED, _DOUBTED = 0.02, 0.10
PORTRAITS = "photos2"
TEST, HANDED_ON = "stills test", "stills test at half size, JPEG 60"


@dataclass(frozen=True)
class PhotographScores:
    """Inputs (n, 5) of the fusion with labels and families of pictures."""

    inputs: Floats
    fake: Flags
    family: tuple[str, ...]

    @classmethod
    def of(cls, patches: Sequence[Patch], scorer: Scorer, network: FramingNetwork) -> PhotographScores:
        """Score ``patches`` with both networks."""
        return cls(
            fusion_columns(network, scorer, patches, PHOTOGRAPH),
            np.array([patch.fake for patch in patches]),
            tuple(patch.family for patch in patches),
        )

    def are(self, *families: str) -> Flags:
        """Flag pictures of one of ``families``."""
        return np.isin(self.family, families)


def photographs_card(
    scorer: Scorer,
    network: FramingNetwork,
    card: SecondLookCard,
    out: Path,
    parameters: Parameters,
    report: ReportText,
) -> SecondLookCard:
    """Add the fusion for photographs and its figures to ``card``; patches lie below ``out``."""
    stills = load(out, "stills")
    chosen = [patch for patch in stills if patch.role == "val"]
    chosen += [patch for patch in load(out, PORTRAITS) if patch.role == "develop"]
    chosen += [as_shared(patch) for patch in chosen]
    rule = fit_photographs(PhotographScores.of(chosen, scorer, network), parameters)
    judged = card.model_copy(update={"photographs": rule})
    stills = [patch for patch in stills if patch.role == "test"]
    tested = PhotographScores.of(stills, scorer, network)
    handed_on = PhotographScores.of([as_shared(patch) for patch in stills], scorer, network)
    note = "fitted on stills of role val and other portraits, twice each"
    judged = measure_photographs(judged, tested, TEST, parameters, report)
    judged = measure_photographs(judged, handed_on, HANDED_ON, parameters, report)
    flagged, real = _published(judged, tested) >= logit_of(parameters.enter_threshold), ~tested.fake
    rates = list(card.rates)
    for figure, events in (("false positive rate", flagged[real]), ("false negative rate", ~flagged[~real])):
        count, of = int(events.sum()), len(events)
        rates.append(counted_rate(figure, count, of, data=TEST, unit="photographs", groups=of, note=note))
    return judged.model_copy(update={"rates": tuple(rates)})


def measure_photographs(
    card: SecondLookCard,
    pictures: PhotographScores,
    name: str,
    parameters: Parameters,
    report: ReportText,
) -> SecondLookCard:
    """Add figures of its rule for photographs on ``pictures``, called ``name``, to ``card``."""
    formula, figures, real = Fusion.of(card, still=True), dict(card.figures), ~pictures.fake
    published = formula.logit(pictures.inputs)
    altered, synthesised = formula.halves(pictures.inputs)
    flagged = published >= logit_of(parameters.enter_threshold)
    for kind, family, answer in (("generated", PICTURE, synthesised), ("composites", COMPOSITE, altered)):
        of = pictures.are(family)
        kept = real | of
        auc, own = (float(roc_auc_score(pictures.fake[kept], some[kept])) for some in (published, answer))
        figures[f"{name}, AUC, {kind}"] = round(auc, 4)
        figures[f"{name}, AUC of the answer about them, {kind}"] = round(own, 4)
        figures[f"{name}, flagged, {kind}"] = round(float(flagged[of].mean()), 4)
        report(f"{name}, {kind}: AUC {auc:.3f} ({own:.3f}), flagged {flagged[of].sum()} of {of.sum()}")
    error = expected_calibration_error(pictures.fake, sigmoid(published))
    figures[f"{name}, flagged, photographs"] = round(float(flagged[real].mean()), 4)
    figures[f"{name}, expected calibration error"] = round(error, 4)
    report(f"{name}, photographs flagged: {flagged[real].sum()} of {real.sum()}; ECE {error:.3f}")
    return card.model_copy(update={"figures": figures})


def as_shared(patch: Patch) -> Patch:
    """Return the picture at half its size, saved as JPEG of quality 60, as messengers share it."""
    image = decode_jpeg(patch.data)
    half = cv2.resize(image, (patch.width // 2, patch.height // 2), interpolation=cv2.INTER_AREA)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 60]
    data = cv2.imencode(".jpg", cv2.cvtColor(half, cv2.COLOR_RGB2BGR), quality)[1].tobytes()
    box = None if patch.box is None else cast(Box, tuple(edge / 2 for edge in patch.box))
    return dataclasses.replace(patch, data=data, width=half.shape[1], height=half.shape[0], box=box)


def _published(card: SecondLookCard, pictures: PhotographScores) -> Floats:
    return Fusion.of(card, still=True).logit(pictures.inputs)


def fit_photographs(pictures: PhotographScores, parameters: Parameters) -> PhotographFusion:
    """Fit both halves, the scaling, and bounds by which few unmanipulated pictures reach the thresholds."""
    generated = pictures.are(*_GENERATED)

    def half(columns: tuple[int, ...], fakes: Flags) -> Half:
        kept = ~pictures.fake | fakes
        return fusion.fit_half(columns, pictures.inputs[kept], pictures.fake[kept])

    altered = half(ALTERED, pictures.fake & ~generated)
    synthesised = half(SYNTHESISED, pictures.fake & generated)
    formula = Fusion(altered, synthesised)
    larger = formula.logit(pictures.inputs)
    bounds = tuple(
        Bound(at=fusion.smooth_threshold_for(larger, pictures.fake, share), published=logit_of(probability))
        for share, probability in (
            (_DOUBTED, parameters.doubt_threshold),
            (_FLAGGED, parameters.enter_threshold),
        )
    )
    return PhotographFusion(
        altered=fusion.half_of_card(altered),
        synthesised=fusion.half_of_card(synthesised),
        probability=fusion.platt(larger, pictures.fake),
        bounds=bounds,
        agreement=fusion.agreement(formula, pictures.inputs),
    )


_NAMES = {"dfdc": "dfdc-test crops", "ffpp": "ffpp-crops test"}
_BATCH = 100
_NOTE = "calibrated on validation crops of the same sets"

LabelledLogits = tuple[Floats, NDArray[np.bool_]]
"""Logits (n,) and labels (n,)."""


def crops_card(
    model: LoadedModel,
    card: SecondLookCard,
    out: Path,
    parameters: Parameters,
    report: ReportText,
) -> SecondLookCard:
    """Add the calibration of ``model`` for crops and its figures to ``card``; patches lie below ``out``.

    It is calibrated on validation crops of DFDC and FaceForensics++ and measured once on their test crops.
    """
    scorer = CropScorer(model)
    of = {source: load(out, source) for source in _NAMES}
    chosen = {source: [p for p in patches if p.role == "val"] for source, patches in of.items()}
    platt = fit_crop_calibration([_scores(scorer, some) for some in chosen.values()])
    report(f"crops: {platt}")
    figures, rates = dict(card.figures), list(card.rates)
    for source, name in _NAMES.items():
        tested = [patch for patch in of[source] if patch.role == "test"]
        given, fake = _scores(scorer, tested)
        logits = platt.scale * given + platt.offset
        error = expected_calibration_error(fake, sigmoid(logits))
        figures[f"{name}, AUC"] = round(float(roc_auc_score(fake, logits)), 4)
        figures[f"{name}, expected calibration error"] = round(error, 4)
        report(f"{name}: {figures[f'{name}, AUC']}")
        groups = len({patch.group for patch in tested})
        flagged = logits >= logit_of(parameters.enter_threshold)
        for figure, events in (
            ("false positive rate", flagged[~fake]),
            ("false negative rate", ~flagged[fake]),
        ):
            count = int(events.sum())
            rate = counted_rate(
                figure, count, len(events), data=name, unit="crops", groups=groups, note=_NOTE
            )
            rates.append(rate)
    return card.model_copy(update={"crops": platt, "figures": figures, "rates": tuple(rates)})


def fit_crop_calibration(sets: Sequence[LabelledLogits]) -> Platt:
    """Fit a Platt scaling with equal weight of all ``sets`` and of both classes of each."""
    weights = [np.where(fake, 0.5 / fake.mean(), 0.5 / (~fake).mean()) / len(fake) for _, fake in sets]
    logits, labels = (np.concatenate(part) for part in zip(*sets, strict=True))
    sample_weight = np.concatenate(weights) * len(labels) / len(sets)
    model = LogisticRegression(C=10.0).fit(logits[:, None], labels, sample_weight=sample_weight)
    return Platt(scale=float(model.coef_[0, 0]), offset=float(model.intercept_[0]))


def _scores(scorer: CropScorer, patches: Sequence[Patch]) -> LabelledLogits:
    pieces = [patches[i : i + _BATCH] for i in range(0, len(patches), _BATCH)]
    logits = np.concatenate([scorer.logits([decode_jpeg(p.data) for p in some]) for some in pieces])
    return logits, np.array([patch.fake for patch in patches])
