"""Error rates and validated ranges that model cards publish, from the levels of an evaluation.

They are built from ``levels`` of ``metrics.json``, so that published figures need no new measurement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from detector.schema.analysis import Range, Rate
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


_SMALL_CROPS = N_("crops reduced to 48 px lose %(lost)s of AUC; faces of the clips were 78 to 340 px wide")


# What the validation data covered and where the AUC over single faces falls by no more than 0.1, by the
# figures of the cards and docs/faces.md. Said of the second generation and of models trained as it was; what
# the shipped scan's card says is VALIDATED_WITH_SECOND_LOOK (training/second_look/scan.py).
VALIDATED = (
    Range(name="face width", unit="px", least=48, most=340, basis=_SMALL_CROPS % {"lost": "0.04"}),
    Range(name="contrast", unit="levels", least=16, most=75,
          basis=N_("half as bright (16) loses 0.05 of AUC, a quarter (8) 0.16; the clips had up to 74")),
    Range(name="sharpness", unit="", least=0.045, most=0.15,
          basis=N_("blur to 0.047 loses 0.09 of AUC, to 0.030 0.19; noise to 0.11 loses 0.04, to 0.20 0.15")),
    Range(name="tilt", unit="°", least=0, most=19, basis=N_("the clips' faces leaned by 0 to 19°")),
    Range(name="grey faces", unit="share", least=0, most=0,
          basis=N_("no black-and-white material was measured")),
    Range(name="other codecs", unit="", least=0, most=0,
          basis=N_("the clips were H.264, a few MPEG-4; HEVC, VP9 and AV1 raise scores of unmanipulated "
                   "footage")),
    Range(name="shorter side", unit="px", least=224, most=1080, basis=N_("the clips had 224 to 1,080 px")),
    Range(name="bits per pixel", unit="", least=0.0037, most=0.35,
          basis=N_("the clips had 0.0037 (FaceForensics++ c40) to 0.34; x264's crf 40 loses 0.03 of AUC")),
    Range(name="frame rate", unit="frames/s", least=23.9, most=30.1,
          basis=N_("the clips had 23.98 to 30, but for two")),
    Range(name="JPEG quality", unit="", least=30, most=100,
          basis=N_("quality 30 loses 0.01 of AUC, quality 10 0.11")),
    Range(name="still images", unit="", least=None, most=None,
          basis=N_("crops of video frames were measured as stills; whole photographs were not")),
)  # fmt: skip


_LOST_BY_SMALL_CROPS = re.compile(r"(?<=^crops reduced to 48 px lose )[\d.]+")


def with_own_loss(validated: Sequence[Range], figures: Mapping[str, float]) -> tuple[Range, ...]:
    """Insert a model's own loss of AUC on small crops, from its ``figures``, into ``validated``."""
    full, small = (figures.get(f"dfdc-val crops{reduced}, AUC") for reduced in ("", " reduced to 48 px"))
    if full is None or small is None:
        return tuple(validated)
    lost = f"{full - small:.2f}"
    return tuple(
        card_range.model_copy(update={"basis": _LOST_BY_SMALL_CROPS.sub(lost, card_range.basis)})
        for card_range in validated
    )


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
