"""The statistics page: figures about the whole library, counted from rows and drawn as charts."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby

from flask import Blueprint, render_template, request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from detector.schema.analysis import Verdict
from reports.language import formatting
from reports.language.formatting import localized, shown
from reports.language.translation import N_, gettext
from reports.review.agreement import Reliability, reliability
from reports.review.annotations import (
    ANNOTATION,
    ExhibitAnnotation,
    SegmentAnnotation,
    SpanAnnotation,
    WithVerdict,
    current,
    verified,
)
from reports.review.second_review import CONCLUSIONS
from webapp.accounts.permissions import Permission, require
from webapp.accounts.visibility import visible_session
from webapp.review import queries
from webapp.storage.tables import AnalysisRow, AnnotationRow, Exhibit, State, now

VERDICTS = tuple(str(verdict) for verdict in Verdict)
UNFINISHED = N_("no result")  # failed, cancelled, or not there yet
OPINIONS = ("agree", "disagree", "unsure")
# How long analyses take is read off the latest ones: an older machine or model says little of today's.
_LATEST = 1000
_DAYS, _WEEKS = 31, 27
_LENGTHS = (
    (N_("under 10 s"), 10.0),
    (N_("10 s to 1 min"), 60.0),
    (N_("1 to 10 min"), 600.0),
    (N_("10 min to 1 h"), 3600.0),
)
_LONGEST = N_("1 h and longer")

OpinionInAnalysis = tuple[str, WithVerdict]
"""The id of an analysis, and a standing annotation of a finding in it."""


@dataclass(frozen=True)
class Count:
    """One row of a figure: a label, and how many of each kind; ``note`` says more of the label."""

    label: str
    parts: Counter[str]
    note: str = ""

    @property
    def total(self) -> int:
        """Of all kinds."""
        return self.parts.total()


@dataclass(frozen=True)
class AnalysisSpeed:
    """How long analyses of exhibits of about one length took; seconds, medians."""

    label: str
    count: int
    taken: float
    ratio: float  # seconds of analysis for one of the exhibit


@dataclass(frozen=True)
class MachineAgreement:
    """What reviewers say of the machine's findings, by their standing annotations whose authors are verified.

    ``exhibits`` has one row a verdict of the machine, ``reviewers`` one a person, exhibits and segments
    together, of ``segments`` those that are flagged; ``marked`` counts spans and segments the machine did not
    flag and a reviewer holds for manipulated.
    """

    exhibits: tuple[Count, ...]
    segments: Count
    reviewers: tuple[Count, ...]
    marked: int
    judged: int  # analyses with any annotation

    @property
    def total(self) -> int:
        """Annotations of exhibits and flagged segments."""
        return self.segments.total + sum(row.total for row in self.exhibits)


@dataclass(frozen=True)
class ReviewerAgreement:
    """How far reviewers agree with one another: Krippendorff's alpha for names without an order.

    ``table`` counts second reviews in which each judged alone, by conclusion of the first (rows) and of the
    second (columns), in the order of :data:`CONCLUSIONS`. ``not_alone`` are those of earlier versions in
    which the first could read what the second had annotated; they count for nothing. ``segments`` is of
    verified annotations of one segment by two or more people, who may have seen what the others said.
    """

    judgements: Reliability
    table: tuple[tuple[int, ...], ...]
    standings: Counter[str]
    not_alone: int
    segments: Reliability

    @property
    def total(self) -> int:
        """Of second reviews with both judgements, each made alone."""
        return self.standings.total()


@dataclass(frozen=True)
class Overview:
    """Everything the page shows."""

    analyses: int
    exhibits: int
    photos: int  # exhibits examined, each once
    videos: int
    seconds: float  # of those videos
    unmeasured: int  # analyses made before lengths were kept
    verdicts: Count
    states: Count
    models: tuple[Count, ...]
    agreement: MachineAgreement
    reviews: ReviewerAgreement
    points: tuple[tuple[float, float], ...]  # seconds of the exhibit, seconds its analysis took
    speeds: tuple[AnalysisSpeed, ...]


def overview(session: Session) -> Overview:
    """Count everything there is."""
    by_state = Counter(_pairs(session, AnalysisRow.state))
    by_verdict = Counter(_pairs(session, AnalysisRow.verdict))
    photos, videos, seconds, unmeasured = _examined(session)
    points, opinions = _points(session), tuple(_opinions(session))
    return Overview(
        analyses=by_state.total(),
        exhibits=session.scalar(select(func.count()).select_from(Exhibit)) or 0,
        photos=photos,
        videos=videos,
        seconds=seconds,
        unmeasured=unmeasured,
        verdicts=Count(gettext("Analyses"), Counter({verdict: by_verdict[verdict] for verdict in VERDICTS})),
        states=Count(gettext("Analyses"), Counter({str(state): by_state[state] for state in State})),
        models=_models(session),
        agreement=agreement(session, opinions),
        reviews=reviews(session, opinions),
        points=points,
        speeds=speeds(points),
    )


def analyses_over_time(session: Session, weekly: bool, today: date) -> tuple[Count, ...]:
    """Analyses handed in, a day or a week, by what came of them; the last month or half year."""
    days = _WEEKS * 7 if weekly else _DAYS
    first = today - timedelta(days=days - 1)
    if weekly:
        first -= timedelta(days=first.weekday())  # weeks start on Mondays
    day = func.date(AnalysisRow.created)
    since = AnalysisRow.created >= datetime.combine(first, time(), UTC)
    query = select(day, AnalysisRow.verdict, func.count()).where(since)
    counts: dict[date, Counter[str]] = defaultdict(Counter)
    for text, verdict, count in session.execute(query.group_by(day, AnalysisRow.verdict)):
        moment = date.fromisoformat(str(text))
        counts[moment - timedelta(days=moment.weekday() if weekly else 0)][verdict or UNFINISHED] += count
    step = timedelta(days=7 if weekly else 1)
    found = []
    while first <= today:
        note = gettext("week of %(first)s", first=formatting.day(first.isoformat())) if weekly else ""
        found.append(Count(first.isoformat(), counts[first], note))
        first += step
    return tuple(found)


def agreement(session: Session, opinions: Iterable[OpinionInAnalysis]) -> MachineAgreement:
    """What reviewers say, each once on each thing, where it was not withdrawn."""
    judged_ones = select(AnalysisRow.id, AnalysisRow.verdict, AnalysisRow.unflagged).where(
        AnalysisRow.id.in_(select(AnnotationRow.analysis_id))
    )
    verdicts, unflagged = {}, set()
    for analysis_id, verdict, ids in session.execute(judged_ones):
        verdicts[analysis_id] = verdict
        unflagged |= {(analysis_id, segment) for segment in json.loads(ids or "[]")}
    exhibits: dict[str, Counter[str]] = defaultdict(Counter)
    people: dict[str, Counter[str]] = defaultdict(Counter)
    segments: Counter[str] = Counter()
    marked, judged = 0, set()
    for analysis_id, each in opinions:
        judged.add(analysis_id)
        if isinstance(each, SpanAnnotation):
            marked += each.verdict == "manipulated"
            continue
        if isinstance(each, SegmentAnnotation) and (analysis_id, each.segment) in unflagged:
            marked += each.verdict == "agree"  # that it shows manipulation: the machine does not say so
            continue
        people[each.author][each.verdict] += 1
        if isinstance(each, ExhibitAnnotation):
            exhibits[verdicts[analysis_id] or UNFINISHED][each.verdict] += 1
        else:
            segments[each.verdict] += 1
    return MachineAgreement(
        exhibits=tuple(Count(verdict, exhibits[verdict]) for verdict in VERDICTS),
        segments=Count(gettext("flagged segments"), segments),
        reviewers=_most(Count(name, parts) for name, parts in people.items()),
        marked=marked,
        judged=len(judged),
    )


def _opinions(session: Session) -> Iterator[OpinionInAnalysis]:
    """Standing annotations of findings by verified authors (others anybody may have written), by analysis."""
    query = select(AnnotationRow.analysis_id, AnnotationRow.body).order_by(AnnotationRow.analysis_id)
    for analysis_id, said in groupby(session.execute(query), key=lambda row: row[0]):
        for each in current(ANNOTATION.validate_json(body) for _, body in said):
            if verified(each) and isinstance(each, WithVerdict):
                yield analysis_id, each


def reviews(session: Session, opinions: Iterable[OpinionInAnalysis]) -> ReviewerAgreement:
    """How far reviewers agree with one another, of what who asks may see."""
    both = queries.judged_reviews(session)
    alone = [each for each in both if each.alone]
    concluded = [(each.first.conclusion, each.second.conclusion) for each in alone]
    pairs = Counter(concluded)
    said: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for analysis_id, each in opinions:
        if isinstance(each, SegmentAnnotation):
            said[analysis_id, each.segment][each.author] = each.verdict
    return ReviewerAgreement(
        judgements=reliability(concluded),
        table=tuple(tuple(pairs[row, column] for column in CONCLUSIONS) for row in CONCLUSIONS),
        standings=Counter(each.standing for each in alone),
        not_alone=len(both) - len(alone),
        segments=reliability(tuple(each.values()) for each in said.values()),
    )


def speeds(points: Iterable[tuple[float, float]]) -> tuple[AnalysisSpeed, ...]:
    """Medians over exhibits of about one length; lengths nothing has are left out."""
    names = (*(name for name, _ in _LENGTHS), _LONGEST)
    groups: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for length, taken in points:
        name = next((name for name, most in _LENGTHS if length < most), _LONGEST)
        groups[name].append((length, taken))
    return tuple(
        AnalysisSpeed(
            name,
            len(group),
            statistics.median(taken for _, taken in group),
            statistics.median(taken / length for length, taken in group),
        )
        for name, group in groups.items()
        if group
    )


def _pairs(session: Session, column: object) -> dict[str, int]:
    query = select(column, func.count()).group_by(column)  # type: ignore[call-overload]
    return {str(name): count for name, count in session.execute(query)}


def _examined(session: Session) -> tuple[int, int, float, int]:
    """Photos, videos and their seconds, each exhibit once; and finished analyses of unknown length."""
    done = AnalysisRow.state == State.DONE
    lengths = (
        select(func.max(AnalysisRow.duration).label("length"))
        .where(done, AnalysisRow.duration.is_not(None))
        .group_by(AnalysisRow.exhibit_id)
        .subquery()
    )
    photos = session.scalar(select(func.count()).select_from(lengths).where(lengths.c.length == 0)) or 0
    videos, seconds = session.execute(
        select(func.count(), func.sum(lengths.c.length)).where(lengths.c.length > 0)
    ).one()
    unknown = select(func.count()).select_from(AnalysisRow).where(done, AnalysisRow.duration.is_(None))
    return photos, videos, float(seconds or 0.0), session.scalar(unknown) or 0


def _models(session: Session) -> tuple[Count, ...]:
    query = select(AnalysisRow.model, AnalysisRow.verdict, func.count()).where(
        AnalysisRow.state == State.DONE
    )
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for model, verdict, count in session.execute(query.group_by(AnalysisRow.model, AnalysisRow.verdict)):
        counts[model or N_("not kept")][verdict or UNFINISHED] += count
    return _most(Count(name, parts) for name, parts in counts.items())


def _most(counts: Iterable[Count]) -> tuple[Count, ...]:
    """The largest first, equal ones by name."""
    return tuple(sorted(counts, key=lambda count: (-count.total, count.label.casefold())))


def _points(session: Session) -> tuple[tuple[float, float], ...]:
    query = (
        select(AnalysisRow.duration, AnalysisRow.started, AnalysisRow.finished)
        .where(AnalysisRow.state == State.DONE, AnalysisRow.duration > 0)
        .order_by(AnalysisRow.created.desc())
        .limit(_LATEST)
    )
    rows = [
        (length, (finished - started).total_seconds())
        for length, started, finished in session.execute(query)
        if length and started and finished
    ]
    return tuple((length, taken) for length, taken in rows if taken > 0)


# Marks of an axis of seconds, in units people read.
_MARKS = (
    (0.01, "0.01 s"),
    (0.1, "0.1 s"),
    (1.0, "1 s"),
    (10.0, "10 s"),
    (60.0, "1 min"),
    (600.0, "10 min"),
    (3600.0, "1 h"),
    (36_000.0, "10 h"),
    (360_000.0, "100 h"),
)


@dataclass(frozen=True)
class BarPiece:
    """One kind's part of a bar; ``start`` and ``length`` along it."""

    kind: str
    count: int
    start: float
    length: float


