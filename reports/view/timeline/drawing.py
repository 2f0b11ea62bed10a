"""Geometry of the timeline: scores over time as SVG path data, one lane a person.

The template only places what is computed here, so that page, HTML and PDF draw the very
same figure. Units are those of the SVG's view box. At print width (174 mm) one unit is
0.23 mm, hence text of 11 units is 7 pt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from detector.schema.analysis import Analysis, Person
from detector.verdict.persons.flagged import flagged_segments
from reports.text.numbers import number, plural
from reports.text.translation.language import gettext
from reports.view.timeline.lanes import LABEL_ROW, Lane, lane
from reports.view.timeline.scale import LEFT, RIGHT, LanePlot, score_x, time_x
from reports.view.timeline.ticks import Tick, score_ticks, time_ticks

WIDTH = 760.0
TOP = 16.0
STRIP = 5.0
_LEAST_APART = 2.0  # of cuts
ROOMY_LANES = 6  # more persons than this get the low lanes, so that 20 still fit one page


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
    flagged: bool  # whether any band is; so of the next
    unflagged: bool
    title: str
    description: str


def draw_timeline(analysis: Analysis) -> Timeline:
    """Lay out the timeline of an analysis; a still image gets one bar a person instead."""
    still = analysis.media.still
    several = len(analysis.others) + 1
    roomy = several * len(analysis.persons) <= ROOMY_LANES
    height = (18.0 if still else 56.0) if roomy else (10.0 if still else 19.0)
    label = 8.0 if still else LABEL_ROW
    row = label + height + (0.0 if still else STRIP) + (10.0 if roomy else 5.0)
    span = _span(analysis)
    lanes = []
    for index, (model, one, person) in enumerate(_rows(analysis)):
        top = TOP + index * row + label
        plot = LanePlot(span, top, top + height)
        lanes.append(lane(one, person, plot, roomy, model if several > 1 else 0))
    axis = TOP + row * max(len(lanes), 1)
    flags = {band.flagged for lane in lanes for band in lane.bands}
    return Timeline(
        still=still,
        width=WIDTH,
        # The legend of a video has two rows, and a third where bands of both kinds need a word.
        height=axis + (50.0 if still else 64.0 + 14.0 * (len(flags) == 2)),
        left=LEFT,
        right=RIGHT,
        top=TOP,
        axis=axis,
        legend=axis + 38.0,
        roomy=roomy,
        lanes=tuple(lanes),
        ticks=score_ticks() if still else time_ticks(span),
        cuts=() if still else _apart([time_x(cut, span) for cut in analysis.coverage.cuts]),
        not_examined=() if still else tuple(_stretches(analysis, span)),
        enter=number(analysis.parameters.enter_threshold),
        exit=number(analysis.parameters.exit_threshold),
        enter_x=score_x(analysis.parameters.enter_threshold),
        crowded=any(not band.label for lane in lanes for band in lane.bands),
        flagged=True in flags,
        unflagged=False in flags,
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


def _apart(xs: list[float]) -> tuple[float, ...]:
    """Positions that can be told apart: a thousand cuts must not become a thousand lines."""
    kept: list[float] = []
    for x in sorted(xs):
        if not kept or x - kept[-1] >= _LEAST_APART:
            kept.append(round(x, 1))
    return tuple(kept)


def _stretches(analysis: Analysis, span: float) -> list[tuple[float, float]]:
    """Stretches not examined as (x, width), joined where they would touch on paper."""
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
        return gettext("No face was found, so there are no scores to draw.")
    kind = gettext("bars of the score") if analysis.media.still else gettext("the score over time")
    count = len(flagged_segments(analysis.persons, analysis.segments))
    flagged = plural(count, "flagged segment", "flagged segments")
    if analysis.media.still:
        flagged = plural(count, "flagged face", "flagged faces")
    return gettext(
        "One lane a person with %(kind)s, 0 at the bottom or left and 1 at the top or "
        "right; %(flagged)s. The table beside this figure holds the same facts as text.",
        kind=kind,
        flagged=flagged,
    )
