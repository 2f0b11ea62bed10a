"""What of a file was not looked at, in the words that follow a verdict's reason."""

from __future__ import annotations

import pytest
from analyses import media as media_facts

from detector.schema.analysis import MediaKind
from detector.schema.metadata import Details, Photo, Stream
from detector.verdict.not_seen import not_seen

VIDEO, IMAGE = MediaKind.VIDEO, MediaKind.IMAGE


def test_what_of_the_file_was_not_seen() -> None:
    video = media_facts(VIDEO, 10.0)
    assert not_seen(video, 0.0) == []
    streams = [Stream(index=i, kind="video", codec="h264", examined=i == 1, cover=i == 2) for i in range(3)]
    tracks = video.model_copy(update={"details": Details(streams=tuple(streams))})
    assert not_seen(tracks, 0.0) == ["The file holds 1 more picture track, not looked at (stream 0)."]
    damaged = video.model_copy(update={"frames_undecodable": 36})
    assert "36 of its frames or packets" in not_seen(damaged, 0.0)[0]
    assert "2.8 s are missing at its end" in not_seen(video, 2.76)[0]
    for kind, told in (("TIFF", ["The file holds 2 more pictures, not looked at."]), ("MPO", [])):
        pages = Details(photo=Photo(format=kind, mode="RGB", frames=3))
        assert not_seen(media_facts(IMAGE, 0.0).model_copy(update={"details": pages}), 0.0) == told
    photo = media_facts(IMAGE, 0.0).model_copy(update={"frames_undecodable": 1})
    assert "part of the picture is missing" in not_seen(photo, 0.0)[0]


@pytest.mark.parametrize(
    ("lost", "resting", "said"), [(1, 0, False), (1, 1, False), (1, 40, True), (0, 40, True)]
)
def test_few_lost_packets_count_with_the_frames_that_rest_on_them(
    lost: int, resting: int, said: bool
) -> None:
    media = media_facts(VIDEO, 4.0).model_copy(
        update={"frames_decoded": 100, "frames_undecodable": lost, "frames_from_damaged": resting}
    )
    told = " ".join(not_seen(media, 0.0))
    assert ("rest on damaged or missing ones were not looked at (40)" in told) is said
    assert ("could not be used" in told) is (said and lost > 0)
