"""Files joined byte by byte: what is examined, and what is reported of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from clips import number_of, numbered, write_clip

from detector.media.open import open_media
from detector.metadata.exhibit import add_metadata, media_facts
from detector.schema.analysis import Media
from detector.verdict.coverage import unexamined_causes

X264 = {"crf": "12", "preset": "veryfast", "g": "25"}


def read_frames(path: Path) -> tuple[list[int], Media]:
    with open_media(path) as reader:
        shown = [number_of(frame.image) for frame in reader.frames(1000)]
        media = media_facts(reader, path.name, path.stat().st_size, "0" * 64)
        return shown, add_metadata(media, reader, path)[0]


def join_clips(tmp_path: Path, ending: str, codec: str = "libx264", **second: str) -> Path:
    """Frames 0 to 49, and behind them 500 to 549 of another file."""
    options = X264 if codec == "libx264" else {}
    clip, other = (
        write_clip(
            tmp_path / f"{first}.{ending}",
            map(numbered, range(first, first + 50)),
            codec=codec,
            options=options,
            container_options=second if first else {},
        )
        for first in (0, 500)
    )
    path = tmp_path / f"joined.{ending}"
    path.write_bytes(clip.read_bytes() + other.read_bytes())
    return path


def test_pictures_under_another_pid_are_examined(tmp_path: Path) -> None:
    """FFmpeg hands out the last picture before the change at the end, where it is counted and left."""
    shown, media = read_frames(join_clips(tmp_path, "ts", mpegts_start_pid="0x200"))
    assert shown == [*range(48), 49, *range(500, 550)]
    assert media.details is not None and not media.details.other_pictures
    assert media.frames_out_of_order == 1 and not [cause.text for cause in unexamined_causes(media, 0.0)]


def test_streams_of_another_program_are_reported(tmp_path: Path) -> None:
    """Where FFmpeg meets them late, PyAV ends in an error of its own."""
    path = join_clips(tmp_path, "ts", mpegts_start_pid="0x200", mpegts_pmt_start_pid="0x1100")
    shown, media = read_frames(path)
    assert shown == list(range(50))
    assert media.details is not None and media.details.picture is not None
    assert media.details.picture.ends_at == pytest.approx(0.5, abs=0.03)
    (finding,) = (anomaly for anomaly in media.anomalies if anomaly.kind == "more behind the pictures")
    assert (
        "end at 49 % of the file" in finding.observation or "end at 50 % of the file" in finding.observation
    )
    assert "of the file; what follows was not examined." in " ".join(
        [cause.text for cause in unexamined_causes(media, 0.0)]
    )


@pytest.mark.parametrize(("ending", "codec"), [("mp4", "libx264"), ("flv", "flv")])
def test_appended_file_is_reported(tmp_path: Path, ending: str, codec: str) -> None:
    path = join_clips(tmp_path, ending, codec)
    shown, media = read_frames(path)
    assert shown == list(range(50))
    assert [anomaly.kind for anomaly in media.anomalies].count("more behind the pictures") == 1
    _, alone = read_frames(tmp_path / f"0.{ending}")
    assert "more behind the pictures" not in [anomaly.kind for anomaly in alone.anomalies]


def test_late_sound_is_not_reported(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.ts", map(numbered, range(20)), options=X264, sound=True)
    _, media = read_frames(path)
    assert media.details is not None and media.details.picture is not None
    assert media.details.picture.ends_at is None
