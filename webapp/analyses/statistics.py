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
from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from detector.schema.analysis import Verdict
from detector.schema.voice import VoiceVerdict
from language import formatting
from language.formatting import localized, shown
from language.translation import N_, gettext
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
from webapp.casework import reviews as second_reviews
from webapp.storage.tables import AnalysisRow, AnnotationRow, Exhibit, State, now, shown_state

VERDICTS = tuple(str(verdict) for verdict in Verdict)
VOICE_VERDICTS = tuple(str(verdict) for verdict in VoiceVerdict)
VOICE_SEGMENT = "voice-"  # ids of segments of the voice begin so
_HAS_FINDING = AnalysisRow.verdict.is_not(None)  # also while its pictures are made
UNFINISHED = N_("no result")  # failed, cancelled or unfinished
SOUND_ALONE = N_("recording of sound")  # no face was judged, whatever its voices
OPINIONS = ("agree", "disagree", "unsure")
# The speed is computed from the latest analyses: older ones ran on other machines or models.
_LATEST = 1000
_DAYS, _WEEKS = 31, 27
_LENGTHS = (
    (N_("under 10 s"), 10.0),
    (N_("10 s to 1 min"), 60.0),
    (N_("1 to 10 min"), 600.0),
    (N_("10 min to 1 h"), 3600.0),
)
_LONGEST = N_("1 h and longer")

# The id of an analysis, and a current annotation of a finding in it.
OpinionInAnalysis = tuple[str, WithVerdict]


@dataclass(frozen=True)
class Count:
    """One row of a chart: a label, and the count of each kind; ``note`` explains the label."""

    label: str
    parts: Counter[str]
    note: str = ""

    @property
    def total(self) -> int:
        """The sum over all kinds."""
        return self.parts.total()


@dataclass(frozen=True)
class AnalysisSpeed:
    """Duration of analyses of exhibits of similar length: medians, in seconds."""

    label: str
    count: int
    taken: float
    ratio: float  # seconds of analysis per second of the exhibit


@dataclass(frozen=True)
class MachineAgreement:
    """Opinions of reviewers on the machine's findings, from current annotations of verified authors.

    ``exhibits`` has one row for each verdict of the machine, ``voices`` one for each verdict on the voices of
    recordings without picture. ``segments`` counts flagged segments of faces, ``voice_segments`` those of
    voices, and ``reviewers`` has one row for each person, exhibits and segments together. ``marked`` counts
    spans and segments that the machine did not flag and a reviewer considers manipulated.
    """

    exhibits: tuple[Count, ...]
    voices: tuple[Count, ...]
    segments: Count
    voice_segments: Count
    reviewers: tuple[Count, ...]
    marked: int
    judged: int  # analyses with any annotation

    @property
    def total(self) -> int:
        """The number of annotations of exhibits and flagged segments."""
        rows = (*self.exhibits, *self.voices, self.segments, self.voice_segments)
        return sum(row.total for row in rows)


@dataclass(frozen=True)
class ReviewerAgreement:
    """Agreement among reviewers: Krippendorff's alpha for nominal data.

    ``table`` counts second reviews with independent judgements, by conclusion of the first (rows) and of the
    second reviewer (columns), in the order of :data:`CONCLUSIONS`. ``not_alone`` counts those of earlier
    versions in which the first could read the second's annotations; they are excluded. ``voices`` covers
    those of them in which both concluded on the voices. ``segments`` and ``voice_segments`` cover verified
    annotations of one segment of a face or of the voice by several people, who may have seen one another's.
    """

    judgements: Reliability
    voices: Reliability
    table: tuple[tuple[int, ...], ...]
    standings: Counter[str]
    not_alone: int
    segments: Reliability
    voice_segments: Reliability

    @property
    def any(self) -> bool:
        """Whether anything was judged by two or more."""
        return bool(self.total or self.segments.units or self.voice_segments.units)

    @property
    def total(self) -> int:
        """The number of second reviews with two independent judgements."""
        return self.standings.total()


@dataclass(frozen=True)
class Overview:
    """Everything the page shows."""

    analyses: int
    exhibits: int
    photos: int  # examined exhibits, each once
    videos: int
    seconds: float  # of the videos
    recordings: int  # of sound without picture
    recorded: float  # seconds of these
    unmeasured: int  # analyses older than the column of durations
    verdicts: Count  # of videos and photos
    voices: Count  # verdicts on voices, of analyses that examined sound
    states: Count
    models: tuple[Count, ...]
    agreement: MachineAgreement
    reviews: ReviewerAgreement
    points: tuple[tuple[float, float], ...]  # seconds of exhibit and analysis
    speeds: tuple[AnalysisSpeed, ...]


