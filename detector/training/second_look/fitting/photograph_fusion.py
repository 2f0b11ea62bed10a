"""Fit and measure how photographs are judged: two halves of their own, of which the larger counts.

They are fitted on the stills of role ``val`` and on one frame of each develop clip, so that a picture taken
from a video is judged as well, and measured once on the stills of role ``test``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from detector.models.card import PhotographFusion, SecondLookCard
from detector.networks.framings import FramingNetwork
from detector.schema.analysis import Parameters
from detector.scoring.fusion import Floats, Fusion, Half
from detector.scoring.scorer import Scorer, logit_of
from detector.training.publish.error_rates import counted_rate
from detector.training.second_look.examples.kinds import COMPOSITE, PICTURE, TALKING_HEAD
from detector.training.second_look.examples.patches import Patch, load
from detector.training.second_look.fitting import fusion
from detector.training.second_look.fitting.exhibits import DOUBTED, FLAGGED, probability_for
from detector.training.second_look.fitting.fusion import Flags
from detector.training.second_look.fitting.report import fusion_columns

ALTERED, SYNTHESISED = (0, 1, 3), (4,)  # of INPUTS
_GENERATED = (PICTURE, TALKING_HEAD)
_TEST = "stills test"


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
            fusion_columns(network, scorer, patches),
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
    report: Callable[[str], None],
) -> SecondLookCard:
    """``card`` with the fusion for photographs and its figures; patches lie below ``out``."""
    stills, clips = load(out, "stills"), load(out, "clips") + load(out, "videos")
    chosen = [patch for patch in stills if patch.role == "val"]
    frames = first_of_each([patch for patch in clips if patch.role == "develop"])
    found = fit_photographs(Pictures.of([*chosen, *frames], scorer, network), parameters)
    judged = card.model_copy(update={"photographs": found})
    tested = Pictures.of([patch for patch in stills if patch.role == "test"], scorer, network)
    published = Fusion.of(judged, still=True).logit(tested.inputs)
    flagged = published >= logit_of(parameters.enter_threshold)
    figures, rates = dict(card.figures), list(card.rates)
    real = ~tested.fake
    for name, kind in (("generated", tested.are(PICTURE)), ("composites", tested.are(COMPOSITE))):
        auc = float(roc_auc_score(tested.fake[real | kind], published[real | kind]))
        figures[f"{_TEST}, AUC, {name}"] = round(auc, 4)
        figures[f"{_TEST}, flagged, {name}"] = round(float(flagged[kind].mean()), 4)
        report(f"{_TEST}, {name}: AUC {auc:.3f}, flagged {flagged[kind].sum()} of {kind.sum()}")
    report(f"{_TEST}, photographs flagged: {flagged[real].sum()} of {real.sum()}")
    for figure, events in (("false positive rate", flagged[real]), ("false negative rate", ~flagged[~real])):
        count = int(events.sum())
        note = f"fitted on stills of role val and {len(frames)} frames of develop clips"
        rates.append(
            counted_rate(
                figure, count, len(events), data=_TEST, unit="photographs", groups=len(events), note=note
            )
        )
    return judged.model_copy(update={"figures": figures, "rates": tuple(rates)})


def fit_photographs(pictures: Pictures, parameters: Parameters) -> PhotographFusion:
    """Both halves, and the scaling that flags few unmanipulated ones at the thresholds of ``parameters``."""
    generated = pictures.are(*_GENERATED)

    def half(columns: tuple[int, ...], fakes: Flags) -> Half:
        kept = ~pictures.fake | fakes
        return fusion.fit_half(columns, pictures.inputs[kept], pictures.fake[kept])

    altered = half(ALTERED, pictures.fake & ~generated)
    synthesised = half(SYNTHESISED, pictures.fake & generated)
    larger = Fusion(altered, synthesised, larger=True).logit(pictures.inputs)
    flagged, doubted = (fusion.threshold_for(larger, pictures.fake, share) for share in (FLAGGED, DOUBTED))
    return PhotographFusion(
        altered=fusion.half_of_card(altered),
        synthesised=fusion.half_of_card(synthesised),
        probability=probability_for(flagged, doubted, parameters),
    )


def first_of_each(patches: Sequence[Patch]) -> list[Patch]:
    """The first patch of each file."""
    return list({patch.file: patch for patch in reversed(patches)}.values())
