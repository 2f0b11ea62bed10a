"""The annotated video: what it refuses, its command, and its memory."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from analyses import build
from annotated_clips import (
    CONSTANT,
    Case,
    case,
    flagged,
    picture,
    read,
)
from clips import HEIGHT, number_of, write_clip, write_erased, write_sound

from cli.engine.main import main
from detector.annotated_video import annotate, video
from detector.errors import MediaError
from detector.files import ROOT
from detector.sandbox import capabilities, confined_process
from detector.schema.analysis import Media, MediaKind


class TestRefusals:
    def test_other_file_than_the_exhibit_is_rejected(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:5])))
        other = write_clip(tmp_path / "other.mp4", map(picture, CONSTANT[:6]))
        out = tmp_path / "out.mp4"
        out.write_bytes(b"earlier")
        before = sorted(tmp_path.iterdir())
        with pytest.raises(MediaError, match="not the exhibit") as refused:
            annotate(other, made.analysis, out, {})
        assert made.analysis.media.sha256[:16] in str(refused.value)
        assert out.read_bytes() == b"earlier" and sorted(tmp_path.iterdir()) == before

    def test_one_extra_byte_is_rejected(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:5])))
        made.path.write_bytes(made.path.read_bytes() + b"\0")
        with pytest.raises(MediaError, match="not the exhibit"):
            annotate(made.path, made.analysis, tmp_path / "out.mp4", {})

    def test_exhibit_is_never_overwritten(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:5])))
        before = made.path.read_bytes()
        (tmp_path / "link.mp4").hardlink_to(made.path)
        for out in (made.path, tmp_path / "link.mp4"):
            with pytest.raises(MediaError, match="exhibit's place"):
                annotate(made.path, made.analysis, out, {})
        assert made.path.read_bytes() == before

    def test_photo_is_rejected(self, tmp_path: Path) -> None:
        photo = build(tmp_path, kind=MediaKind.IMAGE, segments=0)
        with pytest.raises(MediaError, match="photo"):
            annotate(tmp_path / "photo.jpg", photo, tmp_path / "out.mp4", {})

    @pytest.mark.parametrize("kind", ["gone", "sound only"])
    def test_undecodable_file_is_rejected(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "clip.mp4"
        analysis = build(tmp_path, segments=0)
        if kind == "sound only":
            write_sound(path)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            media: Media = analysis.media.model_copy(update={"sha256": digest})
            analysis = analysis.model_copy(update={"media": media})
        with pytest.raises(MediaError):
            annotate(path, analysis, tmp_path / "out.mp4", {})
        assert {entry.name for entry in tmp_path.iterdir()} <= {"clip.mp4"}

    def test_interruption_leaves_no_file(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT)))

        def stop(done: float) -> None:
            if done > 0.3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            annotate(made.path, made.analysis, tmp_path / "out.mp4", {}, stop)
        assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]


def test_command_draws_in_a_confined_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:5])))
    (tmp_path / "out").mkdir()
    (tmp_path / "analysis.json").write_text(made.analysis.to_json())
    real, here = video.hash_file, os.getpid()

    def hashed(path: Path) -> tuple[int, str]:
        assert os.getpid() != here
        if capabilities().files:
            with pytest.raises(PermissionError):
                (tmp_path / "analysis.json").read_bytes()
        return real(path)

    monkeypatch.setattr(video, "hash_file", hashed)
    monkeypatch.setattr(confined_process, "native_threads", lambda: 1)  # forked, so that it has this function
    out = tmp_path / "out" / "annotated.mp4"
    assert main(["annotate", str(made.path), str(tmp_path / "analysis.json"), "--out", str(out)]) == 0
    assert len(read(out)) == 5 and list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "seen"),
    [
        ("deep.mov", "prores_ks", "yuva444p10le", 0),
        ("plain.mov", "qtrle", "argb", 0),
        ("a.gif", "gif", "", 255),
    ],
)
def test_transparent_parts_are_shown_as_analysed(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, seen: int
) -> None:
    made = case(write_erased(tmp_path / name, codec, pix_fmt), lambda n: False)
    _, frames = made.annotated()
    shown = [frame.source(made.layout) for frame in frames]
    assert [number_of(image) for image in shown] == list(range(8))
    assert all(abs(image[HEIGHT // 2 + 8 :].astype(int) - seen).max() < 12 for image in shown)


@pytest.mark.slow
def test_memory_is_independent_of_the_length(tmp_path: Path) -> None:
    """Twenty times the frames: what grows is the list of scores and the index of the file."""

    def peak(count: int) -> int:
        """Most memory, in bytes, that a process of its own needs for a clip of ``count`` frames."""
        folder = tmp_path / str(count)
        folder.mkdir()
        pictures = [picture(number) for number in range(32)]
        made = case(write_clip(folder / "clip.mp4", (pictures[n % 32] for n in range(count)), sound=True))
        (folder / "analysis.json").write_text(made.analysis.to_json(), "utf-8")
        arguments = [
            "annotate",
            str(made.path),
            str(folder / "analysis.json"),
            "--out",
            str(folder / "o.mp4"),
        ]
        code = (
            "import sys; from cli.engine.main import main; "
            "from detector.process.resources import peak_memory; "
            "print(main(sys.argv[1:]), peak_memory())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
        status, most = done.stdout.splitlines()[-1].split()
        assert status == "0"
        return int(most)

    assert peak(3000) - peak(150) < 60_000_000


class TestCommand:
    def written(self, tmp_path: Path) -> Case:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT), sound=True))
        made.analysis = made.analysis.model_copy(update={"segments": flagged(made, 6, 18, (9,))})
        (tmp_path / "analysis.json").write_text(made.analysis.to_json(), "utf-8")
        return made

    def test_command_reports_the_result(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        made = self.written(tmp_path)
        out = tmp_path / "annotated.mp4"
        assert main(["annotate", str(made.path), str(tmp_path / "analysis.json"), "--out", str(out)]) == 0
        assert capsys.readouterr().out.splitlines() == [
            f"{out}: 30 frames, 0 with a heatmap. Sound: copied unchanged.",
            "Missing or unreadable heatmaps: 1.",
        ]
        assert [frame.time for frame in read(out)] == made.times

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ("other", "not the exhibit"),
            ("gone", "cannot be opened"),
            ("no analysis", "not an analysis"),
            ("outside", "outside its folder"),
            ("folder", "does not exist"),
            ("ending", "ends in .mp4"),
        ],
    )
    def test_errors_take_one_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, message: str
    ) -> None:
        made = self.written(tmp_path)
        exhibit, out, analysis = made.path, tmp_path / "annotated.mp4", tmp_path / "analysis.json"
        if change == "other":
            exhibit.write_bytes(exhibit.read_bytes()[:-1])
        elif change == "gone":
            exhibit.unlink()
        elif change == "no analysis":
            analysis.write_text("{}")
        elif change == "outside":
            analysis.write_text(analysis.read_text().replace("overlays/A1-9-map", "../A1-9-map"))
        elif change == "folder":
            out = tmp_path / "no" / "annotated.mp4"
        else:
            out = tmp_path / "annotated.avi"
        assert main(["annotate", str(exhibit), str(analysis), "--out", str(out)]) == 2
        captured = capsys.readouterr()
        (line,) = captured.err.splitlines()
        assert captured.out == "" and line.startswith("reelproof: ") and message in line
        assert not out.exists()

    def test_is_documented(self) -> None:
        assert "reelproof annotate" in (ROOT / "docs" / "cli.md").read_text("utf-8")
        assert "reelproof annotate" in (ROOT / "docs" / "exports.md").read_text("utf-8")
