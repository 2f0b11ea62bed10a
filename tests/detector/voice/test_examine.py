"""From a file to the finding about its voices, by the shipped network."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from made_speech import RATE, babble
from sounds import hum, write_recording

from detector import Parameters
from detector.backends.runtimes import knows_bfloat16
from detector.backends.selection import BACKEND_VARIABLE
from detector.errors import ModelError
from detector.schema.analysis import Analysis
from detector.schema.voice import Voice, VoiceVerdict
from detector.voice import maps, model
from detector.voice.card import voice_model_files
from detector.voice.examine import examine_voice
from detector.voice.model import load_voice_model
from detector.voice.network import Spectra, VoiceNetwork, spectra
from detector.voice.views import through_aac
from detector.voice.windows import Window


class _Media:
    """The facts of an exhibit that the examination reads."""

    def __init__(self, duration: float, start_offset: float = 0.0, has_sound: bool = True) -> None:
        self.duration, self.start_offset, self.has_sound = duration, start_offset, has_sound


def examined(path: Path, images: Path | None = None, **facts: float) -> Voice:
    media = _Media(**({"duration": 10.0} | facts))  # type: ignore[arg-type]
    voice, explain = examine_voice(path, media, Parameters(), images, lambda share: None)  # type: ignore[arg-type]
    return explain(lambda share: None) if explain else voice


def test_speech_is_judged(tmp_path: Path) -> None:
    silence = np.zeros(3 * RATE, np.float32)
    path = write_recording(tmp_path / "a.wav", np.concatenate([babble(8.0), silence]))
    voice = examined(path, tmp_path)
    assert voice.stream is not None and voice.stream.duration == pytest.approx(11.0, abs=0.1)
    assert 6.0 < voice.speech <= 8.5 and voice.not_judged["silence"] >= 2.0
    assert voice.speech + sum(voice.not_judged.values()) == pytest.approx(voice.stream.duration, abs=0.002)
    assert voice.probability is not None and voice.scores.time[0] == 0.5
    assert voice.waveform is not None and len(voice.waveform.low) * voice.waveform.step > 10.9
    assert voice.spectrogram is not None and (tmp_path / voice.spectrogram.path).is_file()
    assert Voice.model_validate_json(voice.model_dump_json()) == voice


def test_two_runs_agree(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.wav", babble(6.0))
    assert examined(path) == examined(path)


def test_the_bandwidth_is_at_most_half_the_sampling_rate(tmp_path: Path) -> None:
    voice = examined(write_recording(tmp_path / "a.wav", babble(6.0), rate=8000))
    (bandwidth,) = (each.value for each in voice.properties if each.name == "bandwidth")
    assert isinstance(bandwidth, float) and 2000 < bandwidth <= 4000


def test_a_tone_and_silence_hold_no_speech(tmp_path: Path) -> None:
    for name, wave in (("tone.wav", hum(5.0)), ("silent.wav", np.zeros(5 * RATE, np.float32))):
        voice = examined(write_recording(tmp_path / name, wave))
        assert voice.verdict is VoiceVerdict.NO_SPEECH and voice.probability is None
        assert voice.causes[0].code == "voice_no_speech" and not voice.segments
        assert sum(voice.not_judged.values()) == pytest.approx(5.0, abs=0.1)


def test_too_little_speech_is_inconclusive(tmp_path: Path) -> None:
    wave = np.concatenate([babble(0.8), np.zeros(3 * RATE, np.float32)])
    voice = examined(write_recording(tmp_path / "a.wav", wave))
    assert voice.verdict is not VoiceVerdict.NOT_FOUND and voice.verdict is not VoiceVerdict.SYNTHETIC


def test_sound_that_cannot_be_decoded_is_inconclusive(sample: Path) -> None:
    voice = examined(sample)  # which has no sound, though the facts say so
    assert voice.verdict is VoiceVerdict.INCONCLUSIVE and voice.causes[0].code == "voice_not_decoded"


def test_times_are_on_the_clock_of_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "late.mka"
    with av.open(str(path), "w") as out:
        early = out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        late = out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        late.disposition = av.stream.Disposition.default
        early.disposition = av.stream.Disposition(0)
        for stream, start, wave in ((early, 0.0, hum(1.0)), (late, 2.0, babble(6.0))):
            frame = av.AudioFrame.from_ndarray((wave * 32767).astype(np.int16)[None], "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, int(start * RATE), Fraction(1, RATE)
            out.mux(stream.encode(frame))
        for stream in (early, late):
            out.mux(stream.encode(None))
    voice = examined(path, start_offset=0.5)
    assert voice.stream is not None
    assert (voice.stream.index, voice.stream.others) == (1, 1)
    assert voice.stream.start == pytest.approx(1.5, abs=0.01)
    assert voice.scores.time[0] == pytest.approx(voice.stream.start + 0.5, abs=0.01)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything reaches the threshold."""
    loaded = load_voice_model()
    window = loaded.card.window.model_copy(update={"offset": 20.0})
    card = loaded.card.model_copy(update={"window": window})
    monkeypatch.setattr(
        "detector.voice.examine.load_voice_model", lambda: model.LoadedVoiceModel(card, loaded.network)
    )


