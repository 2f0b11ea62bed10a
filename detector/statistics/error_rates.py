"""Error rates with 95 % intervals, for model cards and for a laboratory's validation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from detector.schema.analysis import Range, Rate
from detector.schema.formatting import N_
from detector.schema.model import LEARNT
from detector.statistics.metrics import Scored, draws, interval

EXACT = N_("Clopper–Pearson, each taken as independent")
BOOTSTRAP = N_("bootstrap over sources")
# An error that is never negative only grows by chance, so resampled ones lean high.
BOOTSTRAP_OF_ERROR = N_("bootstrap over sources, which leans high for this figure")
NOTES = {
    "develop clips": N_("thresholds were chosen on these clips, so the figures flatter"),
    "frames of develop clips": N_("thresholds were chosen on these clips, so the figures flatter"),
    "dfdc-val crops": N_("calibration and the choice of weights used these crops"),
    "dfdc-test crops": N_("chose nothing; but actors recur in the training data"),
}
# What is counted on each kind of data; other levels are parts of these.
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
    """``validated`` with what small crops lose of AUC by a model's own ``figures``, if these say it."""
    whole, small = (figures.get(f"dfdc-val crops{reduced}, AUC") for reduced in ("", " reduced to 48 px"))
    if whole is None or small is None:
        return tuple(validated)
    lost = f"{whole - small:.2f}"
    return tuple(
        each.model_copy(update={"basis": _LOST_BY_SMALL_CROPS.sub(lost, each.basis)}) for each in validated
    )


def measured_rates(levels: Mapping[str, Mapping[str, Any]], learnt: bool = False) -> tuple[Rate, ...]:
    """False positive and false negative rate, AUC and calibration error of each level that is there.

    ``learnt`` says that the model learnt from some of it.
    """
    found = []
    for data, unit in _LEVELS.items():
        level = levels.get(data)
        if level is None or not level["figures"]:
            continue
        note = LEARNT if learnt else NOTES.get(data)
        found += _decisions(data, unit, level, note)
        for figure in ("AUC", "expected calibration error"):
            value = level["figures"][figure]
            found.append(
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
    return tuple(found)


def _decisions(data: str, unit: str, level: Mapping[str, Any], note: str | None) -> list[Rate]:
    """Both error rates. Clips are few and hardly repeat: counted exactly, as photographs if none repeats.

    All else goes by source. A resampled rate of none at all has no width, so that goes by count too.
    """
    counts, figures = level["confusion"], level["figures"]
    recall = figures["recall"]
    by_verdict = unit in {"clips", "photographs"}
    exact = unit == "clips" or (by_verdict and level["groups"] == level["items"])
    both = (
        ("false positive rate", counts["fp"], counts["fp"] + counts["tn"],
         figures["false positive rate"]["from"], figures["false positive rate"]["to"]),
        ("false negative rate", counts["fn"], counts["fn"] + counts["tp"],
         _rest(recall["to"]), _rest(recall["from"])),
    )  # fmt: skip
    rates = []
    for figure, events, items, low, high in both:
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


def clopper_pearson(events: float, items: int) -> tuple[float, float]:
    """The exact 95 % interval of a share (Clopper and Pearson, 1934): never narrower than it says.

    ``events`` may be a fraction where ``items`` is an effective sample size (Korn and Graubard, 1998).
    """
    tail = (1 - 0.95) / 2
    low = 0.0 if events == 0 else float(beta.ppf(tail, events, items - events + 1))
    high = 1.0 if events == items else float(beta.ppf(1 - tail, events + 1, items - events))
    return low, high


def counted_rate(
    figure: str, events: int, items: int, *, data: str, unit: str, groups: int | None, note: str
) -> Rate:
    """A rate of ``events`` among ``items`` with its Clopper–Pearson interval."""
    low, high = clopper_pearson(events, items)
    return Rate(
        figure=figure,
        data=data,
        value=round(events / items, 4),
        low=round(low, 4),
        high=round(high, 4),
        interval=EXACT,
        items=items,
        unit=unit,
        events=events,
        groups=groups,
        note=note,
    )


WIDER = N_("the wider of Clopper–Pearson and bootstrap, both over sources, at either end")
Selection = NDArray[np.bool_]
_Ends = tuple[float | None, float | None]


@dataclass(frozen=True)
class Share:
    """How many of a class were judged wrongly, and the 95 % interval of their share."""

    events: int
    items: int
    low: float
    high: float
    made: str  # how the interval was

    @property
    def value(self) -> float:
        return round(self.events / self.items, 4)


def shares(scored: Scored, of_class: Selection, wrong: Selection) -> list[Share]:
    """The share of wrong ones (n, t) in a class (n,), t times.

    Groups are drawn as :func:`~detector.statistics.metrics.measure` draws them: all of them,
    with what they hold of either class.
    """
    items, events = int(of_class.sum()), wrong[of_class].sum(axis=0)
    groups = len(np.unique(scored.groups[of_class]))
    made = WIDER if groups < items else EXACT
    exact = [clopper_pearson(count * groups / items, groups) for count in events]
    drawn: list[_Ends] = [(None, None)] * len(events)
    if made == WIDER:
        drawn = _drawn(scored.groups, of_class, wrong)
    found = []
    for count, (low, high), (drawn_low, drawn_high) in zip(events.tolist(), exact, drawn, strict=True):
        if drawn_low is not None and drawn_high is not None:
            low, high = min(low, drawn_low), max(high, drawn_high)
        found.append(Share(count, items, round(low, 4), round(high, 4), made))
    return found


def _drawn(groups: NDArray[np.int_], of_class: Selection, wrong: Selection) -> list[_Ends]:
    """Intervals of each share over draws of groups."""
    inside = groups[of_class]
    size = int(groups.max()) + 1
    items = np.bincount(inside, minlength=size)
    events = np.stack([np.bincount(inside, column, size) for column in wrong[of_class].T], axis=1)
    with np.errstate(invalid="ignore"):  # draws without one of the class
        shares = np.concatenate([(times @ events) / (times @ items)[:, None] for times in draws(groups)])
    return [interval(column) for column in shares.T]
