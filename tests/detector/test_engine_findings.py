"""A clip that is flagged throughout: its segment, peak frames and pictures, and the progress told."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from engine_clips import ALL_FLAGGED, NONE_FLAGGED

from detector import Analysis, Parameters, Verdict, analyze
from detector.media.open import open_media
from detector.models.loaded import LoadedModel
from detector.networks.base import create
from detector.version import __version__

Told = list[tuple[str, float]]


@pytest.fixture(scope="module")
def flagged_and_told(
    talking: Path, fused: LoadedModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Analysis, Path, Told]:
    """The talking face with everything flagged, the folder of its pictures, and the progress told."""
    folder = tmp_path_factory.mktemp("flagged")
    progress: Told = []
    analysis = analyze(
        talking,
        model=fused,
        parameters=Parameters(**ALL_FLAGGED),
        images=folder,
        progress=lambda stage, done: progress.append((stage, done)),
    )
    return analysis, folder, progress


@pytest.fixture(scope="module")
def flagged(flagged_and_told: tuple[Analysis, Path, Told]) -> tuple[Analysis, Path]:
    return flagged_and_told[:2]


class TestOneTalkingFace:
    def test_exhibit_facts(self, flagged: tuple[Analysis, Path], talking: Path) -> None:
        media = flagged[0].media
        assert media.file == "talking.mp4"
        assert media.sha256 == hashlib.sha256(talking.read_bytes()).hexdigest()
        assert media.bytes == talking.stat().st_size
        assert (media.width, media.height, media.duration) == (320, 240, 2.0)
        assert (media.codec, media.time_base, media.frame_rate) == ("h264", "1/12800", "25/1")
        assert (media.frames, media.frames_undecodable) == (50, 0)

    def test_one_person_with_one_track(self, flagged: tuple[Analysis, Path]) -> None:
        """And of the others those near the ends of the segment, which has no other parts."""
        (person,) = flagged[0].persons
        sampled = [0, 4, 7, 10, 13, 16, 19, 22, 25, 29, 32, 35, 38, 41, 44, 47]
        assert flagged[0].coverage.frames_sampled == len(sampled)
        assert flagged[0].coverage.frames_between == 48 - len(sampled)
        golden = list(range(48))
        assert [score.time for score in person.scores] == [i / 25 for i in golden]
        assert [score.pts for score in person.scores] == [i * 512 for i in golden]
        assert {score.track for score in person.scores} == set(person.tracks) == {0}
        assert person.screen_time == pytest.approx(2.0)
        assert person.usable_frames == 16
        for score in person.scores:
            assert score.usable and score.logit is not None and score.smoothed is not None

    def test_whole_clip_is_one_segment(self, flagged: tuple[Analysis, Path]) -> None:
        analysis, _ = flagged
        (segment,) = analysis.segments
        assert (segment.id, segment.person) == ("A1", "A")
        assert (segment.start, segment.end, segment.frames) == (0.0, 47 / 25, 48)
        assert (segment.start_frame, segment.end_frame) == (0, 47)

    def test_confidence_uses_the_frames_of_the_segment(self, flagged: tuple[Analysis, Path]) -> None:
        analysis, _ = flagged
        by_interval: dict[int, list[float]] = {}
        for score in analysis.persons[0].scores:
            by_interval.setdefault(score.pts * 8 // 12800, []).append(score.logit or 0.0)
        mean = float(np.mean([np.mean(logits) for logits in by_interval.values()]))
        # One calibration for frames and segments, since two networks' logits are fused.
        assert analysis.model.second_look is not None and analysis.model.segment is None
        confidence = 1 / (1 + np.exp(-mean / analysis.model.temperature))
        assert analysis.segments[0].confidence == analysis.probability == pytest.approx(confidence)

    def test_peaks(self, flagged: tuple[Analysis, Path]) -> None:
        analysis, folder = flagged
        (segment,) = analysis.segments
        assert 1 <= len(segment.peaks) <= 3
        times = [peak.time for peak in segment.peaks]
        assert all(b - a >= 0.5 - 1e-6 for a, b in zip(times, times[1:], strict=False))
        by_pts = {score.pts: score for score in analysis.persons[0].scores}
        for peak in segment.peaks:
            assert segment.start <= peak.time <= segment.end
            assert peak.frame_index == round(peak.time * 25)
            score = by_pts[peak.pts]
            assert (peak.time, peak.box, peak.probability) == (score.time, score.box, score.probability)
            assert peak.check.area == pytest.approx(0.15, abs=0.001)
            assert peak.check.probability == pytest.approx(peak.probability, abs=0.02)
        # One scale, its top in use, unless nothing in any of these faces speaks for manipulation.
        assert max(peak.heat for peak in segment.peaks) in {0.0, 1.0}

    def test_pictures_show_the_frame_with_the_pts(
        self, flagged: tuple[Analysis, Path], talking: Path
    ) -> None:
        analysis, folder = flagged
        with open_media(talking) as reader:
            frames = {frame.pts: frame.image for frame in reader.frames(1000)}
        for peak in analysis.segments[0].peaks:
            assert peak.frame and peak.overlay
            kept = cv2.imread(str(folder / peak.frame))[:, :, ::-1]
            assert np.array_equal(kept, frames[peak.pts])
            drawn = cv2.imread(str(folder / peak.overlay))[:, :, ::-1]
            assert drawn.shape == kept.shape and (drawn != kept).any()
        (segment,) = analysis.segments
        assert len(segment.strip) > 1 and all((folder / face.picture).is_file() for face in segment.strip)
        listed = {folder / name for name in segment.pictures}
        assert set((folder / "overlays").iterdir()) == listed, "and nothing else is left there"

    def test_software_and_model(self, flagged: tuple[Analysis, Path], fused: LoadedModel) -> None:
        analysis, _ = flagged
        assert analysis.model == fused.card.fused.as_model()
        assert analysis.software.reelproof == __version__
        assert datetime.fromisoformat(analysis.software.created).tzinfo is not None

    def test_unflagged(self, talking: Path, scan: LoadedModel) -> None:
        analysis = analyze(talking, model=scan, parameters=Parameters(**NONE_FLAGGED))
        assert analysis.verdict is Verdict.NOT_FOUND
        assert analysis.segments == ()
        assert analysis.probability == analysis.persons[0].probability


class TestProgress:
    STAGES = (
        "reading",
        "finding and scoring faces",
        "second check",
        "finding where segments begin and end",
        "explaining",
    )

    def test_progress_is_monotone(self, flagged_and_told: tuple[Analysis, Path, Told]) -> None:
        progress = flagged_and_told[2]
        fractions = [done for _, done in progress]
        assert fractions == sorted(fractions)
        assert fractions[0] == 0.0 and progress[-1][1] == 1.0
        assert len(set(fractions)) > 10
        stages = list(dict.fromkeys(stage for stage, _ in progress))
        assert stages == [*self.STAGES, "finishing"]

    @pytest.mark.parametrize("stage", STAGES)
    def test_exception_in_progress_ends_the_analysis(
        self, talking: Path, fused: LoadedModel, scan: LoadedModel, stage: str
    ) -> None:
        loaded = fused if stage == "second check" else scan

        def stop(now: str, done: float) -> None:
            if now == stage:
                raise InterruptedError("stopped")

        with pytest.raises(InterruptedError, match="stopped"):
            analyze(talking, model=loaded, progress=stop, parameters=Parameters(**ALL_FLAGGED))


def test_analysis_is_deterministic(
    flagged: tuple[Analysis, Path], talking: Path, fused: LoadedModel, tmp_path: Path
) -> None:
    """All but the time of day, heatmaps and their checks included."""
    first, folder = flagged
    second = analyze(talking, model=fused, parameters=Parameters(**ALL_FLAGGED), images=tmp_path)
    assert first.model_copy(update={"software": second.software}) == second
    overlays = [sorted((place / "overlays").iterdir()) for place in (folder, tmp_path)]
    assert len(overlays[0]) > 1
    for a, b in zip(*overlays, strict=True):
        assert a.name == b.name and a.read_bytes() == b.read_bytes()


@pytest.fixture(scope="module")
def reading(model: LoadedModel) -> LoadedModel:
    """A network that judges a face by the frames around it; its weights are random."""
    torch.manual_seed(0)
    network = create("efficientnet_lstm").eval().requires_grad_(False)
    card = model.card.model_copy(update={"architecture": "efficientnet_lstm"})
    return LoadedModel(card, network)


class TestSequences:
    def test_sequence_model_uses_neighbouring_frames(self, talking: Path, reading: LoadedModel) -> None:
        analysis = analyze(talking, model=reading, parameters=Parameters(**ALL_FLAGGED))
        (person,) = analysis.persons
        assert person.usable_frames == analysis.coverage.frames_sampled == 16
        # The window is as long as the track: every frame is judged by the same sixteen.
        assert np.ptp([s.logit for s in person.scores if s.logit is not None]) < 1e-5
        half = analyze(talking, model=reading, parameters=Parameters(sample_rate=16.0, **ALL_FLAGGED))
        logits = [s.logit for s in half.persons[0].scores if s.logit is not None]
        assert len(logits) == 32 and np.ptp(logits) > 1e-5
        assert analysis.segments[0].peaks, "peak frames are explained one by one"

    def test_photo_is_a_sequence_of_one(self, still: Path, reading: LoadedModel) -> None:
        analysis = analyze(still, model=reading, parameters=Parameters(**ALL_FLAGGED))
        (segment,) = analysis.segments
        assert segment.frames == 1 and segment.peaks[0].check.area == pytest.approx(0.15, abs=0.01)
