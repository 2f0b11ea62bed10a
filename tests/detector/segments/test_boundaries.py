"""Ends of candidates for a segment, found frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from detector import analyze
from detector.demo_clip import MANIPULATED
from detector.faces.crop import Face
from detector.faces.detections import DetectionBuffer, Detections
from detector.faces.quality import Assessment
from detector.media.frame import Frame, Image
from detector.media.reader import MediaReader
from detector.media.stream.packet_stats import Tally
from detector.models.loaded import LoadedModel
from detector.schema.analysis import Analysis, Parameters
from detector.scoring.first_pass import FirstPassResult
from detector.scoring.scorer import FusedLogits, Scorer
from detector.segments import boundaries
from detector.segments.boundaries import refine_boundaries
from detector.segments.candidates import group_persons

RATE = 25
SECONDS = 9
PARAMETERS = Parameters(minimum_contrast=0, minimum_sharpness=0, maximum_sharpness=1e9)
FLAGGED = 9  # what a grey level over 128 is given as a logit; below it, the opposite


class Footage:
    """A face that keeps still, lighter where it is manipulated; read again as a reader does."""

    def __init__(
        self, manipulated: Callable[[int], bool], tracks: int = 1, missing: int = -1, seconds: int = SECONDS
    ) -> None:
        noise = np.random.default_rng(1).integers(0, 20, (120, 240, 3), np.uint8)
        dark, light = noise + np.uint8(60), noise + np.uint8(180)
        self.frames = [
            Frame(number * 512, Fraction(number, RATE), light if manipulated(number) else dark)
            for number in range(RATE * seconds)
        ]
        self.missing = missing
        self.tally = Tally()
        self.tracks = tracks
        self.asked: list[tuple[int, int]] = []

    def spans(self, wanted: Iterable[tuple[int, int]]) -> Generator[Frame]:
        self.asked = list(wanted)
        for first, last in self.asked:
            for number, frame in enumerate(self.frames):
                if first <= frame.pts <= last and number != self.missing:
                    yield frame

    def sampled(self, scorer: Scorer, rate: float = 8) -> FirstPassResult:
        gathered = DetectionBuffer()
        times: list[float] = []
        for number, frame in enumerate(self.frames):
            if times and int(frame.time * Fraction(rate)) == int(Fraction(times[-1]) * Fraction(rate)):
                continue
            times.append(float(frame.time))
            for track in range(self.tracks):
                gathered.add(
                    frame.pts, float(frame.time), number, track, face(20 + 100 * track), Assessment(None)
                )
        seen = gathered.take()
        level = [self.frames[index].image for index in seen.rows["index"]]
        seen.rows["logit"] = scorer.logits(level)
        return FirstPassResult(seen, [], times, [], 0)


def face(left: float) -> Face:
    landmarks = np.array(
        [[left + 20, 50], [left + 60, 50], [left + 40, 70], [left + 30, 80], [left + 50, 80]]
    )
    return Face((left, 20, left + 80, 110), 0.9, landmarks.astype(np.float32))


def scorer(is_sequence: bool = False) -> Scorer:
    def logits(crops: Sequence[Image]) -> NDArray[np.float64]:
        return np.array([FLAGGED if crop.mean() > 128 else -FLAGGED for crop in crops], np.float64)

    return cast(
        Scorer,
        SimpleNamespace(
            card=SimpleNamespace(input=SimpleNamespace(size=32)),
            quality_size=32,
            crop_of=lambda image, face, crop: crop,
            is_sequence=is_sequence,
            logits=logits,
            probability=lambda logit: float(1 / (1 + np.exp(-logit))),
            fuse=lambda track, time, logits: FusedLogits(logits, *(np.full(len(logits), np.nan),) * 2),
        ),
    )


def run(
    footage: Footage, parameters: Parameters = PARAMETERS, judge: Scorer | None = None, rate: float = 8
) -> tuple[Detections, Detections]:
    """Detections of the sampled frames, and with those added."""
    judge = judge or scorer()
    first_pass = footage.sampled(judge, rate)
    return first_pass.detections, refine_boundaries(
        first_pass, cast(MediaReader, footage), judge, parameters, lambda share: None
    )


def intervals(seen: Detections, parameters: Parameters = PARAMETERS) -> list[tuple[float, float]]:
    return boundaries._intervals(seen, scorer(), parameters)[0]


def test_ends_are_exact_to_a_frame() -> None:
    sampled, all_ = run(Footage(lambda number: 52 <= number < 99))
    (before,), (after,) = intervals(sampled), intervals(all_)
    assert before != after
    assert after == pytest.approx((52 / RATE, 98 / RATE), abs=1.01 / RATE)
    added = all_.only(all_.rows["between"])
    assert len(added) and len(added) + len(sampled) == len(all_)
    assert np.array_equal(all_.sampled.rows["pts"], sampled.rows["pts"])
    for detection in added:
        assert detection.pts == detection.index * 512 and detection.time == detection.index / RATE
        assert detection.box == pytest.approx(face(20).box, abs=0.1)
        assert detection.roll == pytest.approx(0, abs=1e-4) and detection.usable
        assert min(abs(detection.time - end) for end in before) <= PARAMETERS.edge_window + 2 / 8
        assert detection.logit == (FLAGGED if 52 <= cast(int, detection.index) < 99 else -FLAGGED)
    assert np.all(np.diff(all_.rows["time"]) > 0)


def test_only_frames_near_the_ends_are_judged() -> None:
    _, all_ = run(
        Footage(lambda number: 40 <= number < 140),
        Parameters(**PARAMETERS.model_dump() | {"edge_window": 0.3}),
    )
    times = all_.rows["time"][all_.rows["between"]]
    assert len(times) and not np.any((times > 2.3) & (times < 4.9))


def test_every_face_in_the_picture_is_refined() -> None:
    footage = Footage(lambda number: 52 <= number < 99, tracks=2)
    _, all_ = run(footage)
    detections, other = (all_.only(all_.rows["track"] == track) for track in (0, 1))
    assert len(detections) == len(other) and np.array_equal(detections.rows["pts"], other.rows["pts"])
    assert len(footage.asked) == len({first for first, _ in footage.asked}), "no frame is read twice"


def test_low_sample_rate() -> None:
    """A sampling interval is no gap, however dense frames are elsewhere."""
    slow = Parameters(**PARAMETERS.model_dump() | {"sample_rate": 1.0, "bridge_gap": 0.1})
    sampled, all_ = run(Footage(lambda number: 80 <= number < 320, seconds=16), slow, rate=1)
    assert len(intervals(sampled, slow)) == 1
    (after,) = intervals(all_, slow)
    assert after == pytest.approx((80 / RATE, 319 / RATE), abs=1.01 / RATE)
    times = all_.rows["time"]
    assert np.max(np.diff(times[(times > 6) & (times < 11)])) == 1, "in its middle only samples"


def test_sample_rate_above_the_frame_rate() -> None:
    """There is nothing between samples, and nothing is read again for it."""
    fast = Parameters(**PARAMETERS.model_dump() | {"sample_rate": 50.0})
    footage = Footage(lambda number: 52 <= number < 99)
    sampled, all_ = run(footage, fast, rate=50)
    assert len(sampled) == len(footage.frames) and all_ is sampled and not footage.asked


def test_nothing_is_read_without_candidates() -> None:
    footage = Footage(lambda number: False)
    sampled, all_ = run(footage)
    assert all_ is sampled and not footage.asked


@pytest.mark.parametrize("off", ["parameter", "sequence"])
def test_refinement_can_be_disabled(off: str) -> None:
    footage = Footage(lambda number: 52 <= number < 99)
    parameters = Parameters(**PARAMETERS.model_dump() | ({"edge_window": 0.0} if off == "parameter" else {}))
    sampled, all_ = run(footage, parameters, scorer(is_sequence=off == "sequence"))
    assert all_ is sampled and not footage.asked


ALONE = {number for number in range(25, 50) if number == -(-(number * 8 // 25) * 25 // 8)}


def test_interval_contradicted_by_all_frames_is_unchanged() -> None:
    """Its sampled frames alone are manipulated; another interval, far from it, keeps what was added."""
    footage = Footage(lambda number: number in ALONE or 150 <= number < 190)
    sampled, all_ = run(footage)
    kept, _ = intervals(sampled)
    assert intervals(all_) == [kept, pytest.approx((150 / RATE, 189 / RATE), abs=1.01 / RATE)]
    times = all_.rows["time"][all_.rows["between"]]
    assert len(times) and np.all(times > kept[1] + PARAMETERS.edge_window)


def test_interval_visible_only_in_all_frames_is_dropped() -> None:
    """Beside one that sampled frames show: between two of them all frames are manipulated."""
    sampled_ones = {-(-(number * 8 // 25) * 25 // 8) for number in range(200)}
    footage = Footage(lambda number: 80 <= number < 130 or (58 <= number < 80 and number not in sampled_ones))
    sampled, all_ = run(footage)
    (alone,) = intervals(sampled)
    (now,) = intervals(all_)
    assert now[0] <= alone[1] and now[1] >= alone[0]


def test_noise_does_not_change_intervals() -> None:
    """Frames that are manipulated at random, more of them here than there."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        level = np.repeat(rng.uniform(0.2, 0.9, 18), RATE * SECONDS // 18 + 1)
        noisy = rng.random(RATE * SECONDS) < level[: RATE * SECONDS]
        sampled, all_ = run(Footage(lambda number, noisy=noisy: bool(noisy[number])))  # type: ignore[misc]
        before, after = intervals(sampled), intervals(all_)
        for stretches, others in ((before, after), (after, before)):
            for start, end in stretches:
                assert any(first <= end and last >= start for first, last in others), seed


