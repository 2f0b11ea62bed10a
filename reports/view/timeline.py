"""Geometry of the timeline: scores over time as SVG path data, one lane a person.

The template only places what is computed here, so that page, HTML and PDF draw the very
same figure. Units are those of the SVG's view box. At print width (174 mm) one unit is
0.23 mm, hence text of 11 units is 7 pt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from detector.schema.analysis import Analysis, MediaKind, Person, Scores, Segment
from reports.text.language import gettext
from reports.text.numbers import clock, number, plural, probability, shown, timecode
from reports.view.score_curves import curve, dots, strips

WIDTH = 760.0
LEFT, RIGHT = 76.0, 726.0
TOP = 16.0
LABEL_ROW = 13.0
STRIP = 5.0
ROOMY_LANES = 6  # more persons than this get the low lanes, so that 20 still fit one page
MOST_TICKS = 8
LEAST_BAND = 2.5
SMALL_LETTER = 4.9  # width of one digit of a time below the axis
NAME_LETTERS, LOW_LETTERS = (
    15,
    13,
)  # of a model's name beside a lane, and of person and model beside a low one
LETTER = 6.6  # width of one character of a band's label
STEPS = (
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14400,
    43200,
    86400,
)


@dataclass(frozen=True)
class Band:
    """A flagged segment: a tinted box, hatching and edges, and its label where there is room."""

    segment: str
    x: float
    width: float
    hatch: str
    label: bool
    title: str


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


@dataclass(frozen=True)
class Tick:
    x: float
    label: str
    anchor: str


@dataclass(frozen=True)
class Timeline:
    """Everything the macro ``timeline`` draws."""

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
    title: str
    description: str


def draw(analysis: Analysis) -> Timeline:
    """Lay out the timeline of an analysis; a still image gets one bar a person instead."""
    still = analysis.media.kind is MediaKind.IMAGE
    several = len(analysis.others) + 1
    roomy = several * len(analysis.persons) <= ROOMY_LANES
    plot = (18.0 if still else 56.0) if roomy else (10.0 if still else 19.0)
    row = (8.0 if still else LABEL_ROW) + plot + (0.0 if still else STRIP) + (10.0 if roomy else 5.0)
    span = _span(analysis)
    lanes = tuple(
        _lane(one, person, TOP + index * row, plot, span, roomy, model if several > 1 else 0)
        for index, (model, one, person) in enumerate(_rows(analysis))
    )
    axis = TOP + row * max(len(lanes), 1)
    return Timeline(
        still=still,
        width=WIDTH,
        height=axis + (50.0 if still else 64.0),
        left=LEFT,
        right=RIGHT,
        top=TOP,
        axis=axis,
        legend=axis + 38.0,
        roomy=roomy,
        lanes=lanes,
        ticks=_score_ticks() if still else _time_ticks(span),
        cuts=() if still else _apart([_x(cut, span) for cut in analysis.coverage.cuts]),
        not_examined=() if still else tuple(_stretches(analysis, span)),
        enter=number(analysis.parameters.enter_threshold),
        exit=number(analysis.parameters.exit_threshold),
        enter_x=_across(analysis.parameters.enter_threshold),
        crowded=any(not band.label for lane in lanes for band in lane.bands),
        title=_title(analysis, still),
        description=_description(analysis),
    )


def _rows(analysis: Analysis) -> Iterator[tuple[int, Analysis, Person]]:
    """Each person once for each model, with the model's number and the analysis as it alone would have it."""
    of_models = [analysis, *(analysis.by(other) for other in analysis.others)]
    for person in analysis.persons:
        for model, one in enumerate(of_models, start=1):
            yield from ((model, one, each) for each in one.persons if each.id == person.id)


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


def _x(time: float, span: float) -> float:
    return LEFT + (RIGHT - LEFT) * min(time / span, 1.0)


def _across(value: float) -> float:
    return LEFT + (RIGHT - LEFT) * value


def _lane(
    analysis: Analysis, person: Person, top: float, plot: float, span: float, roomy: bool, model: int
) -> Lane:
    """The lane of one person by one model; ``model`` is its number, 0 where there is only one."""
    still = analysis.media.kind is MediaKind.IMAGE
    top += 8.0 if still else LABEL_ROW
    bottom = top + plot
    segments = [segment for segment in analysis.segments if segment.person == person.id]
    enter, leave = analysis.parameters.enter_threshold, analysis.parameters.exit_threshold
    step = 1 / analysis.parameters.sample_rate
    scores = Scores() if still else person.scores
    usable, unusable = strips(scores, step, span, LEFT, RIGHT)
    buckets = 400 if roomy else 160
    bar = (RIGHT - LEFT) * (person.probability or 0.0) if still else 0.0
    note = "" if person.usable_frames else gettext("no usable face")
    name = gettext("Person %(id)s", id=person.id)
    detail = probability(person.probability) if still else plural(person.usable_frames, "frame", "frames")
    figure = ""
    if model:
        by_model = _cut(
            f"{model} {analysis.model.name}", NAME_LETTERS if roomy else LOW_LETTERS - len(person.id)
        )
        figure, detail = detail if still else "", by_model
        name = name if roomy else f"{person.id} {by_model}"
    return Lane(
        person=person.id,
        name=name,
        detail=detail,
        top=top,
        bottom=bottom,
        enter=bottom - plot * enter,
        exit=bottom - plot * leave,
        line=curve(scores, step, span, LEFT, RIGHT, top, bottom, buckets),
        dots=dots(scores, span, LEFT, RIGHT, top, bottom, buckets),
        peaks=tuple(
            (round(_x(peak.time, span), 1), round(bottom - plot * peak.probability, 1))
            for segment in segments
            for peak in (() if still else segment.peaks)
        ),
        bands=_bands(segments, still, bar, top, bottom, span, analysis.model.name if model else ""),
        usable=usable,
        unusable=unusable,
        strip=bottom + 4.0,
        note=note,
        bar=round(bar, 1),
        figure=figure,
    )


