"""Compare two analyses of one exhibit, by the tolerances that stand on the fields of the schema."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from detector.schema.scores import overlap
from detector.schema.tolerance import (
    BETWEEN,
    FRAMES,
    INSTANT,
    LOGIT,
    PLACE,
    PROBABILITY,
    UNMATCHED,
    Tolerance,
)
from detector.schema.voice import ChannelFinding
from detector.segments.rules import interval_index, is_sampled
from detector.verdict.finding import (
    averaged_figure_follows,
    finding_of,
    kind_is_borderline,
    probability_as_counted_now,
)
from verification.field_agreement import FieldAgreement, shortened

_SAME_FACE, _SAME_PLACE = 0.5, 0.8  # intersection over union of boxes: of one face; of one that has not moved
_FEW_FACES = 20  # with fewer, one that is judged in one of both only weighs much
_OWN_COMPARISONS = """
    around arithmetic averaged calm card causes contrasts cuts declared edge edge_frame file kind others peaks
    persons place quality same_number second_answers segments set spans strip voice_edge whole
"""  # by the names that tolerances of the schema give them (``how``)


@dataclass(frozen=True)
class Agreement:
    """The result of a comparison of two analyses, which agree if there are no problems.

    ``of_file`` are problems about the file's metadata, which other libraries may read differently.
    """

    problems: tuple[str, ...]
    of_file: tuple[str, ...]
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
    return _Comparison(recorded, again).agreement()


def same_engine_version(first: Software, second: Software) -> bool:
    """Check whether one version of the engine made both, as far as is recorded."""
    return all(
        getattr(first, name) == getattr(second, name)
        for name in ("source_sha256", "face_proposals_sha256", "covered_faces_sha256")
    )


def same_arithmetic(first: Software, second: Software) -> bool:
    """Check whether both used the same kind of numbers, as far as is recorded."""
    kinds = {number_format(software.precision) for software in (first, second)}
    return "" in kinds or len(kinds) == 1


def matching_peak(peak: Peak, segment: Segment) -> Peak | None:
    """Return the peak of ``segment`` in the same frame, whose pictures can be compared."""
    return next((candidate for candidate in segment.peaks if candidate.pts == peak.pts), None)


def replaced_peaks(recorded: Analysis, again: Analysis) -> list[str]:
    """Return the names of recorded peaks in whose place another frame was chosen."""
    models = [(recorded.segments, again.segments, "")]
    pairs = zip(recorded.others, again.others, strict=False)
    models += [
        (first.segments, second.segments, f" by model {number}")
        for number, (first, second) in enumerate(pairs, start=2)
    ]
    return [
        f"peak {number} of segment {segment.id}{by}"
        for old, new, by in models
        for segment in old
        for number, peak in enumerate(segment.peaks, start=1)
        if any(candidate.id == segment.id and matching_peak(peak, candidate) is None for candidate in new)
    ]


def _same_place(first: Box, second: Box) -> bool:
    """Check whether two boxes are the same within the tolerance between machines."""
    room = max(PLACE.by, PLACE.share * (second[2] - second[0]))
    return all(abs(a - b) <= room for a, b in zip(first, second, strict=True))


class _Comparison:
    """Two analyses by one model, and what tolerances of single fields need to know of them."""

    def __init__(self, recorded: Analysis, again: Analysis) -> None:
        self.recorded, self.again = recorded, again
        self.same_engine = same_engine_version(recorded.software, again.software)
        self.pairs, self.alone, self.persons = _paired(recorded, again)
        sampled = max(recorded.coverage.frames_sampled, 1)
        self.interval = recorded.media.duration / sampled
        self.step = math.ceil(recorded.media.frames / sampled)  # decoded frames for each sampled one
        self.difference = self.edge = 0.0
        self.of_file: list[str] = []
        self.fields = FieldAgreement(
            {name: getattr(self, f"_{name}") for name in _OWN_COMPARISONS.split()},
            findings_only=not self.same_engine,
        )

    def agreement(self) -> Agreement:
        problems = list(self.fields.differences(self.recorded, self.again))
        apart = [abs((a.probability or 0.0) - (b.probability or 0.0)) for a, b in self.pairs]
        worst = max(range(len(apart)), key=apart.__getitem__, default=None)
        return Agreement(
            problems=tuple(problems + self._of_others(problems)),
            of_file=tuple(shortened(self.of_file)),
            scores=len(self.pairs),
            unmatched=len(self.alone),
            score_difference=0.0 if worst is None else apart[worst],
            score_time=None if worst is None else self.pairs[worst][0].time,
            segment_difference=self.difference,
            edge_difference=self.edge,
        )

    # Comparisons that detector/schema names: old and new value, tolerance, place, and what has the values.

    def _whole(self, old: Any, new: Any, _t: Tolerance, place: str, _o: Any, _n: Any) -> Iterator[str]:
        """Compare all fields, whichever version of the engine made them."""
        problems = list(FieldAgreement().differences(old, new, place))
        yield from shortened(problems)
        if old != new and not problems:
            yield f"{place} is not the same"

    def _card(self, old: Model, new: Model, tolerance: Tolerance, _p: str, _o: Any, _n: Any) -> Iterator[str]:
        if old.sha256 != new.sha256:
            yield "the models are not the same"
        if self.same_engine:
            yield from self._whole(old, new, tolerance, "the card of the model:", None, None)

    def _same_number(
        self, old: Any, new: Any, tolerance: Tolerance, place: str, before: Any, now: Any
    ) -> Iterator[str]:
        """Compare lists of the same length, in which another machine may choose other items."""
        if len(old) != len(new):
            verb = "is" if len(old) == 1 else "are"
            yield f"{place} has {count_noun(len(new), 'item')}, where {len(old):,} {verb} recorded"
        yield from self.fields.of_field(old, new, replace(tolerance, how=""), place, before, now)

    def _arithmetic(self, old: Any, new: Any, _t: Tolerance, _p: str, before: Any, now: Any) -> Iterator[str]:
        if not same_arithmetic(before, now):
            here, there = number_format(new), number_format(old)
            yield f"the arithmetic is not the same: {here}, where {there} is recorded; see REELPROOF_BACKEND"

    def _place(self, old: Box, new: Box, _t: Tolerance, place: str, _o: Any, _n: Any) -> Iterator[str]:
        if not _same_place(old, new):
            yield f"{place} lies elsewhere in the picture"

    def _set(self, old: Any, new: Any, _t: Tolerance, place: str, _o: Any, _n: Any) -> Iterator[str]:
        if set(old) != set(new):
            yield f"{place} are {', '.join(new)}, where {', '.join(old)} are recorded"

    def _causes(
        self, old: Sequence[Cause], new: Sequence[Cause], _t: Tolerance, place: str, before: Any, now: Any
    ) -> Iterator[str]:
        """Compare the codes of a reason, and parameters but for counts of faces and frames.

        The seconds in the reason of a verdict on voices follow from fields that are compared.
        """
        codes_alone = isinstance(before, ChannelFinding)
        if not old and not new:  # before 0.2
            same = before.reason == now.reason
        else:
            same = len(old) == len(new) and all(
                a.code == b.code and (codes_alone or _same_parameters(a, b))
                for a, b in zip(old, new, strict=True)
            )
        if not same:
            where = place.removesuffix("causes")
            yield f"{where}the reason is “{now.reason}”, where “{before.reason}” is recorded"

    def _averaged(
        self, old: float | None, new: float | None, _t: Tolerance, place: str, _o: Any, _n: Any
    ) -> Iterator[str]:
        """Compare the exhibit's probability, which in a photograph averages the odds of its faces."""
        if old is None or new is None:
            if old is not new:
                yield f"{place} stands in one of both only"
            return
        figures = [face.probability or 0.0 for face in finding_of(self.recorded).averaged]
        figure = old if self.same_engine else probability_as_counted_now(self.recorded)
        if not averaged_figure_follows(new, figures, PROBABILITY.by):
            self.difference = max(self.difference, abs(figure - new))
            if not PROBABILITY.same(figure, new):
                yield f"{place} is {new:.3f}, where {figure:.3f} is recorded"

    def _second_answers(
        self, old: Any, new: Any, _t: Tolerance, place: str, _o: Any, _n: Any
    ) -> Iterator[str]:
        if old is None or new is None:
            if self.same_engine and old is not new:
                yield f"{place} stand in one of both only"
        elif self.recorded.media.still or self.same_engine:
            looks = [face.second_look for face in finding_of(self.recorded).averaged if face.second_look]
            for name in ("altered", "synthesised"):
                a, b = getattr(old, name), getattr(new, name)
                follows = averaged_figure_follows(b, [getattr(look, name) for look in looks], PROBABILITY.by)
                if not follows and not PROBABILITY.same(a, b):
                    yield f"{place} {name} is {b:.3f}, where {a:.3f} is recorded"

    def _kind(self, old: Any, new: Any, _t: Tolerance, _p: str, _o: Any, _n: Any) -> Iterator[str]:
        """Compare the kind of manipulation, which near its border may be decided in one of both only."""
        answered = self.recorded.answers and self.again.answers
        if not answered or not (self.recorded.media.still or self.same_engine) or old is new:
            return
        near = kind_is_borderline(self.again, PROBABILITY.by)
        if (old and new) or (self.same_engine and not near):
            yield f"the kind of manipulation is {new or 'not told'}, where {old or 'none'} is recorded"

    def _file(self, old: Media, new: Media, _t: Tolerance, _p: str, _o: Any, _n: Any) -> Iterator[str]:
        """Compare what is read from the file, which other libraries may read otherwise."""
        if old.sha256 != new.sha256:
            yield "the exhibits are not the same"
        if not self.same_engine:
            return
        media = [analysis.with_examined_sound().media for analysis in (self.recorded, self.again)]
        self.of_file += self.fields.differences(media[0], media[1], "of the file,")
        anomalies = (*old.anomalies, *new.anomalies)
        depends = any(anomaly.kind == IN_THE_FUTURE for anomaly in anomalies)
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

    def _declared(self, old: Any, new: Any, _t: Tolerance, _p: str, _o: Any, _n: Any) -> Iterator[str]:
        """Compare declarations, as far as both analyses had the libraries that read them."""
        if old is None or new is None:
            if old is not new and self.same_engine:
                self.of_file.append("what the file declares was read in one of both only")
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

    def _persons(
        self, old: Sequence[Person], new: Sequence[Person], _t: Tolerance, _p: str, _o: Any, _n: Any
    ) -> Iterator[str]:
        yield from self._of_probabilities()
        if not self.same_engine:
            return
        yield from shortened(list(self._of_faces()))
        repeated = {person.id: person for person in new}
        problems: list[str] = []
        for person in old:
            match = repeated.get(self.persons.get(person.id, ""))
            if match is not None:
                problems += self.fields.differences(person, match, f"person {person.id}:")
            elif person.probability is not None or person.usable_frames:
                problems.append(f"person {person.id} is nobody who was judged")
        for name in sorted(set(repeated) - set(self.persons.values())):
            judged = repeated[name].usable_frames
            if not _same_count(0, judged):
                frames = count_noun(judged, "sampled frame")
                problems.append(f"a person was judged in {frames} who is not recorded")
        yield from shortened(problems)

    def _of_probabilities(self) -> Iterator[str]:
        largest = max(
            (abs((a.probability or 0.0) - (b.probability or 0.0)) for a, b in self.pairs), default=0
        )
        if largest > PROBABILITY.by:
            yield f"a score differs by {largest:.3f}, more than {PROBABILITY.by:g}"
        samples = _samples(self.recorded) | _samples(self.again)
        for is_sample, allowed in ((True, UNMATCHED), (False, BETWEEN)):
            unmatched = sum((score.pts in samples) is is_sample for score in self.alone)
            count = unmatched + sum((score.pts in samples) is is_sample for score, _ in self.pairs)
            if unmatched > allowed * count:
                were = "was" if unmatched == 1 else "were"
                yield f"{unmatched:,} of {count:,} judged faces {were} judged in one of both only"

    def _of_faces(self) -> Iterator[str]:
        """Yield differences of logits, and of the places of more than a few faces."""
        for old, new in self.pairs:
            if not LOGIT.same(old.logit or 0.0, new.logit or 0.0):
                logits = f"{new.logit:.3f}, where {old.logit:.3f} is recorded"
                yield f"a logit at {timecode(old.time)} is {logits}"
            if not INSTANT.same(old.time, new.time):
                yield f"a face at {timecode(new.time)} is recorded at {timecode(old.time)}"
        moved = sum(not _same_place(old.box, new.box) for old, new in self.pairs)
        skipped = sum(old.interpolated is not new.interpolated for old, new in self.pairs)
        if skipped > BETWEEN * len(self.pairs):
            yield f"{skipped:,} of {len(self.pairs):,} scores are interpolated in one of both only"
        if any(overlap(old.box, new.box) < _SAME_PLACE for old, new in self.pairs):
            yield "a face lies elsewhere"
        if moved > BETWEEN * len(self.pairs):
            yield f"{moved:,} of {len(self.pairs):,} faces lie elsewhere"

    def _quality(
        self, old: Any, new: Any, tolerance: Tolerance, place: str, before: Person, now: Person
    ) -> Iterator[str]:
        """Compare the quality of a person's faces, unless one of few faces was judged in one of both only."""
        if before.usable_frames == now.usable_frames or (
            min(before.usable_frames, now.usable_frames) >= _FEW_FACES
        ):
            yield from self.fields.of_field(old, new, Tolerance(), place, before, now)

    def _contrasts(self, old: Any, new: Any, _t: Tolerance, place: str, _o: Any, _n: Any) -> Iterator[str]:
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
                    yield f"{place}: that {when} stands out by {item.contrast:.3g} is {word}"

    def _cuts(self, old: Any, new: Any, _t: Tolerance, _p: str, _o: Any, _n: Any) -> Iterator[str]:
        if len(old) != len(new) or any(abs(a - b) > self.interval for a, b in zip(old, new, strict=True)):
            yield f"{len(new):,} cuts were found, not at the times of the {len(old):,} recorded"

    def _spans(
        self, old: Sequence[Span], new: Sequence[Span], _t: Tolerance, _p: str, before: Any, _n: Any
    ) -> Iterator[str]:
        """Compare intervals that were not judged, whose edges may move."""
        voices = isinstance(before, ChannelFinding)
        room = before.scores.step if voices else 2 * self.interval * FRAMES
        for first, second, word in ((old, new, "not recorded"), (new, old, "not found")):
            for span in second:
                least = 2 * room if voices else room
                if span.end - span.start > least and not _is_covered_by(span, first, room):
                    when = f"{timecode(span.start)} to {timecode(span.end)}"
                    what = "judged" if voices else "examined"
                    yield f"that {when} was not {what} ({span.reason}) is {word}"

    def _around(
        self, old: int, new: int, tolerance: Tolerance, place: str, owner: Any, _n: Any
    ) -> Iterator[str]:
        """Compare numbers of frames, of which some lie around edges that may move."""
        edges = 2
        if not isinstance(owner, Segment):
            edges *= FRAMES * max(len(self.recorded.segments), len(self.again.segments))
        if abs(old - new) > max(self.step * edges, math.ceil(tolerance.share * old)):
            yield f"{place}: {new:,}, where {old:,} {'is' if old == 1 else 'are'} recorded"

    def _segments(
        self, old: Sequence[Segment], new: Sequence[Segment], _t: Tolerance, _p: str, _o: Any, _n: Any
    ) -> Iterator[str]:
        ids = [", ".join(segment.id for segment in segments) or "none" for segments in (old, new)]
        if ids[0] != ids[1]:
            yield f"the segments are {ids[1]}, where {ids[0]} are recorded"
        else:
            for before, now in zip(old, new, strict=True):
                self.difference = max(self.difference, abs(before.confidence - now.confidence))
                self.edge = max(self.edge, abs(before.start - now.start), abs(before.end - now.end))
        again = {segment.id: segment for segment in new}
        problems: list[str] = []
        for before in old:
            match = again.get(before.id)
            if match is None or (ids[0] != ids[1] and not self.same_engine):
                continue
            name = f"segment {before.id}"
            problems += self.fields.differences(before, match, f"{name}:")
            if self.same_engine and self.persons.get(before.person, match.person) != match.person:
                problems.append(f"{name} is of another person")
        yield from shortened(problems)

    def _edge(
        self, old: float, new: float, _t: Tolerance, place: str, before: Segment, _n: Any
    ) -> Iterator[str]:
        """Compare edges of segments, which may move by a sampled frame of the person."""
        times = next((p.scores.time for p in self.recorded.persons if p.id == before.person), np.empty(0))
        low, high = min(old, new) - INSTANT.by, max(old, new) + INSTANT.by
        inside = times[(low <= times) & (times <= high)]
        intervals = np.unique(interval_index(inside, self.recorded.parameters.sample_rate))
        if len(intervals) - 1 > FRAMES:
            yield f"{place} is {timecode(new)}, where {timecode(old)} is recorded"

    def _edge_frame(
        self, old: int | None, new: int | None, _t: Tolerance, place: str, before: Segment, now: Segment
    ) -> Iterator[str]:
        edge = place.split()[-2]  # start or end
        moved = not INSTANT.same(getattr(before, edge), getattr(now, edge))
        near = old is not None and new is not None and moved and abs(old - new) <= 2 * self.step
        if old != new and not near:
            yield f"{place} is {new}, where {old} is recorded"

    def _peaks(
        self, old: Sequence[Peak], new: Sequence[Peak], _t: Tolerance, place: str, _o: Any, now: Segment
    ) -> Iterator[str]:
        """Compare peaks; of frames that score alike another machine may choose another one."""
        if len(old) != len(new):
            peaks = count_noun(len(new), "peak")
            yield f"{place}: {peaks}, where {len(old)} {'is' if len(old) == 1 else 'are'} recorded"
        lowest = min((peak.probability for peak in new), default=1.0)
        for number, peak in enumerate(old, start=1):
            name = f"peak {number} of segment {now.id}"
            match = matching_peak(peak, now)
            if match is not None:
                yield from self.fields.differences(peak, match, f"{name}:")
            elif not self._is_alike(peak, now, lambda smoothed: smoothed >= lowest - PROBABILITY.by):
                yield f"{name}: none is found at {timecode(peak.time)}"

    def _calm(
        self, old: CalmFrame | None, new: CalmFrame | None, _t: Tolerance, _p: str, _o: Any, now: Segment
    ) -> Iterator[str]:
        """Compare the calm frames; of frames that score alike another machine may choose another one."""
        name = f"the calm frame of segment {now.id}"
        if old is None or new is None:
            if old is not new:
                yield f"{name} stands in one of both only"
        elif old.pts == new.pts:
            yield from self.fields.differences(old, new, f"{name}:")
        else:
            chosen = self._score_of(now, new.pts)
            highest = -1.0 if chosen is None or chosen.smoothed is None else chosen.smoothed
            if not self._is_alike(old, now, lambda smoothed: smoothed <= highest + PROBABILITY.by):
                yield f"{name}: none is found at {timecode(old.time)}"

    def _is_alike(self, frame: Peak | CalmFrame, segment: Segment, fits: Callable[[float], bool]) -> bool:
        """Check whether a frame scores as recorded, and fits as well as the one chosen in its place."""
        score = self._score_of(segment, frame.pts)
        return (
            score is not None
            and score.smoothed is not None
            and fits(score.smoothed)
            and INSTANT.same(frame.time, score.time)
            and _same_place(frame.box, score.box)
            and PROBABILITY.same(frame.probability, score.probability or 0.0)
        )

    def _score_of(self, segment: Segment, pts: int) -> Score | None:
        """Return the score that the person of a repeated segment has in a frame."""
        scores = (person.scores for person in self.again.persons if person.id == segment.person)
        return next((score for score in next(scores, ()) if score.pts == pts), None)

    def _strip(
        self,
        old: Sequence[StripFace],
        new: Sequence[StripFace],
        _t: Tolerance,
        _p: str,
        before: Segment,
        now: Segment,
    ) -> Iterator[str]:
        """Compare film strips, which exist with pictures only and follow the ends of a segment."""
        if not new:
            return
        name, faces = f"film strip of segment {now.id}", {face.pts: face for face in new}
        moved = (before.start, before.end) != (now.start, now.end)
        if old and not moved and len(old) != len(new):
            yield f"{name} has {count_noun(len(new), 'face')}, not {len(old)}"
        for number, face in enumerate(old, start=1):
            if (match := faces.get(face.pts)) is not None:
                yield from self.fields.differences(face, match, f"{name}: face {number}:")
            elif not moved:
                yield f"{name}: no face {number} at {timecode(face.time)}"

    def _voice_edge(
        self, old: float, new: float, _t: Tolerance, place: str, _o: Any, _n: Any
    ) -> Iterator[str]:
        """Compare edges of segments of voices, which may move by one window."""
        step = self.recorded.voice.scores.step if self.recorded.voice else 0.0
        if abs(old - new) > step + INSTANT.by:
            yield f"{place} is {timecode(max(0.0, new))}, where {timecode(max(0.0, old))} is recorded"

    def _others(self, old: Any, new: Any, _t: Tolerance, _p: str, _o: Any, _n: Any) -> Iterator[str]:
        if len(old) != len(new):
            yield f"{count_noun(len(new), 'other model')} judged, where {len(old)} are recorded"

    def _of_others(self, known: Sequence[str]) -> list[str]:
        """Return differences between further models, except ``known`` ones, as of the shared coverage."""
        pairs = zip(self.recorded.others, self.again.others, strict=False)
        return [
            f"by model {number}, {problem}"
            for number, (old, new) in enumerate(pairs, start=2)
            for problem in compare_analyses(self.recorded.by(old), self.again.by(new)).problems
            if problem not in known
        ]