def test_file_that_decodes_differently_the_second_time() -> None:
    """Frames are known by how many came before them; where that does not fit, none is added."""
    whole = run(Footage(lambda number: 52 <= number < 99))[1]
    _, all_ = run(Footage(lambda number: 52 <= number < 99, missing=53))
    gone = set(whole.rows["index"].tolist()) - set(all_.rows["index"].tolist())
    assert 53 in gone and gone <= {50, 51, 52, 53, 54, 55} and len(gone) <= 3


def test_no_refinement_in_damaged_stretches() -> None:
    footage = Footage(lambda number: 75 <= number < 150)
    _, whole = run(footage)
    assert added_near(whole, 75)
    damage = footage.tally.damage
    for number in (74, 75, 76):
        packet = av.Packet(b"0")
        packet.pts = packet.dts = 512 * number
        damage.add(packet)
        damage.add_frame(512 * number, 512 * number)
        if number == 74:
            damage.add_refusal(512 * number)
    damage.finish(512 * 77)
    _, some = run(footage)
    assert not added_near(some, 75) and added_near(some, 150)


def added_near(detections: Detections, number: int) -> bool:
    rows = detections.rows
    return bool((rows["between"] & (np.abs(rows["index"] - number) <= 1)).any())


def test_frames_beyond_the_memory_limit_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    footage = Footage(lambda number: 52 <= number < 99)
    monkeypatch.setattr(boundaries, "_HELD", 0)
    sampled, all_ = run(footage)
    assert len(all_) == len(sampled) and footage.asked