def _cut(name: str, letters: int) -> str:
    """A model's number and name as far as there is room; the table of models has it whole."""
    return name if len(name) <= letters else name[: letters - 1] + "…"


def _bands(
    segments: Sequence[Segment], still: bool, bar: float, top: float, bottom: float, span: float, model: str
) -> tuple[Band, ...]:
    of_model = f", {model}" if model else ""
    bands = []
    free = LEFT
    for segment in segments:
        if still:
            x, width = LEFT, max(bar, LEAST_BAND)
        else:
            x = _x(segment.start, span)
            width = max(_x(segment.end, span) - x, LEAST_BAND)
            x = min(x, RIGHT - width)
        label = x >= free
        if label:
            free = x + max(len(segment.id) * LETTER, width) if still else x + len(segment.id) * LETTER + 3
        when = (
            ""
            if still
            else gettext(" %(start)s to %(end)s", start=timecode(segment.start), end=timecode(segment.end))
        )
        bands.append(
            Band(
                segment=segment.id,
                x=round(x, 1),
                width=round(width, 1),
                hatch=_hatch(x, x + width, top, bottom),
                label=label,
                title=gettext("Segment %(id)s%(when)s", id=segment.id, when=of_model + when),
            )
        )
    return tuple(bands)


def _hatch(left: float, right: float, top: float, bottom: float, step: float = 7.0) -> str:
    """Diagonals rising to the right, clipped to a box.

    Drawn as one path because SVG patterns need ids, which clash when two figures meet on a
    page, and PDF renderers disagree about them. Anchored to the page, not the box, so that
    neighbouring bands line up.
    """
    parts = []
    offset = (left + top) // step * step
    while offset < right + bottom:
        offset += step
        x0 = max(left, offset - bottom)
        x1 = min(right, offset - top)
        if x1 - x0 > 0.2:
            parts.append(f"M{x0:.1f} {offset - x0:.1f}L{x1:.1f} {offset - x1:.1f}")
    return "".join(parts)


def _time_ticks(span: float) -> tuple[Tick, ...]:
    step = next((step for step in STEPS if span / step <= MOST_TICKS), STEPS[-1] * (span // STEPS[-1] + 1))
    ticks = []
    for index in range(int(span / step + 1e-9) + 1):
        time = index * step
        x = round(_x(time, span), 1)
        label = clock(round(time)) if step >= 1 else timecode(time)
        ticks.append(Tick(x, label, "start" if index == 0 else "end" if x > RIGHT - 22 else "middle"))
    # Those at the ends reach inwards; what they would cover stays without words.
    wordy = [ticks[0], *ticks[:0:-1]]
    kept: list[Tick] = []
    for tick in wordy:
        if all(_apart_enough(tick, other) for other in kept):
            kept.append(tick)
    return tuple(tick if tick in kept else replace(tick, label="") for tick in ticks)


def _apart_enough(tick: Tick, other: Tick) -> bool:
    (left, right), (other_left, other_right) = _extent(tick), _extent(other)
    return right + LETTER <= other_left or other_right + LETTER <= left


def _extent(tick: Tick) -> tuple[float, float]:
    """Where the words of a tick begin and end."""
    wide = len(tick.label) * SMALL_LETTER
    left = tick.x - {"start": 0.0, "middle": wide / 2, "end": wide}[tick.anchor]
    return left, left + wide


def _score_ticks() -> tuple[Tick, ...]:
    return tuple(
        Tick(round(_across(tenth / 10), 1), shown(tenth / 10, ".1f"), "middle") for tenth in range(0, 11, 2)
    )


def _apart(xs: list[float], least: float = 2.0) -> tuple[float, ...]:
    """Positions at least ``least`` apart: a thousand cuts must not become a thousand lines."""
    kept: list[float] = []
    for x in sorted(xs):
        if not kept or x - kept[-1] >= least:
            kept.append(round(x, 1))
    return tuple(kept)


def _stretches(analysis: Analysis, span: float) -> list[tuple[float, float]]:
    """Stretches not examined as (x, width), joined where they would touch on paper."""
    joined: list[tuple[float, float]] = []
    for stretch in sorted(analysis.coverage.not_examined, key=lambda each: each.start):
        left, right = _x(stretch.start, span), _x(stretch.end, span)
        if joined and left - joined[-1][1] < 1.0:
            joined[-1] = (joined[-1][0], max(right, joined[-1][1]))
        else:
            joined.append((left, max(right, left + 1.0)))
    return [(round(left, 1), round(right - left, 1)) for left, right in joined]


def _description(analysis: Analysis) -> str:
    if not analysis.persons:
        return gettext("No face was found, so there are no scores to draw.")
    kind = (
        gettext("bars of the score")
        if analysis.media.kind is MediaKind.IMAGE
        else gettext("the score over time")
    )
    flagged = plural(len(analysis.segments), "flagged segment", "flagged segments")
    if analysis.media.kind is MediaKind.IMAGE:
        flagged = plural(len(analysis.segments), "flagged face", "flagged faces")
    return gettext(
        "One lane a person with %(kind)s, 0 at the bottom or left and 1 at the top or "
        "right; %(flagged)s. The table beside this figure holds the same facts as text.",
        kind=kind,
        flagged=flagged,
    )
