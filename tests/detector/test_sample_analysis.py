"""The demonstration clip, analysed as a user would: who was manipulated, and when."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import Analysed

from detector import Analysis, Verdict, analyze
from detector.demo_clip import MANIPULATED
from detector.media.open import open_media
from detector.models.loaded import LoadedModel


class TestTheSample:
    """The core test's known answer. Not one number here is to be loosened for a network's sake."""

    def test_two_persons_are_distinguished(self, analysed_sample: Analysed) -> None:
        persons = analysed_sample.analysis.persons
        assert len(persons) == 2
        left, right = sorted(persons, key=lambda person: person.median_box[0])
        assert left.median_box[2] < 640 < right.median_box[0]
        assert left.usable_frames >= 70 and right.usable_frames >= 70

    def test_interval_is_found_on_the_right_person_only(self, analysed_sample: Analysed) -> None:
        analysis = analysed_sample.analysis
        assert analysis.verdict is Verdict.MANIPULATED
        left = min(analysis.persons, key=lambda person: person.median_box[0])
        assert {segment.person for segment in analysis.segments} == {left.id}
        (segment,) = analysis.segments
        assert segment.start == pytest.approx(MANIPULATED[0], abs=0.5)
        assert segment.end == pytest.approx(MANIPULATED[1], abs=0.5)

    def test_exhaustive_search_gives_the_same_result(
        self, sample: Path, scanned_alone: Analysis, scan: LoadedModel
    ) -> None:
        """The tolerance of what saves time: two sampled frames, 0.1 of probability, calibrated noise.

        Whole searches of the clip shifted by 1 to 3 px differ by up to 0.5 (standard deviation) from
        those of the clip itself.
        """
        fast = scanned_alone
        parameters = fast.parameters.model_copy(update={"search_interval": 0.0, "interpolate_below": 0.0})
        slow = analyze(sample, model=scan, parameters=parameters)
        assert fast.verdict == slow.verdict and len(fast.segments) == len(slow.segments)
        for mine, reference in zip(fast.segments, slow.segments, strict=True):
            assert mine.person == reference.person
            assert mine.start == pytest.approx(reference.start, abs=0.25)
            assert mine.end == pytest.approx(reference.end, abs=0.25)
            assert mine.confidence == pytest.approx(reference.confidence, abs=0.1)
        for person, same in zip(fast.persons, slow.persons, strict=True):
            logits, others = (
                {score.pts: score.logit for score in candidate.scores} for candidate in (person, same)
            )
            assert len(logits.keys() & others.keys()) > 0.9 * len(logits.keys() | others.keys())
            pairs = [(logits[pts], others[pts]) for pts in logits.keys() & others.keys()]
            gaps = np.array([a - b for a, b in pairs if a is not None and b is not None])
            gaps /= scan.card.temperature
            assert len(gaps) == len(pairs) and abs(gaps.mean()) < 0.56 and gaps.std() < 1.05
            assert not same.scores.interpolated.any()

    def test_faces_are_skipped_only_between_calm_faces(self, scanned_alone: Analysis) -> None:
        """With a second look logits are fused ones, and only the scan's would tell."""
        below = scanned_alone.parameters.interpolate_below
        count = 0
        for person in scanned_alone.persons:
            for track in person.tracks:
                own = [score for score in person.scores if score.track == track and score.usable]
                scored = [place for place, score in enumerate(own) if not score.interpolated]
                for before, after in pairwise(scored):
                    assert after - before <= 4
                    ends = own[before].probability, own[after].probability
                    if after - before > 1:
                        count += after - before - 1
                        assert all(end is not None and end < below for end in ends)
                assert not own[0].interpolated and not own[-1].interpolated
        assert count == scanned_alone.coverage.faces_interpolated > 0

    def test_times_and_pts_are_those_of_real_frames(self, analysed_sample: Analysed) -> None:
        analysis = analysed_sample.analysis
        base = Fraction(analysis.media.time_base)
        with open_media(analysed_sample.path) as reader:
            real = {frame.pts: float(frame.time) for frame in reader.frames(1000)}
        assert len(real) == 225
        for person in analysis.persons:
            for score in person.scores:
                assert score.time == real[score.pts] == float(score.pts * base)
        for segment in analysis.segments:
            assert {segment.start, segment.end} <= set(real.values())
            for peak in segment.peaks:
                assert peak.time == real[peak.pts]

    def test_pictures_of_peaks_are_on_disk(self, analysed_sample: Analysed) -> None:
        assert analysed_sample.analysis.segments
        for segment in analysed_sample.analysis.segments:
            assert segment.peaks
            for peak in segment.peaks:
                for name in (peak.frame, peak.overlay):
                    assert name and cv2.imread(str(analysed_sample.folder / name)).shape == (720, 1280, 3)
        heats = [peak.heat for segment in analysed_sample.analysis.segments for peak in segment.peaks]
        assert max(heats) == 1.0, "one scale over the whole analysis, its top in use"

    def test_progress(self, analysed_sample: Analysed) -> None:
        fractions = [done for _, done in analysed_sample.progress]
        assert fractions == sorted(fractions) and fractions[-1] == 1.0