def test_findings_are_explained(tmp_path: Path, eager: None) -> None:
    voice = examined(write_recording(tmp_path / "a.wav", babble(6.0)), tmp_path)
    assert voice.verdict is VoiceVerdict.SYNTHETIC and voice.stability == 1.0
    (segment,) = voice.segments
    assert segment.id == "voice-1" and segment.flagged and segment.start <= 0.5 and segment.end >= 5.5
    assert segment.peaks and max(peak.heat for peak in segment.peaks) == pytest.approx(1.0)
    for peak in segment.peaks:
        assert peak.check is not None and peak.check.area == pytest.approx(1 / 8, abs=0.03)
        assert all((tmp_path / path).is_file() for path in peak.pictures) and len(peak.pictures) == 2
    media = _Media(10.0)
    bare, explain = examine_voice(tmp_path / "a.wav", media, Parameters(), None, lambda share: None)  # type: ignore[arg-type]
    assert explain is not None and bare.segments == (segment.model_copy(update={"peaks": ()}),)
    assert bare.probability == voice.probability and bare.verdict is voice.verdict


def test_windows_with_a_map_do_not_overlap_and_end_with_the_sound(tmp_path: Path, eager: None) -> None:
    voice = examined(write_recording(tmp_path / "a.wav", babble(12.9)), tmp_path)
    assert voice.stream is not None
    (segment,) = voice.segments
    assert segment.end <= voice.stream.start + voice.stream.duration
    assert 1 <= len(segment.peaks) <= 3 and segment.peaks[-1].end <= segment.end
    for before, after in pairwise(segment.peaks):
        assert before.end <= after.start


def test_the_map_shows_what_raises_the_score(tmp_path: Path) -> None:
    loaded = load_voice_model()

    class Listener(VoiceNetwork):
        """Scores the energy of one part, the middle band of the second second, and a little that of all."""

        def __init__(self) -> None:
            pass

        def cells(self, sounds: Sequence[Spectra]) -> np.ndarray:
            means = np.array([s.mel[32:48, 100:200].mean() + s.mel.mean() for s in sounds])
            return means[:, None, None, None] * np.ones((1, 1, 2, 1))

        def logit(self, cells: np.ndarray, shares: np.ndarray) -> float:
            return float(cells.mean())

    listener = model.LoadedVoiceModel(loaded.card, Listener())
    window = Window(2.0, 0.0, 4.0, 4.0, 0.0)
    explained = maps.explain_window(listener, window, babble(4.0), np.ones(8, np.float32), seed=0)
    assert np.unravel_index(explained.heat.argmax(), explained.heat.shape) == (2, 1)
    assert explained.check.drop_highlight > explained.check.drop_random and explained.check.areas == 8
    assert np.count_nonzero(explained.heat) == 1, "parts that raise the score no more than the average"
    peak = maps.draw_peak(explained, "voice-1-1", float(explained.heat.max()), 0.0, tmp_path)
    assert peak.spectrogram is not None and peak.overlay is not None
    plain, coloured = (cv2.imread(str(tmp_path / name)) for name in (peak.spectrogram, peak.overlay))
    changed = (plain != coloured).any(axis=2)
    assert 0 < changed.mean() < 0.3, "cold parts look as in the spectrogram"
    assert changed[240, 300] and not changed[:, 720:].any() and not changed[:80].any()


def test_the_map_of_a_short_window_is_of_its_published_score() -> None:
    loaded = load_voice_model()
    network, samples, shares = loaded.network, babble(3.0), np.ones(6, np.float32)
    window = Window(1.5, 0.0, 3.0, 3.0, 0.0, inner=slice(1, 5))
    explained = maps.explain_window(loaded, window, samples, shares, seed=0, lowered=0.5)
    (cells,) = network.cells([spectra(samples)])
    raw = (network.logit(cells, shares) + network.logit(cells[1:5], shares[1:5])) / 2
    assert explained.probability == pytest.approx(1 / (1 + np.exp(0.5 - loaded.logit(raw))), abs=1e-4)


def test_views_through_a_codec_stay_aligned() -> None:
    samples = babble(4.0)
    again = through_aac(samples, 48_000)
    assert len(again) == len(samples)
    assert np.corrcoef(samples, again)[0, 1] > 0.9


def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    load_voice_model.cache_clear()
    monkeypatch.setattr(model, "voice_model_files", lambda: voice_model_files(tmp_path))
    with pytest.raises(ModelError, match="models/voice/reelproof-voice"):
        load_voice_model()


def test_a_recording_has_a_finding_about_voices_alone(tmp_path: Path) -> None:
    from detector import analyze

    path = write_recording(tmp_path / "a.m4a", babble(6.0), codec="aac")
    analysis = analyze(path)
    assert analysis.voice is not None and analysis.voice.scores.time and not analysis.persons
    assert Analysis.from_json(analysis.to_json()) == analysis
    assert analyze(path, parameters=Parameters(sound=False)).voice is None


def test_the_back_end_that_rounds_is_used_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.numpy import load_file

    weights = {name: tensor.astype(np.float32) for name, tensor in load_file(voice_model_files()[0]).items()}
    sound = [spectra(babble(2.0))]
    exact = load_voice_model().network.cells(sound)
    monkeypatch.setenv(BACKEND_VARIABLE, "openvino-bf16")
    rounded = VoiceNetwork(weights).cells(sound)
    shares = np.ones(exact.shape[1], np.float32)
    logits = [load_voice_model().network.logit(cells[0], shares) for cells in (exact, rounded)]
    assert logits[1] == pytest.approx(logits[0], abs=0.1)
    assert np.array_equal(exact, rounded) is not knows_bfloat16()