def _same_parameters(old: Cause, new: Cause) -> bool:
    if old.parameters.keys() != new.parameters.keys():
        return False
    for name, first in old.parameters.items():
        second = new.parameters[name]
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
    """Check whether two counts of faces or frames are the same but for those judged in one of both only."""
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
    times, pts = (
        np.concatenate(
            [np.empty(0, np.int64), *(getattr(person.scores, field) for person in analysis.persons)]
        )
        for field in ("time", "pts")
    )
    order = np.argsort(times, kind="stable")
    return set(pts[order][is_sampled(times[order], analysis.parameters.sample_rate)].tolist())


def _paired(
    recorded: Analysis, again: Analysis
) -> tuple[list[tuple[Score, Score]], list[Score], Mapping[str, str]]:
    """Match faces by frame and box; return pairs, unmatched faces, and corresponding persons."""
    candidates: dict[int, list[tuple[str, Score]]] = defaultdict(list)
    for name, score in _judged(again):
        candidates[score.pts].append((name, score))
    pairs, alone, together = [], [], Counter[tuple[str, str]]()
    for name, score in _judged(recorded):
        near = candidates[score.pts]
        match = max(near, key=lambda new: overlap(score.box, new[1].box), default=None)
        if match is None or overlap(score.box, match[1].box) < _SAME_FACE:
            alone.append(score)
            continue
        near.remove(match)
        pairs.append((score, match[1]))
        together[name, match[0]] += 1
    persons: dict[str, str] = {}
    for (old, new), _ in together.most_common():
        persons.setdefault(old, new)
    return pairs, alone + [score for near in candidates.values() for _, score in near], persons


def _judged(analysis: Analysis) -> list[tuple[str, Score]]:
    return [(person.id, score) for person in analysis.persons for score in person.scores if score.usable]
