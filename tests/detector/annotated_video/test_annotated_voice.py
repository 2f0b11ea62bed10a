"""The annotated video: the row of the voice's scores, and which of several sound tracks it has."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from annotated_clips import CONSTANT, Case, case, picture
from clips import HEIGHT, WIDTH, write_clip
from voices import two_channels, voice

from detector.annotated_video import panel
from detector.annotated_video.drawing import COLOURS, FaceState, arrange

SECONDS = 20


@pytest.fixture
def made(tmp_path: Path) -> Case:
    """Twenty seconds, a frame each, with synthetic speech from 3 to 8.5 s."""
    path = write_clip(tmp_path / "clip.mp4", map(picture, range(SECONDS)), time_base=Fraction(1))
    prepared = case(path, voice=voice(duration=SECONDS))
    prepared.layout = arrange(WIDTH, HEIGHT, Fraction(1), 1, False, True)
    return prepared


def of_colour(image: np.ndarray, state: FaceState) -> np.ndarray:
    """Where pixels are near the colour of a state."""
    near: np.ndarray = np.abs(image.astype(int) - COLOURS[state]).max(axis=2) < 70
    return near


def test_flagged_speech_is_hatched_in_a_row_below_the_persons(made: Case) -> None:
    frames = made.annotated()[1]
    person, row = made.layout.lane(0), made.layout.lane(1)
    image = frames[0].image
    assert image.shape[0] == made.layout.height
    columns = of_colour(image[row.y : row.bottom, row.x : row.right], FaceState.FLAGGED).any(axis=0)
    hatched = np.flatnonzero(columns) / row.width * SECONDS
    assert hatched[0] == pytest.approx(3, abs=0.2) and hatched[-1] == pytest.approx(8.5, abs=0.2)
    assert not of_colour(image[person.y : person.bottom, person.x : person.right], FaceState.FLAGGED).any()


def test_score_beside_the_row_is_that_of_the_frame(made: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    words: list[tuple[str, tuple[int, int, int]]] = []
    real = panel.write

    def write(image: np.ndarray, text: str, x: int, baseline: int, size: int, *colour: object) -> None:
        row = made.layout.lane(1)
        if x == panel.MARGIN and row.y <= baseline <= row.bottom and size == 13:
            words.append((text, colour[0]))  # type: ignore[arg-type]
        real(image, text, x, baseline, size, *colour)  # type: ignore[arg-type]

    monkeypatch.setattr(panel, "write", write)
    made.annotated()
    scores = made.analysis.voice.scores if made.analysis.voice else None
    assert scores is not None and len(words) == SECONDS
    assert words[0] == ("no score", COLOURS[FaceState.NOT_JUDGED]), "the first window's middle is at 2 s"
    assert words[6] == (f"{scores.smoothed[scores.time.index(6.0)]:.2f}", COLOURS[FaceState.FLAGGED])
    assert words[12] == (f"{scores.smoothed[scores.time.index(12.0)]:.2f}", COLOURS[FaceState.LOW])


def test_without_faces_the_voice_has_the_only_row(made: Case) -> None:
    layout = arrange(WIDTH, HEIGHT, Fraction(1), 0, False, True)
    frames = made.annotated(persons=())[1]
    row = layout.lane(0)
    assert layout.lanes == 1 and frames[0].image.shape[0] == layout.height
    assert of_colour(frames[0].image[row.y : row.bottom, row.x : row.right], FaceState.FLAGGED).any()


def test_each_channel_that_was_judged_has_a_row(made: Case) -> None:
    layout = arrange(WIDTH, HEIGHT, Fraction(1), 1, False, 2)
    frames = made.annotated(voice=two_channels(duration=SECONDS))[1]
    assert frames[0].image.shape[0] == layout.height
    rows = [layout.lane(number) for number in (1, 2)]
    left, right = (frames[0].image[row.y : row.bottom, row.x : row.right] for row in rows)
    assert of_colour(right, FaceState.FLAGGED).any() and not of_colour(left, FaceState.FLAGGED).any()


def test_a_film_without_sound_has_no_row_of_the_voice(made: Case) -> None:
    silent = voice(duration=SECONDS, spans=(), stream=None)
    frames = made.annotated(voice=silent)[1]
    assert frames[0].image.shape[0] == arrange(WIDTH, HEIGHT, Fraction(1), 1, False).height


def test_the_sound_is_the_examined_track(tmp_path: Path) -> None:
    """The default track, here the second of two."""
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        tracks = [container.add_stream("flac", rate=8000, layout="mono") for _ in range(2)]
        tracks[0].disposition = av.stream.Disposition(0)
        tracks[1].disposition = av.stream.Disposition.default
        for number in CONSTANT[:10]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        container.mux(stream.encode())
        for loud, track in zip((0, 9000), tracks, strict=True):
            wave = av.AudioFrame.from_ndarray(np.full((1, 3200), loud, np.int16), format="s16", layout="mono")
            wave.sample_rate, wave.pts = 8000, 0
            container.mux(track.encode(wave))
            container.mux(track.encode())
    prepared = case(path)
    result, _ = prepared.annotated()
    assert result.sound == "copied unchanged"
    with av.open(str(prepared.folder / "annotated.mp4")) as container:
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert heard.max() > 0