def overview(session: Session) -> Overview:
    """Count everything."""
    by_state = Counter(_counts_by(session, shown_state()))
    by_verdict = Counter(_counts_by(session, AnalysisRow.verdict, ~_sound_alone()))
    photos, videos, recordings, unmeasured = _examined(session)
    points, opinions = _points(session), tuple(_opinions(session))
    return Overview(
        analyses=by_state.total(),
        exhibits=session.scalar(select(func.count()).select_from(Exhibit)) or 0,
        photos=photos,
        videos=videos[0],
        seconds=videos[1],
        recordings=recordings[0],
        recorded=recordings[1],
        unmeasured=unmeasured,
        verdicts=Count(gettext("Analyses"), Counter({verdict: by_verdict[verdict] for verdict in VERDICTS})),
        voices=Count(gettext("Analyses"), _voices(session)),
        states=Count(gettext("Analyses"), Counter({str(state): by_state[state] for state in State})),
        models=_models(session),
        agreement=agreement(session, opinions),
        reviews=reviews(session, opinions),
        points=points,
        speeds=speeds(points),
    )


def analyses_over_time(session: Session, weekly: bool, today: date) -> tuple[Count, ...]:
    """Count analyses by day or week and verdict, for the last month or half year."""
    days = _WEEKS * 7 if weekly else _DAYS
    first = today - timedelta(days=days - 1)
    if weekly:
        first -= timedelta(days=first.weekday())  # weeks start on Mondays
    day = func.date(AnalysisRow.created)
    since = AnalysisRow.created >= datetime.combine(first, time(), UTC)
    kind = case((_sound_alone(), SOUND_ALONE), else_=AnalysisRow.verdict)
    query = select(day, kind, func.count()).where(since)
    counts: dict[date, Counter[str]] = defaultdict(Counter)
    for text, verdict, count in session.execute(query.group_by(day, kind)):
        moment = date.fromisoformat(str(text))
        counts[moment - timedelta(days=moment.weekday() if weekly else 0)][verdict or UNFINISHED] += count
    step = timedelta(days=7 if weekly else 1)
    rows = []
    while first <= today:
        note = gettext("week of %(first)s", first=formatting.day(first.isoformat())) if weekly else ""
        rows.append(Count(first.isoformat(), counts[first], note))
        first += step
    return tuple(rows)


def agreement(session: Session, opinions: Iterable[OpinionInAnalysis]) -> MachineAgreement:
    """Count opinions on the machine's findings, one for each reviewer and finding."""
    verdict = case((AnalysisRow.sound_only, AnalysisRow.voice_verdict), else_=AnalysisRow.verdict)
    annotated = select(AnalysisRow.id, AnalysisRow.sound_only, verdict, AnalysisRow.unflagged).where(
        AnalysisRow.id.in_(select(AnnotationRow.analysis_id))
    )
    verdicts, unflagged = {}, set()
    for analysis_id, of_voice, verdict, ids in session.execute(annotated):
        verdicts[analysis_id] = of_voice, verdict or UNFINISHED
        unflagged |= {(analysis_id, segment) for segment in json.loads(ids or "[]")}
    exhibits: dict[tuple[bool, str], Counter[str]] = defaultdict(Counter)
    people: dict[str, Counter[str]] = defaultdict(Counter)
    segments: Counter[str] = Counter()
    voice_segments: Counter[str] = Counter()
    marked, judged = 0, set()
    for analysis_id, opinion in opinions:
        judged.add(analysis_id)
        if isinstance(opinion, SpanAnnotation):
            marked += opinion.verdict == "manipulated"
            continue
        if isinstance(opinion, SegmentAnnotation) and (analysis_id, opinion.segment) in unflagged:
            marked += opinion.verdict == "agree"  # here: the reviewer sees manipulation, the machine does not
            continue
        people[opinion.author][opinion.verdict] += 1
        if isinstance(opinion, ExhibitAnnotation):
            exhibits[verdicts[analysis_id]][opinion.verdict] += 1
        elif opinion.segment.startswith(VOICE_SEGMENT):
            voice_segments[opinion.verdict] += 1
        else:
            segments[opinion.verdict] += 1
    return MachineAgreement(
        exhibits=tuple(Count(verdict, exhibits[False, verdict]) for verdict in VERDICTS),
        voices=tuple(
            Count(verdict, exhibits[True, verdict]) for verdict in VOICE_VERDICTS if exhibits[True, verdict]
        ),
        segments=Count(gettext("flagged segments"), segments),
        voice_segments=Count(gettext("flagged segments of voices"), voice_segments),
        reviewers=_largest_first(Count(name, parts) for name, parts in people.items()),
        marked=marked,
        judged=len(judged),
    )


