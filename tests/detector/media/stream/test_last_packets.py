"""Damage in the last packets gives the same result with any number of threads."""

from __future__ import annotations

from pathlib import Path

import pytest
from clips import number_of, numbered, packets, write_clip

from detector.media.open import open_media


def read_frames(path: Path, threads: int) -> tuple[list[int], int, int]:
    """The numbers of the frames, how many are counted as undecodable, and how many rest on damage."""
    with open_media(path) as reader:
        reader.stream.codec_context.thread_count = threads
        numbers = [number_of(frame.image) for frame in reader.frames(25)]
        return numbers, reader.tally.undecodable, reader.tally.damage.frames


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mkv", "libx264", {"g": "24", "preset": "veryfast"}),
        ("a.flv", "libx264", {"g": "24", "preset": "veryfast", "bf": "0"}),
        ("a.webm", "libvpx-vp9", {"g": "24", "deadline": "realtime", "cpu-used": "8"}),
    ],
)
# Pictures on which others rest: of any other, FFmpeg's H.264 decoder may give the frame from the thread of
# the next packet, before the thread that decodes it has met the damage, and then does not mark it.
@pytest.mark.parametrize("damaged", [40, 44])
def test_frames_held_by_threads_are_recovered(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], damaged: int
) -> None:
    path = write_clip(tmp_path / name, map(numbered, range(48)), codec=codec, options=options)
    whole = read_frames(path, 8)
    assert whole == (list(range(48)), 0, 0)
    data = bytearray(path.read_bytes())
    at, size, _ = packets(path)[damaged]
    for place in range(at + 12, at + size):
        data[place] = (7 * data[place] + 13 * place + 91) % 256
    path.write_bytes(data)
    alone = read_frames(path, 1)
    assert alone != whole
    assert read_frames(path, 8) == read_frames(path, 3) == alone


def test_skipped_kinds_are_not_decoded(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", map(numbered, range(48)), options={"g": "24", "preset": "veryfast"})
    with open_media(path) as reader:
        reader.stream.codec_context.thread_count = 8
        assert [frame.key_frame for frame, _ in reader.some_frames("NONKEY")] == [True, True]