@dataclass(frozen=True)
class Bar:
    """One bar with what it stands for."""

    label: str
    note: str
    total: int
    pieces: tuple[BarPiece, ...]


@dataclass(frozen=True)
class ChartTick:
    """A mark on an axis: its place and what stands there."""

    at: float
    label: str


@dataclass(frozen=True)
class BarChart:
    """Bars on one scale; ``length`` is that of the axis, which ends at a round number."""

    bars: tuple[Bar, ...]
    kinds: tuple[str, ...]
    length: float
    ticks: tuple[ChartTick, ...]


@dataclass(frozen=True)
class ScatterPlot:
    """Points on two logarithmic axes of the same scale, ``size`` long each; ``y`` grows downwards."""

    points: tuple[tuple[float, float], ...]
    size: float
    ticks: tuple[ChartTick, ...]


def bar_chart(counts: Sequence[Count], kinds: Sequence[str], length: float) -> BarChart:
    """Bars of what each count holds of ``kinds``, in that order."""
    end, step = _round_axis(max((count.total for count in counts), default=0))
    scale = length / end
    bars = []
    for count in counts:
        start, pieces = 0.0, []
        for kind in kinds:
            if part := count.parts[kind]:
                pieces.append(BarPiece(kind, part, round(start, 2), round(part * scale, 2)))
                start += part * scale
        bars.append(Bar(count.label, count.note, count.total, tuple(pieces)))
    ticks = tuple(ChartTick(round(value * scale, 2), shown(value, ",")) for value in range(0, end + 1, step))
    return BarChart(tuple(bars), tuple(kinds), length, ticks)


