"""One analysis from end to end: what can and what cannot be judged, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import HEIGHT, WIDTH, packets, write_clip, write_resized
from engine_clips import ALL_FLAGGED, NONE_FLAGGED, room

from detector import Parameters, Verdict, analyze
from detector.errors import MediaError, ModelError
from detector.models.loaded import LoadedModel
from detector.schema.analysis import MediaKind


class TestNothingToJudge:
    def test_a_blank_clip(self, tmp_path: Path, scan: LoadedModel) -> None:
        path = write_clip(tmp_path / "blank.mp4", [np.full((120, 160, 3), 90, np.uint8)] * 50)
        analysis = analyze(path, model=scan)
        assert analysis.verdict is Verdict.INCONCLUSIVE
        assert "No face" in analysis.reason and "16 sampled frames" in analysis.reason
        assert analysis.probability is None
        assert (analysis.segments, analysis.persons) == ((), ())
        assert analysis.coverage.frames_sampled == 16
        (span,) = analysis.coverage.not_examined
        assert (span.start, span.end, span.reason) == (0.0, 2.0, "no face found")

    def test_a_face_too_small(self, tmp_path: Path, scan: LoadedModel, portrait: np.ndarray) -> None:
        """Tracked, but marked unusable and not scored."""
        path = write_clip(tmp_path / "far.mp4", [room(portrait, side=64)] * 50, options={"crf": "10"})
        analysis = analyze(path, model=scan)
        assert analysis.verdict is Verdict.INCONCLUSIVE
        assert "to judge" in analysis.reason and "48 pixels" in analysis.reason
        assert analysis.probability is None and analysis.segments == ()
        (person,) = analysis.persons
        assert person.probability is None and person.usable_frames == 0 and len(person.scores) >= 12
        for score in person.scores:
            assert score.box[2] - score.box[0] < 48
            assert not score.usable
            assert (score.logit, score.probability, score.smoothed) == (None, None, None)
        assert analysis.coverage.faces_unusable == analysis.coverage.faces_found == len(person.scores)
        assert "faces too small to judge" in {span.reason for span in analysis.coverage.not_examined}

    @pytest.mark.parametrize(
        ("wear", "reason"),
        [
            (lambda picture: (picture * 0.06).astype(np.uint8), "too dark or too flat"),
            (lambda picture: cv2.GaussianBlur(picture, (0, 0), 5), "too blurred or too strongly compressed"),
        ],
        ids=["dark", "blurred"],
    )
    def test_face_with_too_little_detail(
        self,
        tmp_path: Path,
        scan: LoadedModel,
        portrait: np.ndarray,
        wear: Callable[[np.ndarray], np.ndarray],
        reason: str,
    ) -> None:
        """Found and followed, but not judged, whatever the network would have said."""
        path = write_clip(tmp_path / "worn.mp4", [wear(room(portrait, side=200, x=60))] * 50)
        analysis = analyze(path, model=scan, parameters=Parameters(**ALL_FLAGGED))
        assert analysis.verdict is Verdict.INCONCLUSIVE
        assert analysis.probability is None and analysis.segments == ()
        (person,) = analysis.persons
        assert person.usable_frames == 0 and len(person.scores) == 16
        assert all(score.logit is None and not score.usable for score in person.scores)
        (span,) = analysis.coverage.not_examined
        assert (span.start, span.end, span.reason) == (0.0, 2.0, f"faces {reason} to judge")

    def test_dark_half_of_a_clip_is_not_examined(
        self, tmp_path: Path, scan: LoadedModel, portrait: np.ndarray
    ) -> None:
        """The rest is judged as ever."""
        light = room(portrait, side=200, x=60)
        dark = (light * 0.06).astype(np.uint8)
        path = write_clip(tmp_path / "half.mp4", [light] * 40 + [dark] * 40)
        analysis = analyze(path, model=scan, parameters=Parameters(**NONE_FLAGGED))
        (span,) = analysis.coverage.not_examined
        assert span.reason == "faces too dark or too flat to judge"
        assert (span.start, span.end) == pytest.approx((1.6, 3.2), abs=0.13)
        for score in (score for person in analysis.persons for score in person.scores):
            assert score.usable == (score.time < span.start) == (score.logit is not None)

    def test_small_face_is_judged_with_a_lower_minimum(
        self, tmp_path: Path, scan: LoadedModel, portrait: np.ndarray
    ) -> None:
        path = write_clip(tmp_path / "far.mp4", [room(portrait, side=64)] * 50, options={"crf": "10"})
        analysis = analyze(path, model=scan, parameters=Parameters(minimum_face=16))
        assert analysis.persons[0].usable_frames >= 12 and analysis.probability is not None

    def test_too_few_frames(self, tmp_path: Path, scan: LoadedModel, portrait: np.ndarray) -> None:
        path = write_clip(tmp_path / "short.mp4", [room(portrait, side=200)] * 12)
        analysis = analyze(path, model=scan, parameters=Parameters(**NONE_FLAGGED))
        assert analysis.verdict is Verdict.INCONCLUSIVE
        assert "4 sampled frames" in analysis.reason
        assert analysis.probability is not None, "inconclusive for quality keeps its probability"

    @pytest.mark.parametrize("shape", [(1, 1), (2000, 40), (40, 2000)])
    def test_pictures_with_odd_dimensions(
        self, tmp_path: Path, scan: LoadedModel, shape: tuple[int, int]
    ) -> None:
        assert cv2.imwrite(str(tmp_path / "odd.png"), np.full((*shape, 3), 90, np.uint8))
        analysis = analyze(tmp_path / "odd.png", model=scan)
        assert analysis.verdict is Verdict.INCONCLUSIVE and "picture" in analysis.reason
        assert (analysis.media.height, analysis.media.width) == shape


class TestStill:
    def test_not_flagged(self, still: Path, scan: LoadedModel) -> None:
        analysis = analyze(still, model=scan, parameters=Parameters(**NONE_FLAGGED))
        assert analysis.verdict is Verdict.NOT_FOUND
        assert analysis.media.kind is MediaKind.IMAGE
        assert (analysis.media.duration, analysis.media.frame_rate) == (0.0, None)
        assert analysis.segments == () and len(analysis.persons) == 1
        assert analysis.coverage.not_examined == ()

    def test_flagged_photo_has_a_segment_of_zero_length_with_heatmaps(
        self, still: Path, fused: LoadedModel, tmp_path: Path
    ) -> None:
        analysis = analyze(still, model=fused, parameters=Parameters(**ALL_FLAGGED), images=tmp_path)
        assert analysis.verdict is Verdict.MANIPULATED
        (segment,) = analysis.segments
        assert (segment.start, segment.end, segment.frames) == (0.0, 0.0, 1)
        assert segment.confidence == analysis.persons[0].probability == analysis.probability
        (peak,) = segment.peaks
        assert peak.time == 0.0
        for name in (peak.frame, peak.overlay):
            assert cv2.imread(str(tmp_path / name)).shape == (512, 512, 3)

    def test_pictures_are_stored_only_on_request(
        self, still: Path, scan: LoadedModel, tmp_path: Path
    ) -> None:
        with_pictures, analysis = (
            analyze(still, name=name, model=scan, parameters=Parameters(**ALL_FLAGGED), images=images)
            for name, images in (("kept.png", tmp_path), ("exhibit.png", None))
        )
        assert analysis.media.file == "exhibit.png"
        (segment,) = analysis.segments
        assert all(peak.frame is peak.overlay is peak.map is None for peak in segment.peaks)
        # Otherwise the same, to the last digit: an analysis can be repeated.
        (other,) = with_pictures.segments
        blank = {"frame": None, "overlay": None, "map": None}
        peaks = tuple(
            peak.model_copy(
                update=blank
                | {
                    "maps": tuple(
                        shown.model_copy(update={"overlay": None, "map": None}) for shown in peak.maps
                    )
                }
            )
            for peak in other.peaks
        )
        assert segment == other.model_copy(update={"peaks": peaks})
        assert analysis.persons == with_pictures.persons

    @pytest.mark.parametrize("degrees", [90, 180])
    def test_photo_lying_on_its_side_is_rotated(
        self, tmp_path: Path, scan: LoadedModel, astronaut: np.ndarray, degrees: int
    ) -> None:
        path = tmp_path / "lies.png"
        assert cv2.imwrite(str(path), np.rot90(astronaut[:, :, ::-1], degrees // 90))
        analysis = analyze(path, model=scan, parameters=Parameters(**NONE_FLAGGED))
        assert analysis.media.turned == analysis.media.rotation == degrees
        assert f"turned by {degrees}° clockwise" in analysis.reason
        assert analysis.coverage.faces_found == 1

    def test_rotated_photo_stores_no_unrotated_picture(
        self, tmp_path: Path, scan: LoadedModel, astronaut: np.ndarray
    ) -> None:
        """It is left as soon as its faces are seen to lie, before anything of it is explained."""
        path, images, shares = tmp_path / "lies.png", tmp_path / "images", list[float]()
        assert cv2.imwrite(str(path), np.rot90(astronaut[:, :, ::-1]))
        analysis = analyze(
            path,
            model=scan,
            parameters=Parameters(**ALL_FLAGGED),
            images=images,
            progress=lambda stage, share: shares.append(share),
        )
        peaks = [peak for segment in analysis.segments for peak in segment.peaks]
        named = {name for peak in peaks for name in (peak.frame, peak.overlay, peak.map)}
        assert named | {analysis.picture, analysis.boxed} == {
            str(file.relative_to(images)) for file in images.rglob("*") if file.is_file()
        }
        assert shares == sorted(shares) and shares[-1] == 1.0

    def test_with_default_settings(self, still: Path, model: LoadedModel) -> None:
        analysis = analyze(still, model=model)
        assert analysis.media.duration == 0
        (person,) = analysis.persons
        assert (person.usable_frames, person.screen_time, len(person.scores)) == (1, 0, 1)

    def test_one_segment_for_each_flagged_face(
        self, tmp_path: Path, scan: LoadedModel, astronaut: np.ndarray
    ) -> None:
        """Four faces in one picture, each its own person; progress still ends at 1 and never runs past it."""
        tile = astronaut[20:220, 125:325, ::-1]
        assert cv2.imwrite(str(tmp_path / "four.png"), np.hstack([tile, tile[:, ::-1], tile, tile[:, ::-1]]))
        progress: list[float] = []
        analysis = analyze(
            tmp_path / "four.png",
            model=scan,
            parameters=Parameters(**ALL_FLAGGED),
            progress=lambda stage, done: progress.append(done),
        )
        assert [person.id for person in analysis.persons] == ["A", "B", "C", "D"]
        assert sorted(segment.person for segment in analysis.segments) == ["A", "B", "C", "D"]
        assert (
            all(0 <= done <= 1 for done in progress) and progress == sorted(progress) and progress[-1] == 1.0
        )


class TestFewFramesASecond:
    """A slow clip, or sparse sampling, must not make findings impossible."""

    def test_clip_with_one_frame_per_second(
        self, tmp_path: Path, scan: LoadedModel, portrait: np.ndarray
    ) -> None:
        path = write_clip(
            tmp_path / "slow.mp4",
            [room(portrait, side=200, x=60 + i) for i in range(10)],
            time_base=Fraction(1),
            rate=1,
        )
        analysis = analyze(path, model=scan, parameters=Parameters(**ALL_FLAGGED))
        assert [(s.start, s.end) for s in analysis.segments] == [(0.0, 9.0)]
        assert analysis.verdict is Verdict.MANIPULATED
        assert not analysis.coverage.faces_interpolated

    def test_one_sample_per_second(self, tmp_path: Path, scan: LoadedModel, portrait: np.ndarray) -> None:
        path = write_clip(
            tmp_path / "clip.mp4",
            [room(portrait, side=200, x=60 + i // 5) for i in range(50)],
            time_base=Fraction(1, 5),
            rate=5,
        )
        analysis = analyze(path, model=scan, parameters=Parameters(sample_rate=1, **ALL_FLAGGED))
        assert [(s.start, s.end) for s in analysis.segments] == [(0.0, 9.0)]

    def test_screen_time_of_a_slow_clip(
        self, tmp_path: Path, scan: LoadedModel, portrait: np.ndarray
    ) -> None:
        """Five frames a second for two seconds are two seconds on screen, not ten eighths."""
        path = write_clip(
            tmp_path / "slow.mp4", [room(portrait, side=200)] * 10, time_base=Fraction(1, 5), rate=5
        )
        assert analyze(path, model=scan).persons[0].screen_time == pytest.approx(2.0, abs=0.21)


@pytest.mark.parametrize("codec", ["libx264", "libvpx-vp9"])
def test_reason_names_an_unmeasured_codec(
    codec: str, tmp_path: Path, scan: LoadedModel, portrait: np.ndarray
) -> None:
    frames = [room(portrait, side=200, x=60 + i) for i in range(10)]
    path = write_clip(tmp_path / "clip.mkv", frames, codec=codec, time_base=Fraction(1, 5), rate=5)
    reason = analyze(path, model=scan).reason
    assert ("The video is encoded in VP9; scores depend on the codec" in reason) == (codec != "libx264")


class TestCutsAndPersons:
    def test_cut_breaks_tracks_and_persons_are_ordered_by_screen_time(
        self, tmp_path: Path, scan: LoadedModel, portrait: np.ndarray
    ) -> None:
        """One second of one face, then two of another: the second is on screen longer, so she is A."""
        from detector.demo_clip import portraits

        hopper = np.ascontiguousarray(portraits()[1][50:450, 60:460])
        first = [room(portrait, side=200, x=20)] * 25
        second = [255 - room(255 - hopper, side=220, x=90)] * 50
        analysis = analyze(
            write_clip(tmp_path / "two.mp4", first + second),
            model=scan,
            parameters=Parameters(**ALL_FLAGGED),
        )
        assert analysis.coverage.cuts == (1.0,)
        a, b = analysis.persons
        assert (a.id, b.id) == ("A", "B")
        assert a.screen_time > b.screen_time
        assert min(score.time for score in a.scores) >= 1.0 > max(score.time for score in b.scores)
        by_person = {segment.person: segment for segment in analysis.segments}
        assert by_person["B"].end < 1.0 <= by_person["A"].start


class TestAPictureThatChangesItsSize:
    def test_growing_video_is_examined_at_its_largest_size(self, tmp_path: Path, scan: LoadedModel) -> None:
        path = write_resized(tmp_path / "call.webm", [(96, 96), (WIDTH, HEIGHT), (320, 192)])
        progress: list[float] = []
        media = analyze(path, model=scan, progress=lambda stage, done: progress.append(done)).media
        assert progress == sorted(progress)
        assert (media.width, media.height) == (320, 192)
        assert media.details is not None and media.details.picture is not None
        assert media.details.picture.sizes == ((96, 96), (WIDTH, HEIGHT), (320, 192))
        assert "the picture size changes" in [anomaly.kind for anomaly in media.anomalies]


class TestRefusals:
    @pytest.mark.parametrize(
        "make",
        [
            lambda path: path.touch(),
            lambda path: path.write_text("no video\n" * 200),
            lambda path: path.mkdir(),
            lambda path: None,
        ],
    )
    def test_bad_files(self, tmp_path: Path, scan: LoadedModel, make: Callable[[Path], object]) -> None:
        make(tmp_path / "bad.mp4")
        with pytest.raises(MediaError):
            analyze(tmp_path / "bad.mp4", model=scan)

    def test_missing_model(self, still: Path) -> None:
        with pytest.raises(ModelError):
            analyze(still, model="nosuch")

    def test_undecodable_frames_are_reported(self, tmp_path: Path, scan: LoadedModel, talking: Path) -> None:
        data = bytearray(talking.read_bytes())
        offset, size, _ = packets(talking)[20]
        data[offset : offset + size] = bytes(size)
        (tmp_path / "bad.mp4").write_bytes(data)
        media = analyze(tmp_path / "bad.mp4", model=scan).media
        assert media.frames_undecodable >= 1
        assert media.frames + media.frames_undecodable == 50

    def test_truncated_file_is_reported(
        self, tmp_path: Path, scan: LoadedModel, portrait: np.ndarray
    ) -> None:
        """Half a clip must not pass for a short whole one."""
        path = write_clip(
            tmp_path / "clip.mp4",
            [room(portrait, side=200, x=40 + i // 2) for i in range(75)],
            options={"crf": "20", "g": "1"},
            container_options={"movflags": "faststart"},
        )
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        analysis = analyze(path, model=scan)
        assert analysis.media.duration < 2.9
        last = analysis.coverage.not_examined[-1]
        assert last.reason == "the file breaks off here"
        assert (last.start, last.end) == pytest.approx((analysis.media.duration, 3.0), abs=0.05)
