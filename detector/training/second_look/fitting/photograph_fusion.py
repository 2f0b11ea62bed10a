"""Fit and measure how photographs are judged: two halves of their own, of which the larger counts.

They are fitted on the stills of role ``val``, as they are and as a messenger hands them on, and on one frame
of each develop clip, so that a picture taken from a video is judged as well; and measured once on the stills
of role ``test``. The published probability is the share of manipulated ones where both classes are equally
frequent; it is held back only where unmanipulated pictures would reach a threshold more often than they may.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from sklearn.metrics import roc_auc_score

from detector.faces.framing import Box
from detector.faces.patch import decode
from detector.models.card import Bound, PhotographFusion, SecondLookCard
from detector.networks.framing_network import FramingNetwork
from detector.networks.readings import PHOTOGRAPH
from detector.progress import ReportText
from detector.schema.analysis import Parameters
from detector.schema.logistic import logit_of, sigmoid
from detector.scoring.fusion import Floats, Fusion, Half
from detector.scoring.scorer import Scorer
from detector.training.publish.calibration import expected_calibration_error
from detector.training.publish.error_rates import counted_rate
from detector.training.second_look.examples.kinds import COMPOSITE, PICTURE, TALKING_HEAD
from detector.training.second_look.examples.patches import Patch, load
from detector.training.second_look.fitting import fusion
from detector.training.second_look.fitting.fusion import Flags
from detector.training.second_look.fitting.inputs import fusion_columns
from detector.training.second_look.fitting.thresholds import DOUBTED

ALTERED, SYNTHESISED = (0, 1, 3), (4,)  # of FUSION_INPUTS
_GENERATED = (PICTURE, TALKING_HEAD)
_FLAGGED = 0.02  # of the unmanipulated pictures; other photographs differ more than other clips
TEST, HANDED_ON = "stills test", "stills test at half size, JPEG 60"


@dataclass(frozen=True)
class Pictures:
    """Inputs (n, 5) of the fusion, and what the pictures are."""

    inputs: Floats
    fake: Flags
    family: tuple[str, ...]

    @classmethod
    def of(cls, patches: Sequence[Patch], scorer: Scorer, network: FramingNetwork) -> Pictures:
        """What both networks say of ``patches``."""
        return cls(
            fusion_columns(network, scorer, patches, PHOTOGRAPH),
            np.array([patch.fake for patch in patches]),
            tuple(patch.family for patch in patches),
        )

    def are(self, *families: str) -> Flags:
        """Which of them are of one of ``families``."""
        return np.isin(self.family, families)


def photographs_card(
    scorer: Scorer,
    network: FramingNetwork,
    card: SecondLookCard,
    out: Path,
    parameters: Parameters,
    report: ReportText,
) -> SecondLookCard:
    """``card`` with the fusion for photographs and its figures; patches lie below ``out``."""
    stills, clips = load(out, "stills"), load(out, "clips") + load(out, "videos")
    chosen = [patch for patch in stills if patch.role == "val"]
    frames = first_of_each([patch for patch in clips if patch.role == "develop"])
    chosen += [as_handed_on(patch) for patch in chosen]
    found = fit_photographs(Pictures.of([*chosen, *frames], scorer, network), parameters)
    judged = card.model_copy(update={"photographs": found})
    stills = [patch for patch in stills if patch.role == "test"]
    tested = Pictures.of(stills, scorer, network)
    handed_on = Pictures.of([as_handed_on(patch) for patch in stills], scorer, network)
    note = f"fitted on stills of role val, twice each, and {len(frames)} frames of develop clips"
    judged = measured_photographs(judged, tested, TEST, parameters, report)
    judged = measured_photographs(judged, handed_on, HANDED_ON, parameters, report)
    flagged, real = _published(judged, tested) >= logit_of(parameters.enter_threshold), ~tested.fake
    rates = list(card.rates)
    for figure, events in (("false positive rate", flagged[real]), ("false negative rate", ~flagged[~real])):
        count, of = int(events.sum()), len(events)
        rates.append(counted_rate(figure, count, of, data=TEST, unit="photographs", groups=of, note=note))
    return judged.model_copy(update={"rates": tuple(rates)})


def measured_photographs(
    card: SecondLookCard,
    pictures: Pictures,
    name: str,
    parameters: Parameters,
    report: ReportText,
) -> SecondLookCard:
    """``card`` with the figures of its rule for photographs on ``pictures``, called ``name``."""
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


def as_handed_on(patch: Patch) -> Patch:
    """The picture at half its size, saved as JPEG of quality 60, as a messenger would hand it on."""
    image = decode(patch.data)
    half = cv2.resize(image, (patch.width // 2, patch.height // 2), interpolation=cv2.INTER_AREA)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 60]
    data = cv2.imencode(".jpg", cv2.cvtColor(half, cv2.COLOR_RGB2BGR), quality)[1].tobytes()
    box = None if patch.box is None else cast(Box, tuple(edge / 2 for edge in patch.box))
    return dataclasses.replace(patch, data=data, width=half.shape[1], height=half.shape[0], box=box)


def _published(card: SecondLookCard, pictures: Pictures) -> Floats:
    return Fusion.of(card, still=True).logit(pictures.inputs)


def fit_photographs(pictures: Pictures, parameters: Parameters) -> PhotographFusion:
    """Both halves, the scaling, and the bounds that let few unmanipulated ones reach the thresholds of
    ``parameters``."""
    generated = pictures.are(*_GENERATED)

    def half(columns: tuple[int, ...], fakes: Flags) -> Half:
        kept = ~pictures.fake | fakes
        return fusion.fit_half(columns, pictures.inputs[kept], pictures.fake[kept])

    altered = half(ALTERED, pictures.fake & ~generated)
    synthesised = half(SYNTHESISED, pictures.fake & generated)
    formula = Fusion(altered, synthesised, larger=True)
    larger = formula.logit(pictures.inputs)
    bounds = tuple(
        Bound(at=fusion.smooth_threshold_for(larger, pictures.fake, share), published=logit_of(probability))
        for share, probability in (
            (DOUBTED, parameters.doubt_threshold),
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


def first_of_each(patches: Sequence[Patch]) -> list[Patch]:
    """The first patch of each file."""
    return list({patch.file: patch for patch in reversed(patches)}.values())