def bars_by_kind(count: Count, kinds: Sequence[str], length: float) -> BarChart:
    """One bar for each kind, so that kinds can be compared."""
    apart = [Count(kind, Counter({kind: count.parts[kind]})) for kind in kinds]
    return bar_chart(apart, kinds, length)


def scatter_plot(points: Sequence[tuple[float, float]], size: float) -> ScatterPlot:
    """Seconds against seconds, on axes that hold them all."""
    values = [value for point in points for value in point] or [1.0, 60.0]
    low = max((mark for mark, _ in _MARKS if mark <= min(values)), default=_MARKS[0][0])
    high = min((mark for mark, _ in _MARKS if mark > max(low, *values)), default=_MARKS[-1][0])
    scale = size / math.log10(high / low)

    def along(value: float) -> float:
        return math.log10(min(max(value, low), high) / low) * scale

    ticks = tuple(
        ChartTick(round(along(mark), 2), localized(label)) for mark, label in _MARKS if low <= mark <= high
    )
    marks = tuple((round(along(x), 1), round(size - along(y), 1)) for x, y in points)
    return ScatterPlot(marks, size, ticks)


def _round_axis(most: int) -> tuple[int, int]:
    """Where an axis that holds ``most`` ends, and the steps of its marks, at most five of them."""
    step = next(
        digit * 10**power for power in range(20) for digit in (1, 2, 5) if most <= 5 * digit * 10**power
    )
    return max(step * math.ceil(most / step), step), step


