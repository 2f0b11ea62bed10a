"""Files with several tracks, or with tracks that begin or end apart."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from analyses import media as facts
from av.stream import Disposition
from clips import HEIGHT, WIDTH, number_of, numbered, write_clip

from detector.media.completeness import missing_seconds
from detector.media.open import open_media
from detector.media.reader import MediaReader
from detector.media.stream.packet_stats import Tally
from detector.media.stream.packets import NeededPackets
from detector.metadata.anomalies import find_anomalies
from detector.metadata.exhibit import collect_facts
from detector.schema.analysis import MediaKind

EVERY_FRAME = 1000.0
NOW = datetime(2026, 11, 20, tzinfo=UTC)
KINDS_OF_WHOLE_DURATION = {
    "a.mkv": ("libx264", "pcm_s16le"),
    "a.wmv": ("wmv2", "adpcm_ms"),
    "a.flv": ("flv1", "pcm_s16le"),
}


class TestSeveralTracks:
    @pytest.mark.parametrize("default", [0, 1])
    def test_track_shown_by_players_is_examined(self, tmp_path: Path, default: int) -> None:
        path = tmp_path / "two.mkv"
        with av.open(str(path), "w") as container:
            tracks = [container.add_stream("libx264", rate=25) for _ in range(2)]
            for number, track in enumerate(tracks):
                track.width, track.height, track.pix_fmt = WIDTH, HEIGHT, "yuv420p"
                track.disposition = Disposition.default if number == default else Disposition(0)
            for i in range(3):
                for number, track in enumerate(tracks):
                    frame = av.VideoFrame.from_ndarray(numbered(100 * number + i), format="rgb24")
                    container.mux(track.encode(frame))
            for track in tracks:
                container.mux(track.encode())
        with open_media(path) as reader:
            assert number_of(next(iter(list(reader.frames(EVERY_FRAME)))).image) == 100 * default
            details = collect_facts(reader, path).details
        assert [stream.index for stream in details.other_pictures] == [1 - default]
        anomalies = find_anomalies(facts(MediaKind.VIDEO, 0.12), details, NOW)
        (finding,) = (anomaly for anomaly in anomalies if anomaly.kind == "another picture track")
        assert f"stream {1 - default} (H.264)" in finding.observation


class TestTimes:
    @pytest.mark.parametrize(
        ("name", "start", "sounds"),
        [
            *((name, 3, sounds) for name in KINDS_OF_WHOLE_DURATION for sounds in ([], [4])),
            # FLV holds one track of sound.
            *((name, *tracks) for name in ("a.mkv", "a.wmv") for tracks in ((0, [2, 6]), (3, [1, 8]))),
        ],
    )
    def test_tracks_with_different_times_lack_nothing(
        self, tmp_path: Path, name: str, start: int, sounds: list[int]
    ) -> None:
        """These containers state how long all of them last, from time 0."""
        path = write_tracks(tmp_path / name, start, sounds)
        with open_media(path) as reader:
            assert len(list(reader.frames(EVERY_FRAME))) == 50
            assert missing_seconds(reader) == 0 == reader.tally.undecodable
        if name != "a.wmv":  # FFmpeg ignores what a Windows Media file cut short says of its length
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
            with open_media(path) as reader:
                list(reader.frames(EVERY_FRAME))
                lost = max([start + 2, *sounds]) - start - float(reader.duration)
                assert missing_seconds(reader) == pytest.approx(lost, abs=0.15) and lost > 0.3

    def test_late_picture_track(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            voice = container.add_stream("pcm_s16le", rate=8000, layout="mono")
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), layout="mono")
            sound.sample_rate, sound.pts = 8000, 0
            container.mux(voice.encode(sound))
            for number in range(3):
                frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
                frame.pts, frame.time_base = 125 + number, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        with open_media(path) as reader:
            frames = list(reader.frames(EVERY_FRAME))
            assert float(frames[0].time) == 0 and reader.start_offset == pytest.approx(5.0)

    @pytest.mark.parametrize("shift", [-3, 0, 100])
    def test_frames_without_times_at_the_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift: int
    ) -> None:
        """Counted back from it, wherever it stands: from 0 on they would overlap it, or lie apart."""
        path = write_clip(tmp_path / "a.mp4", map(numbered, range(8)), options={"bf": "0"})
        raw = MediaReader._raw

        def bare(reader: MediaReader, tally: Tally, needed: NeededPackets | None) -> Iterator[av.VideoFrame]:
            for number, frame in enumerate(raw(reader, tally, needed)):
                if number < 3:
                    frame.pts = frame.dts = None
                elif frame.pts is not None:
                    frame.pts += shift * frame.duration
                yield frame

        monkeypatch.setattr(MediaReader, "_raw", bare)
        with open_media(path) as reader:
            frames = list(reader.frames(EVERY_FRAME))
            assert [number_of(frame.image) for frame in frames] == list(range(8))
            assert [float(frame.time) for frame in frames] == pytest.approx([n / 25 for n in range(8)])
            assert reader.tally.undecodable == 0


def write_tracks(path: Path, start: int, sounds: list[int]) -> Path:
    """Two seconds of picture that begin at ``start``, and tracks of sound of so many seconds."""
    with av.open(str(path), "w") as container:
        codec, sound_codec = KINDS_OF_WHOLE_DURATION[path.name]
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        packets: list[av.Packet] = []
        voices = [container.add_stream(sound_codec, rate=11025, layout="mono") for _ in sounds]
        for voice, seconds in zip(voices, sounds, strict=True):
            step = voice.codec_context.frame_size or 1000
            for at in range(0, 11025 * seconds, step):
                sound = av.AudioFrame.from_ndarray(np.zeros((1, step), np.int16), layout="mono")
                sound.sample_rate, sound.pts = 11025, at
                packets += voice.encode(sound)
            packets += voice.encode(None)
        for number in range(50):
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
            frame.pts, frame.time_base = 25 * start + number, Fraction(1, 25)
            packets += stream.encode(frame)
        for packet in sorted([*packets, *stream.encode()], key=lambda entry: entry.dts * entry.time_base):
            container.mux(packet)
    return path
