"""An exhibit against a reference: whose face differs, what is written, and how it fails."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import numbered, write_clip
from unconfined import Unconfined

from cli.engine.main import main
from detector import demo_clip
from detector.comparison.compare import compare
from detector.comparison.statements import LIMITS
from detector.errors import MediaError
from detector.files import ROOT
from detector.schema.comparison import Comparison

QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 80]


def write_photo(path: Path, picture: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), picture[:, :, ::-1], QUALITY)
    return path


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photo(tmp_path_factory.mktemp("original") / "original.jpg", demo_clip.portraits()[0])


@pytest.fixture(scope="module")
def swapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same photo with another face, four fifths as large."""
    picture = demo_clip.swap_face(*demo_clip.portraits())
    small = cv2.resize(picture, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    return write_photo(tmp_path_factory.mktemp("swapped") / "swapped.jpg", small)


def test_photo_with_another_face(swapped: Path, original: Path, tmp_path: Path) -> None:
    comparison = compare(swapped, original, images=tmp_path)
    assert comparison.related
    assert comparison.transform is not None
    assert comparison.transform.scale == pytest.approx(0.8, rel=0.01)
    (segment,) = comparison.segments
    assert segment.person == "A"
    assert segment.start == segment.end == 0
    assert segment.difference > segment.surroundings + 1
    assert "the face of person A differs from the reference by" in segment.statement
    assert "while its surroundings" in segment.statement
    assert (comparison.limits, comparison.limits_cause) == (LIMITS.text, LIMITS)
    assert comparison.example is None
    (peak,) = segment.peaks
    for name in (peak.side_by_side, peak.difference, peak.overlay):
        assert name is not None
        assert cv2.imread(str(tmp_path / name)) is not None
    heat = cv2.imread(str(tmp_path / str(peak.difference)), cv2.IMREAD_GRAYSCALE)
    x0, y0, x1, y1 = (round(v) for v in peak.box)
    assert heat[y0:y1, x0:x1].mean() > 5 * heat[:, : x0 // 2].mean() + 1


def test_resaved_photo(original: Path, tmp_path: Path) -> None:
    picture = demo_clip.portraits()[0][:, ::-1]  # mirrored
    brighter = cv2.convertScaleAbs(picture, alpha=1.1, beta=8)
    comparison = compare(write_photo(tmp_path / "again.jpg", brighter), original)
    assert comparison.related
    assert comparison.transform is not None and comparison.transform.mirror
    assert len(comparison.persons) == 1
    assert comparison.segments == ()
    assert "No face differs" in comparison.statement


@pytest.fixture(scope="module")
def short_samples(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, tuple[float, float]]:
    """The demonstration clip in two seconds and half its size, the same as it was, and when it is another."""
    folder, inside, view = tmp_path_factory.mktemp("short"), (0.5, 1.5), demo_clip._view
    half = np.array([0.5, 0.5, 1, 1])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(demo_clip, "SIZE", (640, 360))
        patched.setattr(demo_clip, "_BIT_RATE", 900_000)
        patched.setattr(
            demo_clip,
            "_view",
            lambda photo, centre, zoom, drift: view(photo, centre, zoom / 2, drift * half),
        )
        patched.setattr(demo_clip, "SECONDS", 2)
        patched.setattr(demo_clip, "MANIPULATED", inside)
        demo_clip.make_sample(folder / "sample.mp4")
        patched.setattr(demo_clip, "swap_face", lambda image, other: image)
        demo_clip.make_sample(folder / "original.mp4")
    return folder / "sample.mp4", folder / "original.mp4", inside


def test_sample_clip_against_its_original(short_samples: tuple[Path, Path, tuple[float, float]]) -> None:
    sample, original, inside = short_samples
    comparison = compare(sample, original)
    (segment,) = comparison.segments
    assert segment.start == pytest.approx(inside[0], abs=0.15)
    assert segment.end == pytest.approx(inside[1], abs=0.15)
    (person,) = (candidate for candidate in comparison.persons if candidate.id == segment.person)
    assert person.median_box[2] < 640 / 2  # the person on the left
    assert len(comparison.persons) == 2
    (piece,) = comparison.time_map
    assert piece.reference.start == pytest.approx(piece.exhibit.start, abs=0.02)


def test_video_cannot_be_compared_with_a_photo(original: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", (numbered(n) for n in range(10)))
    with pytest.raises(MediaError, match="is a photo"):
        compare(clip, original)


def test_error_names_the_broken_reference(original: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(100))
    with pytest.raises(MediaError, match=r"broken\.mp4: "):
        compare(original, tmp_path / "broken.mp4")


class TestCommand:
    @pytest.fixture(autouse=True)
    def in_this_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("detector.comparison.compare.Sandbox", Unconfined)

    def test_command_writes_comparison_and_pictures(
        self, swapped: Path, original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "result"
        assert main(["compare", str(swapped), str(original), "--out", str(out)]) == 0
        comparison = Comparison.from_json((out / "comparison.json").read_bytes())
        assert comparison.exhibit.file == "swapped.jpg"
        assert comparison.reference.file == "original.jpg"
        assert (out / str(comparison.segments[0].peaks[0].overlay)).is_file()
        printed = capsys.readouterr().out
        assert comparison.statement in printed
        assert LIMITS.text in printed

    @pytest.mark.parametrize("which", [0, 1])
    def test_files_that_are_no_media(
        self, which: int, original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        files = [original, original]
        files[which] = tmp_path / "gone.mp4"
        assert main(["compare", *map(str, files), "--out", str(tmp_path / "out")]) == 2
        assert f"{tmp_path / 'gone.mp4'}: The file cannot be opened" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    def test_folder_with_other_content_is_rejected(
        self, original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "notes.txt").write_text("mine")
        assert main(["compare", str(original), str(original), "--out", str(tmp_path)]) == 2
        assert "contains no earlier comparison" in capsys.readouterr().err


@pytest.mark.fresh
def test_comparison_is_confined(original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["compare", str(original), str(original), "--out", str(tmp_path / "out"), "--format", "json"])
        == 0
    )
    answer = json.loads(capsys.readouterr().out)
    assert answer["related"] is True
    # One moment is shown all the same, so that a person can see that nothing differs.
    assert (tmp_path / "out" / answer["example"]["side_by_side"]).is_file()


def test_published_schema_is_current() -> None:
    published = (ROOT / "docs" / "comparison.schema.json").read_text(encoding="utf-8")
    assert published == Comparison.schema_text()
