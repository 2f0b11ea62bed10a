"""Timeline of scores: geometry of the drawing, one lane a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import NamedTuple

from detector.schema.analysis import Analysis, Person, Scores, Segment
from detector.verdict.finding import finding_of
from language.formatting import number, plural, probability, time_span
from language.translation import gettext
from reports.persons.timeline_scale import (
    LEFT,
    LETTER,
    RIGHT,
    LanePlot,
    Tick,
    curve,
    dots,
    score_ticks,
    score_x,
    strips,
    time_ticks,
    time_x,
)
from reports.wording.verdict_sentence import segment_name

LABEL_ROW = 13.0
LEAST_BAND = 2.5
_HATCH_STEP = 7.0
# Letters of a model's name beside a lane, and of person and model together beside a low one.
NAME_LETTERS, LOW_LETTERS = 13, 12


@dataclass(frozen=True)
class Band:
    """A segment as a tinted box with a label if there is room; a ``flagged`` one is hatched."""

    segment: str
    x: float
    width: float
    hatch: str
    label: bool
    title: str
    flagged: bool


@dataclass(frozen=True)
class Lane:
    """One person's row; ``top`` and ``bottom`` are the scores 1 and 0."""

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
    """Return the lane of one person by one model, drawn in ``plot`` with its label above.

    ``roomy`` lanes have room for a label of two lines; ``model`` is the model's number, 0 for a single one.
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
            flagged=finding_of(analysis).flagged_ids,
        ),
        usable=usable,
        unusable=unusable,
        strip=plot.bottom + 4.0,
        note="" if person.usable_frames else gettext("no usable face"),
        bar=round(bar, 1),
        figure=label.figure,
    )


def _label(analysis: Analysis, person: Person, roomy: bool, model: int) -> _Label:
    """Return the name, and below it the score of a photo's face; with several models the model is there."""
    still = analysis.media.still
    name = gettext("Person %(id)s", id=person.id)
    score = probability(person.probability) if still else ""
    if not model:
        return _Label(name, score, "")
    by_model = _cut(f"{model} {analysis.model.name}", NAME_LETTERS if roomy else LOW_LETTERS - len(person.id))
    return _Label(name if roomy else f"{person.id} {by_model}", by_model, score)


def _cut(name: str, letters: int) -> str:
    """A model's number and name as far as there is room; the table of models has it whole."""
    return name if len(name) <= letters else name[: letters - 1] + "…"