blueprint = Blueprint("statistics", __name__)

_BAR, _COLUMN, _CLOUD = 300.0, 150.0, 220.0  # lengths of axes, in units of the figures
_STATES = tuple(str(state) for state in State)


@blueprint.get("/statistics")
@require(Permission.READ)
def show() -> str:
    """Counts, speed and agreement, each as a picture and a table; ``per`` is ``day`` or ``week``."""
    weekly = request.args.get("per") == "week"
    with visible_session() as session:
        seen = overview(session)
        over_time = analyses_over_time(session, weekly, now().date())
    kinds = (*VERDICTS, UNFINISHED)
    opinions = (*seen.agreement.exhibits, seen.agreement.segments)
    return render_template(
        "pages/statistics.html",
        seen=seen,
        weekly=weekly,
        verdicts=bars_by_kind(seen.verdicts, VERDICTS, _BAR),
        states=bars_by_kind(seen.states, _STATES, _BAR),
        over_time=bar_chart(over_time, kinds, _COLUMN),
        models=bar_chart(seen.models, VERDICTS, _BAR),
        opinions=bar_chart(opinions, OPINIONS, _BAR),
        reviewers=bar_chart(seen.agreement.reviewers, OPINIONS, _BAR),
        conclusions=CONCLUSIONS,
        cloud=scatter_plot(seen.points, _CLOUD),
    )