def _opinions(session: Session) -> Iterator[OpinionInAnalysis]:
    """Yield current annotations of findings, by analysis, without those of unverified authors."""
    query = select(AnnotationRow.analysis_id, AnnotationRow.body).order_by(AnnotationRow.analysis_id)
    for analysis_id, rows in groupby(session.execute(query), key=lambda row: row[0]):
        for annotation in current(ANNOTATION.validate_json(body) for _, body in rows):
            if verified(annotation) and isinstance(annotation, WithVerdict):
                yield analysis_id, annotation


def reviews(session: Session, opinions: Iterable[OpinionInAnalysis]) -> ReviewerAgreement:
    """Measure the agreement among reviewers within what the caller may see."""
    judged = second_reviews.judged_reviews(session)
    independent = [review for review in judged if review.alone]
    conclusions = [(review.first.conclusion, review.second.conclusion) for review in independent]
    on_voices = [
        (review.first.voice, review.second.voice)
        for review in independent
        if review.first.voice and review.second.voice
    ]
    pairs = Counter(conclusions)
    verdicts: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for analysis_id, opinion in opinions:
        if isinstance(opinion, SegmentAnnotation):
            verdicts[analysis_id, opinion.segment][opinion.author] = opinion.verdict
    of_faces, of_voices = (
        [
            tuple(by_author.values())
            for (_, segment), by_author in verdicts.items()
            if segment.startswith(VOICE_SEGMENT) is is_voice
        ]
        for is_voice in (False, True)
    )
    return ReviewerAgreement(
        judgements=reliability(conclusions),
        voices=reliability(on_voices),
        table=tuple(tuple(pairs[row, column] for column in CONCLUSIONS) for row in CONCLUSIONS),
        standings=Counter(review.standing for review in independent),
        not_alone=len(judged) - len(independent),
        segments=reliability(of_faces),
        voice_segments=reliability(of_voices),
    )


def speeds(points: Iterable[tuple[float, float]]) -> tuple[AnalysisSpeed, ...]:
    """Return medians for groups of exhibits of similar length; empty groups are left out."""
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


def _counts_by(session: Session, column: object, *where: ColumnElement[bool]) -> dict[str, int]:
    query = select(column, func.count()).where(*where).group_by(column)  # type: ignore[call-overload]
    return {str(name): count for name, count in session.execute(query)}


def _summary() -> ColumnElement[str]:
    """Return the JSON of a row's summary, as ``json.dumps`` wrote it; "" for one without."""
    return func.coalesce(AnalysisRow.summary, "")


def _sound_alone() -> ColumnElement[bool]:
    """Match analyses of recordings without picture whose sound was examined."""
    return AnalysisRow.sound_only.is_(True)


def _voices(session: Session) -> Counter[str]:
    """Count analyses with a finding by verdict on the voices, where sound was examined."""
    counts = Counter(_counts_by(session, AnalysisRow.voice_verdict, _HAS_FINDING))
    return Counter({verdict: counts[verdict] for verdict in VOICE_VERDICTS})


def _examined(session: Session) -> tuple[int, tuple[int, float], tuple[int, float], int]:
    """Return photos, videos and recordings of sound with their seconds, and analyses of unknown length.

    Each exhibit is counted once.
    """
    lengths = (
        select(
            func.max(AnalysisRow.duration).label("length"),
            func.max(case((_sound_alone(), 1), else_=0)).label("sound"),
        )
        .where(_HAS_FINDING, AnalysisRow.duration.is_not(None))
        .group_by(AnalysisRow.exhibit_id)
        .subquery()
    )
    photos = session.scalar(select(func.count()).select_from(lengths).where(lengths.c.length == 0)) or 0
    played = {0: (0, 0.0), 1: (0, 0.0)}
    by_kind = select(lengths.c.sound, func.count(), func.sum(lengths.c.length)).where(lengths.c.length > 0)
    for sound, count, seconds in session.execute(by_kind.group_by(lengths.c.sound)):
        played[sound] = count, float(seconds or 0.0)
    unknown = (
        select(func.count()).select_from(AnalysisRow).where(_HAS_FINDING, AnalysisRow.duration.is_(None))
    )
    return photos, played[0], played[1], session.scalar(unknown) or 0


def _models(session: Session) -> tuple[Count, ...]:
    query = select(AnalysisRow.model, AnalysisRow.verdict, func.count()).where(_HAS_FINDING, ~_sound_alone())
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for model, verdict, count in session.execute(query.group_by(AnalysisRow.model, AnalysisRow.verdict)):
        counts[model or N_("not kept")][verdict or UNFINISHED] += count
    return _largest_first(Count(name, parts) for name, parts in counts.items())