def _bands(
    segments: Sequence[Segment], plot: LanePlot, bar: float | None, model: str, *, flagged: Set[str]
) -> tuple[Band, ...]:
    """Return bands over the time of each segment, or over the ``bar`` of a still image."""
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
    """Return diagonals rising to the right, clipped to a box.

    They are one path because SVG patterns need ids, which clash when two figures are on a page, and PDF
    renderers treat them differently. They are anchored to the page so that neighbouring bands line up.
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


WIDTH = 760.0
TOP = 16.0
STRIP = 5.0
_LEAST_APART = 2.0  # of cuts
ROOMY_LANES = 6  # more persons than this get the low lanes, so that 20 still fit one page


@dataclass(frozen=True)
class Timeline:
    """Data of the macro ``timeline``."""

    still: bool
    width: float
    height: float
    left: float
    right: float
    top: float
    axis: float
    legend: float
    roomy: bool
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    cuts: tuple[float, ...]
    not_examined: tuple[tuple[float, float], ...]
    enter: str
    exit: str
    enter_x: float
    crowded: bool
    omitted: int  # persons who are not drawn
    flagged: bool  # whether any band is; so of the next
    unflagged: bool
    title: str
    description: str


def draw_timeline(analysis: Analysis) -> Timeline:
    """Lay out the timeline of an analysis; a still image gets one bar per person instead."""
    still = analysis.media.still
    roomy = (len(analysis.others) + 1) * len(analysis.persons) <= ROOMY_LANES
    height = (18.0 if still else 56.0) if roomy else (10.0 if still else 19.0)
    return _drawn(analysis, height, roomy=roomy)


BRIEF_LANES = 3


def brief_timeline(analysis: Analysis) -> Timeline | None:
    """Lay out the timeline of a first page: low lanes of the few most suspicious persons, by one model.

    None for a photo, whose faces the pictures show, and without faces.
    """
    if analysis.media.still or not analysis.persons:
        return None
    flagged = finding_of(analysis).flagged_persons
    ranked = sorted(
        analysis.persons, key=lambda person: (person.id not in flagged, -(person.probability or 0.0))
    )[:BRIEF_LANES]
    persons = tuple(person for person in analysis.persons if person in ranked)
    shown = analysis.model_copy(update={"persons": persons, "others": ()})
    height = 40.0 if not persons[1:] else 26.0
    return replace(_drawn(shown, height, roomy=True), omitted=len(analysis.persons) - len(persons))


def _drawn(analysis: Analysis, height: float, *, roomy: bool) -> Timeline:
    """Lay out a timeline with lanes of this height."""
    still = analysis.media.still
    several = len(analysis.others) + 1
    label = 8.0 if still else LABEL_ROW
    row = label + height + (0.0 if still else STRIP) + (10.0 if roomy else 5.0)
    span = _span(analysis)
    lanes = []
    for index, (model, by_model, person) in enumerate(_rows(analysis)):
        top = TOP + index * row + label
        plot = LanePlot(span, top, top + height)
        lanes.append(lane(by_model, person, plot, roomy, model if several > 1 else 0))
    axis = TOP + row * max(len(lanes), 1)
    flags = {band.flagged for lane in lanes for band in lane.bands}
    return Timeline(
        still=still,
        width=WIDTH,
        height=axis + (46.0 if still else 76.0),  # with one row of the legend, or three
        left=LEFT,
        right=RIGHT,
        top=TOP,
        axis=axis,
        legend=axis + 35.0,
        roomy=roomy,
        lanes=tuple(lanes),
        ticks=score_ticks() if still else time_ticks(span),
        cuts=() if still else _apart([time_x(cut, span) for cut in analysis.coverage.cuts]),
        not_examined=() if still else tuple(_stretches(analysis, span)),
        enter=number(analysis.parameters.enter_threshold),
        exit=number(analysis.parameters.exit_threshold),
        enter_x=score_x(analysis.parameters.enter_threshold),
        crowded=any(not band.label for lane in lanes for band in lane.bands),
        omitted=0,
        flagged=True in flags,
        unflagged=False in flags,
        title=_title(analysis, still),
        description=_description(analysis),
    )


def _rows(analysis: Analysis) -> Iterator[tuple[int, Analysis, Person]]:
    """Yield each person once per model, with the model's number and the analysis by that model alone."""
    of_models = [analysis, *(analysis.by(other) for other in analysis.others)]
    for person in analysis.persons:
        for model, by_model in enumerate(of_models, start=1):
            yield from ((model, by_model, row) for row in by_model.persons if row.id == person.id)


def _title(analysis: Analysis, still: bool) -> str:
    count, persons = len(analysis.others) + 1, plural(len(analysis.persons), "person", "persons")
    models = ", " + plural(count, "model", "models") if count > 1 else ""
    if still:
        return gettext("Scores of %(persons)s in a photograph", persons=persons) + models
    return gettext("Timeline of scores, %(persons)s", persons=persons) + models


def _span(analysis: Analysis) -> float:
    ends = [analysis.media.duration, *(segment.end for segment in analysis.segments)]
    ends += [person.scores[-1].time for person in analysis.persons if person.scores]
    return max(ends) or 1.0


def _apart(xs: list[float]) -> tuple[float, ...]:
    """Drop positions too close to tell apart, so that a thousand cuts do not become a thousand lines."""
    separate: list[float] = []
    for x in sorted(xs):
        if not separate or x - separate[-1] >= _LEAST_APART:
            separate.append(round(x, 1))
    return tuple(separate)


def _stretches(analysis: Analysis, span: float) -> list[tuple[float, float]]:
    """Return unexamined intervals as (x, width), joined if they would touch on paper."""
    joined: list[tuple[float, float]] = []
    for stretch in sorted(analysis.coverage.not_examined, key=lambda each: each.start):
        left, right = time_x(stretch.start, span), time_x(stretch.end, span)
        if joined and left - joined[-1][1] < 1.0:
            joined[-1] = (joined[-1][0], max(right, joined[-1][1]))
        else:
            joined.append((left, max(right, left + 1.0)))
    return [(round(left, 1), round(right - left, 1)) for left, right in joined]


def _description(analysis: Analysis) -> str:
    if not analysis.persons:
        return gettext("No face was found, so there are no scores to show.")
    kind = gettext("bars of the score") if analysis.media.still else gettext("the score over time")
    count = len(finding_of(analysis).flagged)
    flagged = plural(count, "flagged segment", "flagged segments")
    if analysis.media.still:
        flagged = plural(count, "flagged face", "flagged faces")
    return gettext(
        "One lane per person with %(kind)s, from 0 at the bottom or left to 1 at the top or right; "
        "%(flagged)s. The table beside this figure lists the same facts as text.",
        kind=kind,
        flagged=flagged,
    )
