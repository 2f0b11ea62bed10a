"""Compare two analyses of one exhibit, by the tolerances that stand on the fields of the schema."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from detector.backends.runtimes import number_format
from detector.metadata.anomalies import DEPEND_ON_NOW, IN_THE_FUTURE
from detector.schema.analysis import (
    Analysis,
    Box,
    CalmFrame,
    Declaration,
    Media,
    Model,
    Peak,
    Person,
    Score,
    Segment,
    Software,
    StripFace,
)
from detector.schema.causes.cause import Cause
from detector.schema.formatting import count_noun, timecode
from detector.schema.measurements import Span
from detector.schema.metadata import DeclarationKind, HiddenPlace
from detector.schema.peaks import FaceFrame
from detector.schema.scores import overlap
from detector.schema.tolerance import BETWEEN, FRAMES, INSTANT, LOGIT, PLACE, PROBABILITY, SAME, UNMATCHED
from detector.schema.voice import ChannelFinding
from detector.segments.rules import interval_index, is_sampled
from detector.verdict.finding import (
    averaged_figure_follows,
    finding_of,
    kind_is_borderline,
    probability_as_counted_now,
)
from verification.field_agreement import (
    Field,
    FieldAgreement,
    in_one_only,
    is_not,
    other_count,
    other_length,
    shortened,
)

_SAME_FACE, _SAME_PLACE = 0.5, 0.8  # intersection over union of boxes: of one face; of one that has not moved
_FEW_FACES = 20  # with fewer, one that is judged in only one of the two weighs much


@dataclass(frozen=True)
class Agreement:
    """The result of a comparison of two analyses, which agree if there are no problems.

    ``of_file`` are problems about the file's metadata, which other libraries may read differently;
    ``replaced`` are the recorded peaks in whose place another frame was chosen.
    """

    problems: tuple[str, ...]
    of_file: tuple[str, ...]
    replaced: tuple[str, ...]
    scores: int  # number of faces that both judged
    unmatched: int  # number of faces that only one judged
    score_difference: float  # largest difference of a frame's probability
    score_time: float | None  # its time in seconds
    segment_difference: float  # largest, of a segment's confidence or the exhibit's probability
    edge_difference: float  # largest, of a segment's start or end, in seconds

    @property
    def agree(self) -> bool:
        return not self.problems and not self.of_file

    def __str__(self) -> str:
        place = "" if self.score_time is None else f" at {timecode(self.score_time)}"
        return (
            f"{self.scores:,} scores compared, largest difference {self.score_difference:.2g}{place}; "
            f"{self.unmatched:,} judged in one only; segments' probabilities differ by at most "
            f"{self.segment_difference:.2g}, their edges by at most {self.edge_difference:.3f} s"
        )


def compare_analyses(recorded: Analysis, again: Analysis) -> Agreement:
    """Compare ``again`` with ``recorded``, both of one exhibit, by one model, with the same parameters.

    Where another version of the engine made one of the two, only findings are compared.
    """
    comparison = _Comparison(recorded, again)
    problems = list(comparison.differences(recorded, again))
    replaced = comparison.replaced
    for number, pair in enumerate(zip(recorded.others, again.others, strict=False), start=2):
        other = compare_analyses(
            *(whole.by(part) for whole, part in zip((recorded, again), pair, strict=True))
        )
        known = set(problems)  # differences of the shared coverage
        problems += [f"by model {number}, {problem}" for problem in other.problems if problem not in known]
        replaced += [f"{name} by model {number}" for name in other.replaced]
    apart = [abs((old.probability or 0.0) - (new.probability or 0.0)) for old, new in comparison.pairs]
    worst = max(range(len(apart)), key=apart.__getitem__, default=None)
    return Agreement(
        problems=tuple(problems),
        of_file=tuple(shortened(comparison.of_file)),
        replaced=tuple(replaced),
        scores=len(apart),
        unmatched=len(comparison.alone),
        score_difference=0.0 if worst is None else apart[worst],
        score_time=None if worst is None else comparison.pairs[worst][0].time,
        segment_difference=comparison.difference,
        edge_difference=comparison.edge,
    )


def same_engine_version(first: Software, second: Software) -> bool:
    """Check whether one version of the engine made both, as far as is recorded."""
    names = ("source_sha256", "face_proposals_sha256", "covered_faces_sha256")
    return all(getattr(first, name) == getattr(second, name) for name in names)


def same_arithmetic(first: Software, second: Software) -> bool:
    """Check whether both used the same kind of numbers, as far as is recorded."""
    kinds = {number_format(software.precision) for software in (first, second)}
    return "" in kinds or len(kinds) == 1


def same_heatmap_arithmetic(first: Software, second: Software) -> bool:
    """Check whether heatmaps of faces were computed in the same kind of numbers, as far as is recorded."""
    kinds = {number_format(software.heatmap_precision or software.precision) for software in (first, second)}
    return "" in kinds or len(kinds) == 1


def _same_place(first: Box, second: Box) -> bool:
    """Check whether two boxes are the same within the tolerance between machines."""
    room = max(PLACE.by, PLACE.share * (second[2] - second[0]))
    return all(abs(a - b) <= room for a, b in zip(first, second, strict=True))


class _Comparison(FieldAgreement):
    """Two analyses by one model, and what tolerances of single fields need to know of them.

    The methods with ``old``, ``new`` and ``field`` are comparisons that tolerances of the schema name.
    """

    def __init__(self, recorded: Analysis, again: Analysis) -> None:
        self.recorded, self.again = recorded, again
        self.same_engine = same_engine_version(recorded.software, again.software)
        self.findings_only = not self.same_engine
        self.same_heatmaps = same_heatmap_arithmetic(recorded.software, again.software)
        sampled = max(recorded.coverage.frames_sampled, 1)
        self.interval = recorded.media.duration / sampled
        self.step = math.ceil(recorded.media.frames / sampled)  # decoded frames for each sampled one
        self.difference = self.edge = 0.0
        self.of_file: list[str] = []
        self.replaced: list[str] = []
        self.pairs: list[tuple[Score, Score]] = []
        self.alone: list[Score] = []
        self.persons: dict[str, str] = {}  # of the repeated analysis, by the recorded ones
        self._pair_faces()

    def _pair_faces(self) -> None:
        """Match faces by frame and box, and persons by their faces."""
        candidates: dict[int, list[tuple[str, Score]]] = defaultdict(list)
        for name, score in _judged(self.again):
            candidates[score.pts].append((name, score))
        together = Counter[tuple[str, str]]()
        for name, score in _judged(self.recorded):
            near = candidates[score.pts]
            match = max(near, key=lambda new: overlap(score.box, new[1].box), default=None)
            if match is None or overlap(score.box, match[1].box) < _SAME_FACE:
                self.alone.append(score)
                continue
            near.remove(match)
            self.pairs.append((score, match[1]))
            together[name, match[0]] += 1
        self.alone += [score for near in candidates.values() for _, score in near]
        for (old, new), _ in together.most_common():
            self.persons.setdefault(old, new)

    def _whole(self, old: Any, new: Any, field: Field) -> Iterator[str]:
        """Compare all fields, whichever version of the engine made them."""
        problems = list(FieldAgreement().differences(old, new, field.name))
        yield from shortened(problems)
        if old != new and not problems:
            yield f"{field.name} is not the same"

    def _card(self, old: Model, new: Model, field: Field) -> Iterator[str]:
        if old.sha256 != new.sha256:
            yield "the models are not the same"
        if self.same_engine:
            yield from self._whole(old, new, replace(field, name="the card of the model:"))

    def _same_number(self, old: Any, new: Any, field: Field) -> Iterator[str]:
        """Compare lists of the same length, in which another machine may choose other items."""
        if len(old) != len(new):
            yield other_length(field.name, old, new)
        yield from self.of_field(old, new, _within_limits(field))

    def _check(self, old: Any, new: Any, field: Field) -> Iterator[str]:
        """Compare what a check decides, and its figures within their tolerances, in the same arithmetic."""
        if not self.same_heatmaps and old is not None and new is not None:
            return
        if old is not None and new is not None and old.confirmed is not new.confirmed:
            words = ["confirmed" if check.confirmed else "not confirmed" for check in (new, old)]
            yield is_not(f"the heatmap of {field.name}", *words)
        yield from self.of_field(old, new, _within_limits(field))

    def _heat(self, old: float, new: float, field: Field) -> Iterator[str]:
        """Compare strengths of heatmaps, which belong to different maps if the arithmetic differs."""
        if self.same_heatmaps:
            yield from self.of_field(old, new, _within_limits(field))

    def _arithmetic(self, old: Any, new: Any, field: Field) -> Iterator[str]:
        if not same_arithmetic(field.old, field.new):
            yield is_not("the arithmetic", f"not the same: {number_format(new)}", number_format(old)) + (
                "; see REELPROOF_BACKEND"
            )

    def _place(self, old: Box, new: Box, field: Field) -> Iterator[str]:
        if not _same_place(old, new):
            yield f"{field.name} lies elsewhere in the picture"

    def _set(self, old: Any, new: Any, field: Field) -> Iterator[str]:
        if set(old) != set(new):
            yield f"{field.name} are {', '.join(new)}, where {', '.join(old)} are recorded"

    def _causes(self, old: Sequence[Cause], new: Sequence[Cause], field: Field) -> Iterator[str]:
        """Compare the codes of a reason, and parameters but for counts of faces and frames.

        The seconds in the reason of a verdict on voices follow from fields that are compared.
        """
        codes_alone = isinstance(field.old, ChannelFinding)
        if not old and not new:  # before 0.2
            same = field.old.reason == field.new.reason
        else:
            same = len(old) == len(new) and all(
                a.code == b.code and (codes_alone or _same_parameters(a, b))
                for a, b in zip(old, new, strict=True)
            )
        if not same:
            where = field.name.removesuffix("causes")
            yield is_not(f"{where}the reason", f"“{field.new.reason}”", f"“{field.old.reason}”")

    def _averaged(self, old: float | None, new: float | None, field: Field) -> Iterator[str]:
        """Compare the exhibit's probability, which in a photograph averages the odds of its faces."""
        if old is None or new is None:
            yield from in_one_only(old, new, field.name)
            return
        figures = [face.probability or 0.0 for face in finding_of(self.recorded).averaged]
        figure = old if self.same_engine else probability_as_counted_now(self.recorded)
        if not averaged_figure_follows(new, figures, PROBABILITY.by):
            self.difference = max(self.difference, abs(figure - new))
            if not PROBABILITY.same(figure, new):
                yield is_not(field.name, f"{new:.3f}", f"{figure:.3f}")

    def _second_answers(self, old: Any, new: Any, field: Field) -> Iterator[str]:
        if old is None or new is None:
            if self.same_engine:
                yield from in_one_only(old, new, field.name, "stand")
        elif self.recorded.media.still or self.same_engine:
            looks = [face.second_look for face in finding_of(self.recorded).averaged if face.second_look]
            for name in ("altered", "synthesised"):
                a, b = getattr(old, name), getattr(new, name)
                follows = averaged_figure_follows(b, [getattr(look, name) for look in looks], PROBABILITY.by)
                if not follows and not PROBABILITY.same(a, b):
                    yield is_not(f"{field.name} {name}", f"{b:.3f}", f"{a:.3f}")

    def _kind(self, old: Any, new: Any, _field: Field) -> Iterator[str]:
        """Compare the kind of manipulation, which near its border may be decided in only one of the two."""
        answered = self.recorded.answers and self.again.answers
        if not answered or not (self.recorded.media.still or self.same_engine) or old is new:
            return
        near = kind_is_borderline(self.again, PROBABILITY.by)
        if (old and new) or (self.same_engine and not near):
            yield is_not("the kind of manipulation", new or "not told", old or "none")

    def _file(self, old: Media, new: Media, _field: Field) -> Iterator[str]:
        """Compare what is read from the file, which other libraries may read otherwise."""
        if old.sha256 != new.sha256:
            yield "the exhibits are not the same"
        if not self.same_engine:
            return
        media = [analysis.with_examined_sound().media for analysis in (self.recorded, self.again)]
        self.of_file += self.differences(media[0], media[1], "of the file,")
        depends = any(anomaly.kind == IN_THE_FUTURE for anomaly in (*old.anomalies, *new.anomalies))
        left_out = DEPEND_ON_NOW if depends else frozenset()
        kept = [[item for item in part.anomalies if item.kind not in left_out] for part in (old, new)]
        if kept[0] != kept[1]:
            self.of_file.append("of the file, other anomalies are found than are recorded")
        same_libraries = self.recorded.software.libraries == self.again.software.libraries
        if (self._same_credentials() or same_libraries) and old.credentials != new.credentials:
            self.of_file.append("of the file, its Content Credentials are told otherwise")

    def _same_credentials(self) -> bool:
        """Check whether one library read the Content Credentials of both."""
        old, new = self.recorded.media.credentials, self.again.media.credentials
        return bool(old and new and old.library == new.library)

    def _declared(self, old: Any, new: Any, _field: Field) -> Iterator[str]:
        """Compare declarations, as far as both analyses had the libraries that read them."""
        if old is None or new is None:
            if old is not new and self.same_engine:
                self.of_file.append("what the file declares was read in only one of the two")
            return
        media = (self.recorded.media, self.again.media)
        checked = all(part.credentials is not None and part.credentials.checked for part in media)
        facts = [
            {(item.kind, item.says, item.meaning) for item in self._comparable(part, checked)}
            for part in (old, new)
        ]
        if facts[0] != facts[1]:
            gone, more = len(facts[0] - facts[1]), len(facts[1] - facts[0])
            yield f"what the file declares differs: {gone} gone, {more} new"
        wholes = [self._comparable(part, self._same_credentials()) for part in (old, new)]
        if self.same_engine and wholes[0] != wholes[1]:
            self.of_file.append("what the file declares is told otherwise")

    def _comparable(self, declarations: Sequence[Declaration], credentials: bool) -> list[Declaration]:
        """Leave out Content Credentials without ``credentials``, and marks if one searched no sound."""
        marks = (self.recorded.marks, self.again.marks)
        sound = all(search is not None and search.sound is not None for search in marks)
        return [
            item
            for item in declarations
            if (credentials or item.kind is not DeclarationKind.CONTENT_CREDENTIALS)
            and (sound or not (item.hidden and item.hidden.place is HiddenPlace.SOUND))
        ]

    def _persons(self, old: Sequence[Person], new: Sequence[Person], _field: Field) -> Iterator[str]:
        yield from self._of_probabilities()
        if not self.same_engine:
            return
        yield from shortened(list(self._of_faces()))
        repeated = {person.id: person for person in new}
        problems: list[str] = []
        for person in old:
            match = repeated.get(self.persons.get(person.id, ""))
            if match is not None:
                problems += self.differences(person, match, f"person {person.id}:")
            elif person.probability is not None or person.usable_frames:
                problems.append(f"person {person.id} is nobody who was judged")
        for name in sorted(set(repeated) - set(self.persons.values())):
            judged = repeated[name].usable_frames
            if not _same_count(0, judged):
                frames = count_noun(judged, "sampled frame")
                problems.append(f"a person was judged in {frames} who is not recorded")
        yield from shortened(problems)

    def _of_probabilities(self) -> Iterator[str]:
        apart = (abs((a.probability or 0.0) - (b.probability or 0.0)) for a, b in self.pairs)
        if (largest := max(apart, default=0.0)) > PROBABILITY.by:
            yield f"a score differs by {largest:.3f}, more than {PROBABILITY.by:g}"
        samples = _samples(self.recorded) | _samples(self.again)
        for is_sample, allowed in ((True, UNMATCHED), (False, BETWEEN)):
            unmatched = sum((score.pts in samples) is is_sample for score in self.alone)
            count = unmatched + sum((score.pts in samples) is is_sample for score, _ in self.pairs)
            if unmatched > allowed * count:
                were = "was" if unmatched == 1 else "were"
                yield f"{unmatched:,} of {count:,} judged faces {were} judged in only one of the two"

    def _of_faces(self) -> Iterator[str]:
        """Yield differences of logits, and of the places of more than a few faces."""
        for old, new in self.pairs:
            if not LOGIT.same(old.logit or 0.0, new.logit or 0.0):
                yield is_not(f"a logit at {timecode(old.time)}", f"{new.logit:.3f}", f"{old.logit:.3f}")
            if not INSTANT.same(old.time, new.time):
                yield f"a face at {timecode(new.time)} is recorded at {timecode(old.time)}"
        moved = sum(not _same_place(old.box, new.box) for old, new in self.pairs)
        skipped = sum(old.interpolated is not new.interpolated for old, new in self.pairs)
        if skipped > BETWEEN * len(self.pairs):
            yield f"{skipped:,} of {len(self.pairs):,} scores are interpolated in only one of the two"
        if any(overlap(old.box, new.box) < _SAME_PLACE for old, new in self.pairs):
            yield "a face lies elsewhere"
        if moved > BETWEEN * len(self.pairs):
            yield f"{moved:,} of {len(self.pairs):,} faces lie elsewhere"

    def _quality(self, old: Any, new: Any, field: Field) -> Iterator[str]:
        """Compare the quality of a person's faces, unless few were judged, and one only once."""
        frames = (field.old.usable_frames, field.new.usable_frames)
        if frames[0] == frames[1] or min(frames) >= _FEW_FACES:
            yield from self.of_field(old, new, replace(field, tolerance=SAME))

    def _contrasts(self, old: Any, new: Any, field: Field) -> Iterator[str]:
        """Yield contrasts found in one analysis only, except for barely raised ones."""
        for first, second, word in ((old, new, "not found"), (new, old, "not recorded")):
            for item in first:
                if abs(item.raised) > LOGIT.by and not any(
                    max(abs(item.start - other.start), abs(item.end - other.end)) <= 1.5 * self.interval
                    and LOGIT.same(item.contrast, other.contrast)
                    and LOGIT.same(item.raised, other.raised)
                    for other in second
                ):
                    when = f"{timecode(item.start)} to {timecode(item.end)}"
                    yield f"{field.name}: that {when} stands out by {item.contrast:.3g} is {word}"

    def _cuts(self, old: Any, new: Any, _field: Field) -> Iterator[str]:
        if len(old) != len(new) or any(abs(a - b) > self.interval for a, b in zip(old, new, strict=True)):
            yield f"{len(new):,} cuts were found, not at the times of the {len(old):,} recorded"

    def _spans(self, old: Sequence[Span], new: Sequence[Span], field: Field) -> Iterator[str]:
        """Compare intervals that were not judged, whose edges may move."""
        voices = isinstance(field.old, ChannelFinding)
        room = field.old.scores.step if voices else 2 * self.interval * FRAMES
        for first, second, word in ((old, new, "not recorded"), (new, old, "not found")):
            for span in second:
                least = 2 * room if voices else room
                if span.end - span.start > least and not _is_covered_by(span, first, room):
                    when = f"{timecode(span.start)} to {timecode(span.end)}"
                    what = "judged" if voices else "examined"
                    yield f"that {when} was not {what} ({span.reason}) is {word}"

    def _around(self, old: int, new: int, field: Field) -> Iterator[str]:
        """Compare numbers of frames, of which some lie around edges that may move."""
        edges = 2
        if not isinstance(field.old, Segment):
            edges *= FRAMES * max(len(self.recorded.segments), len(self.again.segments))
        if abs(old - new) > max(self.step * edges, math.ceil(field.tolerance.share * old)):
            yield other_count(field.name, old, new)

    def _segments(self, old: Sequence[Segment], new: Sequence[Segment], _field: Field) -> Iterator[str]:
        ids = [", ".join(segment.id for segment in segments) or "none" for segments in (old, new)]
        if ids[0] != ids[1]:
            yield f"the segments are {ids[1]}, where {ids[0]} are recorded"
        again = {segment.id: segment for segment in new}
        problems: list[str] = []
        for before in old:
            now = again.get(before.id)
            if now is None or (ids[0] != ids[1] and not self.same_engine):
                continue
            if ids[0] == ids[1]:
                self.difference = max(self.difference, abs(before.confidence - now.confidence))
                self.edge = max(self.edge, abs(before.start - now.start), abs(before.end - now.end))
            problems += self.differences(before, now, f"segment {before.id}:")
            if self.same_engine and self.persons.get(before.person, now.person) != now.person:
                problems.append(f"segment {before.id} is of another person")
        yield from shortened(problems)

    def _edge(self, old: float, new: float, field: Field) -> Iterator[str]:
        """Compare edges of segments, which may move by a sampled frame of the person."""
        persons = self.recorded.persons
        times = next((p.scores.time for p in persons if p.id == field.old.person), np.empty(0))
        low, high = min(old, new) - INSTANT.by, max(old, new) + INSTANT.by
        inside = times[(low <= times) & (times <= high)]
        intervals = np.unique(interval_index(inside, self.recorded.parameters.sample_rate))
        if len(intervals) - 1 > FRAMES:
            yield is_not(field.name, timecode(new), timecode(old))

    def _edge_frame(self, old: int | None, new: int | None, field: Field) -> Iterator[str]:
        edge = field.name.split()[-2]  # start or end
        moved = not INSTANT.same(getattr(field.old, edge), getattr(field.new, edge))
        near = old is not None and new is not None and moved and abs(old - new) <= 2 * self.step
        if old != new and not near:
            yield is_not(field.name, new, old)

    def _peaks(self, old: Sequence[Peak], new: Sequence[Peak], field: Field) -> Iterator[str]:
        if len(old) != len(new):
            verb = "is" if len(old) == 1 else "are"
            yield f"{field.name}: {count_noun(len(new), 'peak')}, where {len(old)} {verb} recorded"
        again = {peak.pts: peak for peak in new}
        lowest = min((peak.probability for peak in new), default=1.0)
        for number, peak in enumerate(old, start=1):
            name = f"peak {number} of segment {field.new.id}"
            if peak.pts not in again:
                self.replaced.append(name)
            yield from self._of_frame(
                peak, again.get(peak.pts), name, field.new, lambda value: value >= lowest - PROBABILITY.by
            )

    def _calm(self, old: CalmFrame | None, new: CalmFrame | None, field: Field) -> Iterator[str]:
        name = f"the calm frame of segment {field.new.id}"
        if old is None or new is None:
            yield from in_one_only(old, new, name)
            return
        chosen = self._score_of(field.new, new.pts)
        highest = -1.0 if chosen is None or chosen.smoothed is None else chosen.smoothed
        match = new if old.pts == new.pts else None
        yield from self._of_frame(
            old, match, name, field.new, lambda value: value <= highest + PROBABILITY.by
        )

    def _of_frame(
        self,
        old: FaceFrame,
        new: FaceFrame | None,
        name: str,
        now: Segment,
        fits: Callable[[float], bool],
    ) -> Iterator[str]:
        """Compare a frame of a segment with the same one.

        Of frames that score alike another machine may choose another one: then the frame must score as
        recorded, and its smoothed probability fit as well as that of the one chosen in its place.
        """
        if new is not None:
            yield from self.differences(old, new, f"{name}:")
            return
        score = self._score_of(now, old.pts)
        if (
            score is None
            or score.smoothed is None
            or not fits(score.smoothed)
            or not INSTANT.same(old.time, score.time)
            or not _same_place(old.box, score.box)
            or not PROBABILITY.same(old.probability, score.probability or 0.0)
        ):
            yield f"{name}: none is found at {timecode(old.time)}"

    def _score_of(self, segment: Segment, pts: int) -> Score | None:
        """Return the score that the person of a repeated segment has in a frame."""
        scores = (person.scores for person in self.again.persons if person.id == segment.person)
        return next((score for score in next(scores, ()) if score.pts == pts), None)

    def _strip(self, old: Sequence[StripFace], new: Sequence[StripFace], field: Field) -> Iterator[str]:
        """Compare film strips, which exist with pictures only and follow the ends of a segment."""
        if not new:
            return
        name, faces = f"film strip of segment {field.new.id}", {face.pts: face for face in new}
        moved = (field.old.start, field.old.end) != (field.new.start, field.new.end)
        if old and not moved and len(old) != len(new):
            yield f"{name} has {count_noun(len(new), 'face')}, not {len(old)}"
        for number, face in enumerate(old, start=1):
            if (match := faces.get(face.pts)) is not None:
                yield from self.differences(face, match, f"{name}: face {number}:")
            elif not moved:
                yield f"{name}: no face {number} at {timecode(face.time)}"

    def _voice_edge(self, old: float, new: float, field: Field) -> Iterator[str]:
        """Compare edges of segments of voices, which may move by one window."""
        step = self.recorded.voice.scores.step if self.recorded.voice else 0.0
        if abs(old - new) > step + INSTANT.by:
            yield is_not(field.name, timecode(max(0.0, new)), timecode(max(0.0, old)))

    def _others(self, old: Any, new: Any, _field: Field) -> Iterator[str]:
        if len(old) != len(new):
            yield f"{count_noun(len(new), 'other model')} judged, where {len(old)} are recorded"


