"""Joined MPEG streams, each with its own clock."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import pytest
from analyses import media as facts
from clips import number_of, numbered, write_clip

from detector.media.completeness import missing_seconds
from detector.media.open import open_media
from detector.media.stream.packets import RestartedClock
from detector.metadata.anomalies import find_anomalies
from detector.metadata.exhibit import collect_facts
from detector.schema.analysis import MediaKind


@pytest.mark.parametrize(("suffix", "codec"), [(".ts", "libx264"), (".mpg", "mpeg2video")])
@pytest.mark.parametrize("parts", [(0, 50, 100), (0, 30, 120), (0, 60, 75, 90)])
def test_joined_streams_are_read_whole(
    tmp_path: Path, suffix: str, codec: str, parts: tuple[int, ...]
) -> None:
    joined = tmp_path / f"joined{suffix}"
    with joined.open("wb") as out:
        for start, end in zip(parts, parts[1:], strict=False):
            part = write_clip(tmp_path / f"{start}{suffix}", map(numbered, range(start, end)), codec=codec)
            out.write(part.read_bytes())
    with open_media(joined) as reader:
        frames = list(reader.frames(1000.0))
        assert [number_of(frame.image) for frame in frames] == list(range(parts[-1]))
        assert reader.tally.undecodable == missing_seconds(reader) == 0
        assert float(reader.duration) == pytest.approx(parts[-1] / 25, abs=0.3)
        again = list(reader.at({frame.pts for frame in frames[::-7]}))
        assert [number_of(frame.image) for frame in again] == sorted(range(parts[-1])[::-7])
        late = list(reader.at({frames[-1].pts})) + list(reader.at({frames[3].pts}))
        assert [number_of(frame.image) for frame in late] == [parts[-1] - 1, 3]
        anomalies = find_anomalies(
            facts(MediaKind.VIDEO, 4.0),
            collect_facts(reader, joined).details,
            datetime(2026, 11, 20, tzinfo=UTC),
        )
        kinds = {anomaly.kind for anomaly in anomalies}
        assert "time stamps out of order" in kinds
        assert "durations disagree" not in kinds  # these containers state none
        reader.rewind()
        assert len(list(reader.every_frame())) == parts[-1]


@pytest.mark.parametrize(
    ("read", "carried_on"),
    [
        ([0, 40, 80, 120], [0, 40, 80, 120]),
        ([5000, 5040, 0, 40], [5000, 5040, 5080, 5120]),
        ([5000, 0, 1000, 0, 40], [5000, 5040, 6040, 6080, 6120]),
        # Too little, and one wrong time: neither is a new beginning.
        ([5000, 4900, 4940], [5000, 4900, 4940]),
        ([5000, 5040, 0, 5120, 5160], [5000, 5040, 5080, 5120, 5160]),
    ],
)
def test_only_a_restarted_clock_is_continued(read: list[int], carried_on: list[int]) -> None:
    clock, got = RestartedClock(Fraction(1, 1000)), []
    for time in read:
        packet = av.Packet(b"0")
        packet.pts = packet.dts = time
        packet.duration = 40
        clock.continue_times(packet)
        assert packet.pts == packet.dts
        got.append(packet.pts)
    assert got == carried_on
