"""Matroska files whose first frames are before time 0."""

from __future__ import annotations

from pathlib import Path

import pytest
from clips import number_of, numbered, write_clip

from detector.media.open import open_media
from detector.media.stream.packets import read_ahead

COUNT = 60


def write_early_clip(path: Path, early: int, frames_behind: int, group: int) -> Path:
    return write_clip(
        path,
        map(numbered, range(COUNT)),
        pts=[number - early for number in range(COUNT)],
        options={"crf": "12", "preset": "veryfast", "bf": str(frames_behind), "g": str(group)},
        container_options={"avoid_negative_ts": "disabled"},
    )


@pytest.mark.parametrize("early", [5, 17, 40])
@pytest.mark.parametrize(("frames_behind", "group"), [(0, 250), (2, 250), (2, 15)])
def test_early_frames_have_times_and_are_found_again(
    tmp_path: Path, early: int, frames_behind: int, group: int
) -> None:
    with open_media(write_early_clip(tmp_path / "a.mkv", early, frames_behind, group)) as reader:
        frames = list(reader.frames(25.0))
        assert [number_of(frame.image) for frame in frames] == list(range(COUNT))
        assert [float(frame.time) for frame in frames] == pytest.approx([n / 25 for n in range(COUNT)])
        assert reader.tally.out_of_order == reader.tally.undecodable == 0
        some = [0, 3, early, early + 4, COUNT - 1]
        for _ in range(2):
            again = reader.at({frames[number].pts for number in some})
            assert [number_of(frame.image) for frame in again] == some
        reader.rewind()
        assert [number_of(frame.image) for frame in reader.frames(25.0)] == list(range(COUNT))


def test_no_read_ahead_if_the_first_packet_has_a_time(tmp_path: Path) -> None:
    import av

    read = 0
    with av.open(str(write_early_clip(tmp_path / "a.mkv", 0, 0, 250))) as container:

        def packets():
            nonlocal read
            for packet in container.demux(video=0):
                read += 1
                yield packet

        begun: list[int] = []
        next(read_ahead(packets(), 40, begun.append))
    assert (read, begun) == (1, [])
