"""What of a file was not looked at, in the words that follow a verdict's reason."""

from __future__ import annotations

import pytest
from analyses import media as media_facts

from detector.schema.analysis import Media, MediaKind
from detector.schema.metadata import Details, Groups, Photo, Picture, Stream
from detector.verdict.coverage import unexamined_causes

VIDEO, IMAGE = MediaKind.VIDEO, MediaKind.IMAGE


def test_unexamined_parts_are_described() -> None:
    video = media_facts(VIDEO, 10.0)
    assert [cause.text for cause in unexamined_causes(video, 0.0)] == []
    streams = [Stream(index=i, kind="video", codec="h264", examined=i == 1, cover=i == 2) for i in range(3)]
    tracks = video.model_copy(update={"details": Details(streams=tuple(streams))})
    assert [cause.text for cause in unexamined_causes(tracks, 0.0)] == [
        "The file holds 1 more picture track, not examined (stream 0)."
    ]
    damaged = video.model_copy(update={"frames_undecodable": 36})
    assert "36 of its frames or packets" in [cause.text for cause in unexamined_causes(damaged, 0.0)][0]
    assert "2.8 s are missing at its end" in [cause.text for cause in unexamined_causes(video, 2.76)][0]
    for kind, sentences in (("TIFF", ["The file holds 2 more pictures, not examined."]), ("MPO", [])):
        pages = Details(photo=Photo(format=kind, mode="RGB", frames=3))
        assert [
            cause.text
            for cause in unexamined_causes(media_facts(IMAGE, 0.0).model_copy(update={"details": pages}), 0.0)
        ] == sentences
    photo = media_facts(IMAGE, 0.0).model_copy(update={"frames_undecodable": 1})
    assert "part of the picture is missing" in [cause.text for cause in unexamined_causes(photo, 0.0)][0]


@pytest.mark.parametrize(
    ("lost", "resting", "mention"), [(1, 0, False), (1, 1, False), (1, 40, True), (0, 40, True)]
)
def test_lost_packets_count_with_dependent_frames(lost: int, resting: int, mention: bool) -> None:
    media = media_facts(VIDEO, 4.0).model_copy(
        update={"frames_decoded": 100, "frames_undecodable": lost, "frames_from_damaged": resting}
    )
    text = " ".join([cause.text for cause in unexamined_causes(media, 0.0)])
    assert ("depend on damaged or missing ones were not examined (40)" in text) is mention
    assert ("could not be used" in text) is (mention and lost > 0)


def begun(with_key: bool | None) -> Details:
    counts = {"packets": 100, "key_frames": 4, "shortest": 25, "longest": 25, "median": 25.0, "lengths": ()}
    counts |= dict.fromkeys(("i_frames", "p_frames", "b_frames", "other_frames"), 0)
    return Details(groups=Groups(**counts, begins_with_key=with_key, with_leading_frames=0))


def intact(**changed: object) -> Media:
    """A video of a hundred frames, of which two are few."""
    facts = {"frames_decoded": 100, "frames_undecodable": 0, **changed}
    return media_facts(VIDEO, 4.0).model_copy(update=facts)


_BROKEN = "The file is damaged or incomplete: %s."
_START = _BROKEN % "the first 1.2 s cannot be decoded"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"turned": 90}, "as the file is stored; it was examined turned by 90° clockwise."),
        (
            {"details": Details(picture=Picture(transparent=0.01))},
            "Parts of the picture are transparent; what",
        ),
        ({"details": Details(picture=Picture(transparent=0.009))}, None),  # round corners
        ({"frames_out_of_order": 2}, None),
        (
            {"frames_out_of_order": 3},
            "3 intact frames with a time not later than that of the frame before were",
        ),
        ({"lost_at_end": 1.25}, _BROKEN % "the last 1.2 s cannot be decoded"),
        ({"lost_at_start": 1.25}, _START),
        ({"lost_at_start": 1.25, "details": begun(None)}, _START),
        ({"lost_at_start": 1.25, "details": begun(True)}, _START),
        (
            {"lost_at_start": 1.25, "details": begun(False)},
            _BROKEN % "the first 1.2 s cannot be decoded (they begin between two key frames)",
        ),
        ({"lost_at_end": 1.25, "frames_undecodable": 1}, _BROKEN % "the last 1.2 s cannot be decoded"),
    ],
)
def test_each_part_has_its_sentence(changed: dict[str, object], words: str | None) -> None:
    sentences = [cause.text for cause in unexamined_causes(intact(**changed), 0.0)]
    if words is None:
        assert sentences == []
    else:
        (sentence,) = sentences
        assert words in sentence


def test_further_tracks_and_one_disordered_frame() -> None:
    streams = tuple(
        Stream(index=i, kind="video", codec="h264", examined=i == 1, cover=False) for i in range(3)
    )
    media = intact(frames_decoded=20, frames_out_of_order=1, details=Details(streams=streams))
    assert [cause.text for cause in unexamined_causes(media, 0.0)] == [
        "The file holds 2 more picture tracks, not examined (stream 0, stream 2).",
        "1 intact frame with a time not later than that of the frame before was not examined.",
    ]


def test_further_pages_of_a_photograph() -> None:
    pages = Details(photo=Photo(format="TIFF", mode="RGB", frames=3))
    assert [cause.text for cause in unexamined_causes(intact(details=pages), 0.0)] == []
