"""Error rates and validated ranges that model cards publish, from the levels of an evaluation.

They are built from ``levels`` of ``metrics.json``, so that published figures need no new measurement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detector.schema.analysis import Range, Rate
from detector.schema.causes.cards import CardCode
from detector.schema.causes.cause import Cause
from detector.schema.formatting import N_
from detector.schema.model import LEARNT
from detector.statistics.error_rates import BOOTSTRAP, BOOTSTRAP_OF_ERROR, EXACT, clopper_pearson

NOTES = {
    "develop clips": N_("thresholds were chosen on these clips, so the figures flatter"),
    "frames of develop clips": N_("thresholds were chosen on these clips, so the figures flatter"),
    "dfdc-val crops": N_("calibration and the choice of weights used these crops"),
    "dfdc-test crops": N_("chose nothing; but actors recur in the training data"),
}


# The unit of each kind of data; other levels are parts of these.
_LEVELS = {
    "develop clips": "clips",
    "dfdc-test crops": "crops",
    "dfdc-val crops": "crops",
    "frames of develop clips": "frames",
    "clips": "clips",
    "photographs": "photographs",
    "crops": "crops",
}


# What the validation data covered and where the AUC over single faces falls by no more than 0.1, by the
# figures of the cards and docs/faces.md. Said of the second generation and of models trained as it was; what
# the shipped scan's card says is VALIDATED_WITH_SECOND_LOOK (training/second_look/scan.py).
VALIDATED = (
    Range(name="face width", unit="px", least=48, most=340,
          cause=CardCode.RANGE_WIDTH.cause(lost=0.04)),
    Range(name="contrast", unit="levels", least=16, most=75,
          cause=CardCode.RANGE_CONTRAST.cause()),
    Range(name="sharpness", unit="", least=0.045, most=0.15,
          cause=CardCode.RANGE_SHARPNESS.cause()),
    Range(name="tilt", unit="°", least=0, most=19,
          cause=CardCode.RANGE_TILT.cause()),
    Range(name="grey faces", unit="share", least=0, most=0,
          cause=CardCode.RANGE_GREY.cause()),
    Range(name="other codecs", unit="", least=0, most=0,
          cause=CardCode.RANGE_CODECS.cause()),
    Range(name="shorter side", unit="px", least=224, most=1080,
          cause=CardCode.RANGE_SIDE.cause()),
    Range(name="bits per pixel", unit="", least=0.0037, most=0.35,
          cause=CardCode.RANGE_BITS.cause()),
    Range(name="frame rate", unit="frames/s", least=23.9, most=30.1,
          cause=CardCode.RANGE_FRAME_RATE.cause()),
    Range(name="JPEG quality", unit="", least=30, most=100,
          cause=CardCode.RANGE_JPEG.cause()),
    Range(name="still images", unit="", least=None, most=None,
          cause=CardCode.RANGE_STILLS.cause()),
)  # fmt: skip


def with_own_loss(validated: Sequence[Range], figures: Mapping[str, float]) -> tuple[Range, ...]:
    """Insert a model's own loss of AUC on small crops, from its ``figures``, into ``validated``."""
    full, small = (figures.get(f"dfdc-val crops{reduced}, AUC") for reduced in ("", " reduced to 48 px"))
    if full is None or small is None:
        return tuple(validated)
    cause = CardCode.RANGE_WIDTH.cause(lost=round(full - small, 2))
    return tuple(
        card_range.model_copy(update={"cause": cause, "basis": cause.text})
        if card_range.cause and card_range.cause.code == cause.code
        else card_range
        for card_range in validated
    )


def range_cause(code: CardCode) -> dict[str, Cause | str | float]:
    """Return the fields that say on what material a range rests."""
    return {"basis": code.cause().text, "cause": code.cause()}


def measured_rates(levels: Mapping[str, Mapping[str, Any]], learnt: bool = False) -> tuple[Rate, ...]:
    """Return error rates, AUC and calibration error of each known level of an evaluation.

    ``levels`` are those of ``metrics.json``; ``learnt`` says that the model was trained on some of the data.
    """
    rates = []
    for data, unit in _LEVELS.items():
        level = levels.get(data)
        if level is None or not level["figures"]:
            continue
        note = LEARNT if learnt else NOTES.get(data)
        rates += _decisions(data, unit, level, note)
        for figure in ("AUC", "expected calibration error"):
            value = level["figures"][figure]
            rates.append(
                Rate(
                    figure=figure,
                    data=data,
                    value=value["value"],
                    low=value["from"],
                    high=value["to"],
                    interval=BOOTSTRAP if figure == "AUC" else BOOTSTRAP_OF_ERROR,
                    items=level["items"],
                    unit=unit,
                    groups=level["groups"],
                    note=note,
                )
            )
    return tuple(rates)


def _decisions(data: str, unit: str, level: Mapping[str, Any], note: str | None) -> list[Rate]:
    """Return both error rates of a level.

    Clips rarely repeat a source, so they are counted exactly, like photographs that never repeat one. Other
    data is resampled by source, except for rates of 0 or 1, whose resampled interval has no width.
    """
    counts, figures = level["confusion"], level["figures"]
    recall = figures["recall"]
    by_verdict = unit in {"clips", "photographs"}
    exact = unit == "clips" or (by_verdict and level["groups"] == level["items"])
    figures_of_both = (
        ("false positive rate", counts["fp"], counts["fp"] + counts["tn"],
         figures["false positive rate"]["from"], figures["false positive rate"]["to"]),
        ("false negative rate", counts["fn"], counts["fn"] + counts["tp"],
         _rest(recall["to"]), _rest(recall["from"])),
    )  # fmt: skip
    rates = []
    for figure, events, items, low, high in figures_of_both:
        interval = BOOTSTRAP
        if exact or events in {0, items} or low is None or high is None:
            interval, (low, high) = EXACT, clopper_pearson(events, items)
        rates.append(
            Rate(
                figure=figure,
                data=data,
                value=round(events / items, 4),
                low=round(low, 4),
                high=round(high, 4),
                interval=interval,
                items=items,
                unit=unit,
                events=events,
                groups=level["groups"],
                threshold=None if by_verdict else level["threshold"],
                note=note,
            )
        )
    return rates


def _rest(share: float | None) -> float | None:
    return None if share is None else 1 - share