def _within_limits(field: Field) -> Field:
    """Return ``field`` with the limits of its tolerance, without its comparison by name."""
    return replace(field, tolerance=replace(field.tolerance, how=""))


def _same_parameters(old: Cause, new: Cause) -> bool:
    if old.parameters.keys() != new.parameters.keys():
        return False
    for first, second in ((value, new.parameters[name]) for name, value in old.parameters.items()):
        if isinstance(first, int) and isinstance(second, int) and min(first, second) >= _FEW_FACES:
            if not _same_count(first, second):
                return False
        elif first != second:
            return False
    return True


def _stated(span: Span) -> object:
    """Return what a span states; before 0.2 its sentence alone."""
    return (span.cause.code, span.cause.parameters) if span.cause else span.reason


def _same_count(first: float, second: float) -> bool:
    """Check whether two counts of faces or frames are the same but for what only one of both judged."""
    return abs(first - second) <= max(1, math.ceil(UNMATCHED * max(first, second)))


def _is_covered_by(span: Span, spans: Sequence[Span], room: float) -> bool:
    """Check whether ``spans`` with the same reason cover ``span``, with ``room`` seconds at each end."""
    position = span.start
    same = (candidate for candidate in spans if _stated(candidate) == _stated(span))
    for candidate in sorted(same, key=lambda candidate: candidate.start):
        if candidate.start - room <= position:
            position = max(position, candidate.end + room)
    return position >= span.end


def _samples(analysis: Analysis) -> set[int]:
    """Return the PTS of sampled frames with a face."""
    columns = [[getattr(person.scores, name) for person in analysis.persons] for name in ("time", "pts")]
    times, pts = (np.concatenate([np.empty(0, np.int64), *column]) for column in columns)
    order = np.argsort(times, kind="stable")
    return set(pts[order][is_sampled(times[order], analysis.parameters.sample_rate)].tolist())


def _judged(analysis: Analysis) -> list[tuple[str, Score]]:
    return [(person.id, score) for person in analysis.persons for score in person.scores if score.usable]
