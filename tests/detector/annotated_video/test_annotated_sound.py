"""The annotated video's sound: copied in its place, or left out and said so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from annotated_clips import (
    CONSTANT,
    assert_in_step,
    case,
    picture,
)
from clips import HEIGHT, WIDTH, write_clip

from detector.media.open import open_media


def sound_packets(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [
            (float(packet.pts * stream.time_base), bytes(packet))
            for packet in container.demux(stream)
            if packet.size and packet.pts is not None
        ]


class TestSound:
    def test_is_copied_unchanged(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT), sound=True))
        result, frames = made.annotated()
        assert result.sound == "copied unchanged"
        assert_in_step(frames, made)
        heard = [packet for packet in sound_packets(made.path) if packet[0] >= 0]
        copied = sound_packets(made.folder / "annotated.mp4")
        assert [data for _, data in copied] == [data for _, data in heard]
        assert [time for time, _ in copied] == pytest.approx([time for time, _ in heard], abs=1e-4)

    def test_stays_in_sync_with_a_late_starting_picture(self, tmp_path: Path) -> None:
        path = write_clip(
            tmp_path / "clip.mkv", map(picture, CONSTANT), pts=[5 + n for n in CONSTANT], sound=True
        )
        made = case(path)
        result, frames = made.annotated()
        assert result.sound == "copied unchanged"
        assert_in_step(frames, made)
        with open_media(path) as reader:
            first = float(next(pts for _, pts in reader.every_frame()) * reader.time_base)
        assert first == pytest.approx(0.2, abs=0.001)
        where = {data: time for time, data in sound_packets(path)}
        copied = sound_packets(made.folder / "annotated.mp4")
        assert len(copied) >= 4
        for time, data in copied:
            assert time == pytest.approx(where[data] - first, abs=0.002)

    def test_unsupported_codec_is_dropped_and_reported(self, tmp_path: Path) -> None:
        path = tmp_path / "clip.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.options = {"crf": "12"}
            voice = container.add_stream("pcm_s16le", rate=8000, layout="mono")
            for number in CONSTANT:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
            container.mux(stream.encode())
            wave = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
            wave.sample_rate, wave.pts = 8000, 0
            container.mux(voice.encode(wave))
            container.mux(voice.encode())
        made = case(path)
        result, frames = made.annotated()
        assert result.sound == "left out (pcm_s16le)"
        assert_in_step(frames, made)
        with av.open(str(made.folder / "annotated.mp4")) as container:
            assert not container.streams.audio
            assert "left out (pcm_s16le)" in container.metadata["comment"]

    def test_of_joined_streams_is_dropped_and_reported(self, tmp_path: Path) -> None:
        """On the second part's own clock it would count as heard before the first frame, and be lost."""
        path = tmp_path / "clip.ts"
        with path.open("wb") as joined:
            for part, start in enumerate((20, 0)):
                clip = write_clip(
                    tmp_path / f"{part}.ts",
                    map(picture, range(30 * part, 30 * part + 30)),
                    sound=True,
                    container_options={"output_ts_offset": str(start)},
                )
                joined.write(clip.read_bytes())
        made = case(path)
        result, frames = made.annotated()
        assert result.sound == "left out (aac)"
        assert len(frames) == 60

    def test_rejected_by_the_container_is_dropped(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from detector.annotated_video import video

        def refuse(*_: Any) -> None:
            raise video.SoundRefused

        monkeypatch.setattr(video.Sound, "until", refuse)
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT), sound=True))
        real = video.Sound.__init__

        def unrefused(self: Any, container: Any, wanted: bool) -> None:
            real(self, container, wanted)
            if not wanted:
                monkeypatch.setattr(video.Sound, "until", lambda *_: None)

        monkeypatch.setattr(video.Sound, "__init__", unrefused)
        result, frames = made.annotated()
        assert result.sound == "left out (aac)" and len(frames) == 30
