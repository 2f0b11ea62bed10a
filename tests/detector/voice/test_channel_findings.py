"""Findings about channels that carry different speech: verdicts, segments, maps and outlines by channel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bright_voices import bright, bright_model
from made_speech import RATE, babble
from pydantic import ValidationError
from sounds import hum, write_wave

from detector import Parameters
from detector.schema.voice import Voice, VoiceVerdict
from detector.voice.examine import examine_voice
from detector.voice.samples import SoundReader


class _Media:
    duration, start_offset, has_sound = 8.0, 0.0, True


@pytest.fixture(autouse=True)
def bright_is_synthetic(monkeypatch: pytest.MonkeyPatch) -> None:
    model = bright_model()
    monkeypatch.setattr("detector.voice.examine.load_voice_model", lambda: model)


def examined(folder: Path, *channels: np.ndarray, images: Path | None = None) -> Voice:
    path = write_wave(folder / "a.wav", np.stack(channels))
    voice, explain = examine_voice(path, _Media(), Parameters(), images, lambda share: None)  # type: ignore[arg-type]
    voice = explain(lambda share: None) if explain else voice
    assert Voice.model_validate_json(voice.model_dump_json()) == voice
    return voice


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.float32)


def test_the_worst_channel_decides(tmp_path: Path) -> None:
    human = np.concatenate([babble(4.0), silence(4)])
    synthetic = np.concatenate([silence(4), bright(4.0)])
    voice = examined(tmp_path, human, synthetic, images=tmp_path)
    assert voice.verdict is VoiceVerdict.SYNTHETIC and voice.channels == (2,)
    (other,) = voice.other_channels
    assert other.verdict is VoiceVerdict.NOT_FOUND and other.channels == (1,)
    assert voice.findings == (other, voice)
    assert voice.stream is not None and voice.stream.channel_names == ("FL", "FR")
    (segment,) = voice.segments
    assert segment.channels == (2,) and segment.start >= 3.5 and voice.segments_of(other) == ()
    assert segment.peaks and all((tmp_path / path).is_file() for path in voice.pictures)
    assert len({finding.spectrogram.path for finding in voice.findings if finding.spectrogram}) == 2
    for finding in voice.findings:
        assert finding.speech + sum(finding.not_judged.values()) == pytest.approx(8.0, abs=0.002)
        assert finding.waveform is not None
        assert (finding.stability is None) is (finding is other)  # views decide about segments alone
    assert max(other.waveform.high[500:]) == 0  # type: ignore[union-attr]


def test_opposite_phase_is_judged_as_mono_is(tmp_path: Path) -> None:
    speech = bright(6.0)
    alone, opposite = examined(tmp_path, speech), examined(tmp_path, speech, -speech)
    assert opposite.verdict is VoiceVerdict.SYNTHETIC and not opposite.channels
    assert opposite.scores == alone.scores and opposite.waveform == alone.waveform
    assert opposite.segments == alone.segments


def test_segments_of_both_channels_are_numbered_by_time(tmp_path: Path) -> None:
    first, second = bright(8.0), np.concatenate([silence(2), bright(6.0, seed=1)])
    voice = examined(tmp_path, first, second, images=tmp_path)
    assert [(segment.id, segment.channels) for segment in voice.segments] == [
        ("voice-1", (1,)),
        ("voice-2", (2,)),
    ]
    assert sum(len(segment.peaks) for segment in voice.segments) <= 3
    assert all(segment.peaks and segment.flagged for segment in voice.segments)


def test_a_word_on_another_channel_leaves_the_verdict(tmp_path: Path) -> None:
    voice = examined(tmp_path, babble(8.0), np.concatenate([silence(6), babble(1.2, seed=1), silence(0.8)]))
    assert voice.verdict is VoiceVerdict.NOT_FOUND and voice.channels == (1,)
    assert voice.other_channels[0].verdict is VoiceVerdict.INCONCLUSIVE


def test_a_channel_without_speech_has_no_lane(tmp_path: Path) -> None:
    voice = examined(tmp_path, hum(6.0), bright(6.0))
    assert voice.verdict is VoiceVerdict.SYNTHETIC and voice.channels == (2,)
    (other,) = voice.other_channels
    assert other.verdict is VoiceVerdict.NO_SPEECH and other.waveform is None and other.not_judged


def test_loud_stereo_is_not_clipped(tmp_path: Path) -> None:
    loud = 0.98 * hum(2.0) / np.abs(hum(2.0)).max()
    (block,) = SoundReader(write_wave(tmp_path / "a.wav", np.stack([loud, loud]))).blocks()
    assert np.abs(block - loud).max() < 1e-4


def test_a_result_whose_verdict_is_not_of_the_worst_channel_does_not_open(tmp_path: Path) -> None:
    voice = examined(tmp_path, babble(6.0), bright(6.0)).model_dump()
    other = voice["other_channels"][0]
    same = ("channels", "verdict", "reason", "causes", "probability", "stability", "speech", "not_judged")
    rest = ("gaps", "scores", "properties", "waveform", "spectrogram")
    swapped = voice | {name: other[name] for name in same + rest}
    swapped["other_channels"] = [{name: voice[name] for name in same + rest}]
    with pytest.raises(ValidationError, match="more serious"):
        Voice.model_validate(swapped)
    renamed = voice | {"segments": [segment | {"channels": (3,)} for segment in voice["segments"]]}
    with pytest.raises(ValidationError, match="not judged"):
        Voice.model_validate(renamed)