def _largest_first(counts: Iterable[Count]) -> tuple[Count, ...]:
    return tuple(sorted(counts, key=lambda count: (-count.total, count.label.casefold())))


def _points(session: Session) -> tuple[tuple[float, float], ...]:
    """Return the lengths of the latest videos with the durations of their analyses, in seconds."""
    query = (
        select(AnalysisRow.duration, AnalysisRow.started, AnalysisRow.finished)
        .where(AnalysisRow.state == State.DONE, AnalysisRow.duration > 0, ~_sound_alone())
        .order_by(AnalysisRow.created.desc())
        .limit(_LATEST)
    )
    return tuple(
        (length, taken)
        for length, started, finished in session.execute(query)
        if length and started and finished and (taken := (finished - started).total_seconds()) > 0
    )


# Marks on an axis of seconds, in readable units.
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
    """The part of a bar for one kind."""

    kind: str
    count: int
    start: float
    length: float


@dataclass(frozen=True)
class Bar:
    """One bar with its label."""

    label: str
    note: str
    total: int
    pieces: tuple[BarPiece, ...]


@dataclass(frozen=True)
class ChartTick:
    """A tick of an axis; that of reports brings SciPy, which pages do without."""

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
    """Points on two logarithmic axes of the same scale and the length ``size``; ``y`` grows downwards."""

    points: tuple[tuple[float, float], ...]
    size: float
    ticks: tuple[ChartTick, ...]


def bar_chart(counts: Sequence[Count], kinds: Sequence[str], length: float) -> BarChart:
    """Draw a bar for each count, with pieces for ``kinds`` in that order."""
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
    """Draw a bar for each kind of one count."""
    counts = [Count(kind, Counter({kind: count.parts[kind]})) for kind in kinds]
    return bar_chart(counts, kinds, length)


def scatter_plot(points: Sequence[tuple[float, float]], size: float) -> ScatterPlot:
    """Plot seconds against seconds."""
    values = [value for point in points for value in point] or [1.0, 60.0]
    low = max((mark for mark, _ in _MARKS if mark <= min(values)), default=_MARKS[0][0])
    high = min((mark for mark, _ in _MARKS if mark > max(low, *values)), default=_MARKS[-1][0])
    scale = size / math.log10(high / low)

    def position(value: float) -> float:
        return math.log10(min(max(value, low), high) / low) * scale

    ticks = tuple(
        ChartTick(round(position(mark), 2), localized(label)) for mark, label in _MARKS if low <= mark <= high
    )
    marks = tuple((round(position(x), 1), round(size - position(y), 1)) for x, y in points)
    return ScatterPlot(marks, size, ticks)


def _round_axis(most: int) -> tuple[int, int]:
    """Return the round end of an axis up to ``most`` and the step of its marks, at most five of them."""
    step = next(
        digit * 10**power for power in range(20) for digit in (1, 2, 5) if most <= 5 * digit * 10**power
    )
    return max(step * math.ceil(most / step), step), step


blueprint = Blueprint("statistics", __name__)

_BAR, _COLUMN, _CLOUD = 300.0, 150.0, 220.0  # lengths of axes, in units of the SVG
_STATES = tuple(str(state) for state in State)


@blueprint.get("/statistics")
@require(Permission.READ)
def show() -> str:
    """Show counts, speed and agreement as charts and tables, by ``per`` day or week."""
    weekly = request.args.get("per") == "week"
    with visible_session() as session:
        figures = overview(session)
        over_time = analyses_over_time(session, weekly, now().date())
    recordings = (SOUND_ALONE,) if figures.recordings else ()
    kinds = (*VERDICTS, *recordings, UNFINISHED)
    of_voices = (figures.agreement.voice_segments,) if figures.agreement.voice_segments.total else ()
    opinions = (
        *figures.agreement.exhibits,
        *figures.agreement.voices,
        figures.agreement.segments,
        *of_voices,
    )
    return render_template(
        "analyses/statistics.html",
        figures=figures,
        weekly=weekly,
        verdicts=bars_by_kind(figures.verdicts, VERDICTS, _BAR),
        voices=bars_by_kind(figures.voices, VOICE_VERDICTS, _BAR),
        states=bars_by_kind(figures.states, _STATES, _BAR),
        over_time=bar_chart(over_time, kinds, _COLUMN),
        models=bar_chart(figures.models, VERDICTS, _BAR),
        opinions=bar_chart(opinions, OPINIONS, _BAR),
        reviewers=bar_chart(figures.agreement.reviewers, OPINIONS, _BAR),
        conclusions=CONCLUSIONS,
        cloud=scatter_plot(figures.points, _CLOUD),
    )