def test_demonstration_clip(sample: Path, scanned_alone: Analysis, model: LoadedModel) -> None:
    """The same findings, with ends nearer to where they are; counts are those of sampled frames."""
    analysis = analyze(sample, model=model.alone)
    (segment,), (rough,) = analysis.segments, scanned_alone.segments
    assert abs(segment.start - MANIPULATED[0]) <= abs(rough.start - MANIPULATED[0])
    assert abs(segment.end - MANIPULATED[1]) <= abs(rough.end - MANIPULATED[1])
    assert segment.confidence == pytest.approx(rough.confidence, abs=0.1)
    assert 0 < analysis.coverage.frames_between <= 4.5 * 25
    assert scanned_alone.coverage.model_dump() == analysis.coverage.model_dump() | {"frames_between": 0}
    for person, other in zip(analysis.persons, scanned_alone.persons, strict=True):
        assert (person.screen_time, person.usable_frames) == (other.screen_time, other.usable_frames)
        assert person.median_box == other.median_box
        assert set(other.scores.pts.tolist()) <= set(person.scores.pts.tolist())


def test_letters_still_follow_screen_time() -> None:
    """Not by how many frames were judged: whoever is flagged has more of those."""
    footage = Footage(lambda number: 20 <= number < 80)
    judge = scorer()
    first_pass = footage.sampled(judge)
    briefly, longer = (
        first_pass.detections.only(first_pass.detections.rows["time"] < seconds).rows.copy()
        for seconds in (5.0, 7.0)
    )
    longer["track"], longer["logit"] = 1, -FLAGGED
    rows = np.concatenate([briefly, longer])
    both = Detections(rows[np.argsort(rows["time"], kind="stable")])
    first_pass = replace(first_pass, detections=both, person_tracks=[[0], [1]])
    refined = refine_boundaries(first_pass, cast(MediaReader, footage), judge, PARAMETERS, lambda share: None)
    assert np.count_nonzero(refined.rows["track"] == 0) > np.count_nonzero(refined.rows["track"] == 1)
    people = group_persons(replace(first_pass, detections=refined), np.ones(len(first_pass.times)))
    assert [set(group.rows["track"].tolist()) for group in people.values()] == [{1}, {0}]
