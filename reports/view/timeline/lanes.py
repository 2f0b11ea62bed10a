"""One lane of the timeline: a person's scores, and bands over the segments."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from detector.schema.analysis import Analysis, Person, Scores, Segment
from detector.verdict.persons.flagged import flagged_segments
from reports.text.numbers import plural, probability, time_span
from reports.text.translation.language import gettext
from reports.text.verdict_sentence import segment_name
from reports.view.timeline.scale import LEFT, LETTER, RIGHT, LanePlot
from reports.view.timeline.score_curves import curve, dots, strips

LABEL_ROW = 13.0
LEAST_BAND = 2.5
_HATCH_STEP = 7.0
# Letters of a model's name beside a lane, and of person and model together beside a low one.
NAME_LETTERS, LOW_LETTERS = 15, 13


@dataclass(frozen=True)
class Band:
    """A segment: a tinted box, and its label where there is room; hatching too where it is ``flagged``."""

    segment: str
    x: float
    width: float
    hatch: str
    label: bool
    title: str
    flagged: bool


@dataclass(frozen=True)
class Lane:
    """One person's row. ``top`` and ``bottom`` are the scores 1 and 0."""

    person: str
    name: str
    detail: str
    top: float
    bottom: float
    enter: float
    exit: float
    line: str
    dots: str
    peaks: tuple[tuple[float, float], ...]
    bands: tuple[Band, ...]
    usable: str
    unusable: str
    strip: float
    note: str
    bar: float
    figure: str


class _Label(NamedTuple):
    """Fields of a :class:`Lane`."""

    name: str
    detail: str
    figure: str


def lane(analysis: Analysis, person: Person, plot: LanePlot, roomy: bool, model: int) -> Lane:
    """The lane of one person by one model, drawn in ``plot`` with its label above.

    ``roomy`` lanes have room for a label of two lines; ``model`` is the model's number, 0 where there is
    only one.
    """
    still = analysis.media.still
    segments = [segment for segment in analysis.segments if segment.person == person.id]
    enter, leave = analysis.parameters.enter_threshold, analysis.parameters.exit_threshold
    step = 1 / analysis.parameters.sample_rate
    scores = Scores() if still else person.scores
    usable, unusable = strips(scores, step, plot.span)
    buckets = 400 if roomy else 160
    bar = (RIGHT - LEFT) * (person.probability or 0.0) if still else 0.0
    label = _label(analysis, person, roomy, model)
    return Lane(
        person=person.id,
        name=label.name,
        detail=label.detail,
        top=plot.top,
        bottom=plot.bottom,
        enter=plot.y(enter),
        exit=plot.y(leave),
        line=curve(scores, step, plot, buckets),
        dots=dots(scores, plot, buckets),
        peaks=tuple(
            (round(plot.x(peak.time), 1), round(plot.y(peak.probability), 1))
            for segment in segments
            for peak in (() if still else segment.peaks)
        ),
        bands=_bands(
            segments,
            plot,
            bar if still else None,
            analysis.model.name if model else "",
            flagged={one.id for one in flagged_segments((person,), segments)},
        ),
        usable=usable,
        unusable=unusable,
        strip=plot.bottom + 4.0,
        note="" if person.usable_frames else gettext("no usable face"),
        bar=round(bar, 1),
        figure=label.figure,
    )


def _label(analysis: Analysis, person: Person, roomy: bool, model: int) -> _Label:
    """Who a lane is of, and how much was judged; of several models which one judged takes its place."""
    still = analysis.media.still
    name = gettext("Person %(id)s", id=person.id)
    detail = probability(person.probability) if still else plural(person.usable_frames, "frame", "frames")
    if not model:
        return _Label(name, detail, "")
    by_model = _cut(f"{model} {analysis.model.name}", NAME_LETTERS if roomy else LOW_LETTERS - len(person.id))
    return _Label(name if roomy else f"{person.id} {by_model}", by_model, detail if still else "")


def _cut(name: str, letters: int) -> str:
    """A model's number and name as far as there is room; the table of models has it whole."""
    return name if len(name) <= letters else name[: letters - 1] + "…"


def _bands(
    segments: Sequence[Segment], plot: LanePlot, bar: float | None, model: str, *, flagged: Set[str]
) -> tuple[Band, ...]:
    """Over the time of each segment; of a still image, which has none, over its ``bar``."""
    of_model = f", {model}" if model else ""
    bands = []
    free = LEFT
    for segment in segments:
        is_flagged = segment.id in flagged
        words = len(segment.id) * LETTER
        if bar is not None:
            x, width = LEFT, max(bar, LEAST_BAND)
            label_end = x + max(words, width)
            when = ""
        else:
            x = plot.x(segment.start)
            width = max(plot.x(segment.end) - x, LEAST_BAND)
            x = min(x, RIGHT - width)
            label_end = x + words + 3
            when = f" {time_span(segment.start, segment.end)}"
        label = x >= free
        if label:
            free = label_end
        bands.append(
            Band(
                segment=segment.id,
                x=round(x, 1),
                width=round(width, 1),
                hatch=_hatch(x, x + width, plot.top, plot.bottom) if is_flagged else "",
                label=label,
                title=segment_name(segment.id, still=bar is not None, flagged=is_flagged) + of_model + when,
                flagged=is_flagged,
            )
        )
    return tuple(bands)


def _hatch(left: float, right: float, top: float, bottom: float) -> str:
    """Diagonals rising to the right, clipped to a box.

    Drawn as one path because SVG patterns need ids, which clash when two figures meet on a
    page, and PDF renderers disagree about them. Anchored to the page, not the box, so that
    neighbouring bands line up.
    """
    parts = []
    offset = (left + top) // _HATCH_STEP * _HATCH_STEP
    while offset < right + bottom:
        offset += _HATCH_STEP
        x0 = max(left, offset - bottom)
        x1 = min(right, offset - top)
        if x1 - x0 > 0.2:
            parts.append(f"M{x0:.1f} {offset - x0:.1f}L{x1:.1f} {offset - x1:.1f}")
    return "".join(parts)
