"""Windows every half second, and segments from their scores."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from made_speech import babble

from detector.schema.causes.spans import SpanCode
from detector.schema.voice import VoiceScores
from detector.segments.rules import sliding_median
from detector.voice.findings import (
    find_segments,
    scores_of,
    unjudged_spans,
    windows_to_explain,
)
from detector.voice.model import load_voice_model
from detector.voice.network import CELL, spectra
from detector.voice.samples import RATE, SoundFacts
from detector.voice.speech import SpeechFinder, share_in_cells
from detector.voice.windows import Levels, Listening, Window, WindowPool, listen


def windows_of(shares: list[float], parts: tuple[int, ...] | None = None) -> list[Window]:
    """Give each cell its number as content; a window's score is then the mean of its cells' numbers."""
    pool = WindowPool(lambda cells, weights: float((cells[:, 0, 0] * weights).sum() / weights.sum()))
    windows: list[Window] = []
    first = 0
    for length in parts or (len(shares),):
        cells = np.arange(first, first + length, dtype=np.float32)[:, None, None] * np.ones((1, 2, 3))
        windows += pool.add(cells.astype(np.float32), np.array(shares[first : first + length], np.float32))
        first += length
    return [*windows, *pool.end()]


def test_windows_lie_half_a_second_apart_and_are_shorter_at_the_edges() -> None:
    windows = windows_of([1.0] * 20)
    assert [w.middle for w in windows] == [0.5 * n for n in range(1, 20)]
    assert (windows[0].start, windows[0].end) == (0.0, 2.5)
    assert (windows[9].start, windows[9].end) == (3.0, 7.0)
    assert windows[9].raw == np.mean(range(6, 14)) and windows[9].speech == 4.0
    assert (windows[-1].start, windows[-1].end) == (7.5, 10.0)


def test_short_windows_weigh_their_middle() -> None:
    pool = WindowPool(lambda cells, weights: float(len(cells)))
    windows = [*pool.add(np.zeros((20, 2, 3), np.float32), np.ones(20, np.float32)), *pool.end()]
    middle, first = windows[9].short, windows[0].short
    assert middle is not None and (middle.start, middle.end, middle.middle) == (3.5, 6.5, 5.0)
    assert (middle.raw, windows[9].raw) == (5.0, 8.0)  # the mean of six cells and the inner four
    assert middle.inner == slice(1, 5) and windows[9].inner is None
    assert first is not None and (first.start, first.end, first.raw) == (0.0, 2.0, 3.5)
    assert first.inner == slice(0, 3)


def test_a_middle_with_little_speech_has_no_weight() -> None:
    windows = windows_of([1.0, 1.0, 0.3, 0.3, 0.3, 0.3, 1.0, 1.0], (8,))
    outer, middle = windows[3], windows[3].short
    assert outer.middle == 2.0 and outer.speech == pytest.approx(2.6)
    assert middle is not None and middle.speech == pytest.approx(1.6) and middle.raw == pytest.approx(3.5)
    only = windows_of([0.3] * 7)[0]
    assert only.speech == pytest.approx(1.05) and only.short is None


@pytest.mark.parametrize(("cells", "length"), [(15, 4.0), (16, 3.0)])
def test_recordings_of_much_speech_are_judged_in_short_windows(cells: int, length: float) -> None:
    model = load_voice_model()
    shares = [1.0] * cells
    heard = Listening(windows_of(shares), shares, [False] * cells)
    scores = scores_of(heard, model, 0.0)
    lowered = model.card.short_lowered if length == 3.0 else 0.0
    assert scores.window == length and 0 < model.card.short_lowered < 1
    assert scores.logit[0] == pytest.approx(model.logit(heard.windows[0].raw) - lowered)


def test_listening_chooses_the_windows() -> None:
    network, sound = load_voice_model().network, babble(14.0)
    long, short = (
        listen([sound[at : min(at + 4 * RATE, end)] for at in range(0, end, 4 * RATE)], network)
        for end in (6 * RATE, 14 * RATE)
    )
    assert max(w.end - w.start for w in long.windows) == 4.0 and not long.much_speech
    assert max(w.end - w.start for w in short.windows) == 3.0 and short.much_speech


def test_blocks_do_not_matter() -> None:
    assert windows_of([1.0] * 20) == windows_of([1.0] * 20, (8, 8, 4))


def test_pauses_are_not_judged() -> None:
    shares = [1.0] * 6 + [0.0] * 10 + [1.0] * 6
    middles = [w.middle for w in windows_of(shares)]
    assert all(middle <= 3.0 or middle >= 8.0 for middle in middles)
    assert windows_of([0.0] * 20) == [] and windows_of([1.0]) == []
    assert windows_of([0.0, 0.9, 0.0, 0.0]) == []  # less than a second of speech


def scored(chances: list[float]) -> tuple[list[Window], VoiceScores]:
    windows = [
        Window(0.5 * n, max(0.0, 0.5 * n - 2), 0.5 * n + 2, 4.0, 0.0) for n in range(1, len(chances) + 1)
    ]
    times = np.array([w.middle for w in windows])
    logits = np.log(np.array(chances) / (1 - np.array(chances)))
    return windows, VoiceScores(
        window=4.0,
        step=0.5,
        enter=0.8,
        leave=0.6,
        time=tuple(times),
        logit=tuple(logits),
        probability=tuple(chances),
        smoothed=tuple(sliding_median(times, np.array(chances), 1.2)),
    )


def test_a_synthetic_stretch_becomes_a_segment() -> None:
    windows, scores = scored([0.1] * 10 + [0.9] * 6 + [0.1] * 10)
    (segment,) = find_segments(windows, scores, [1.0] * 27)
    assert (segment.start, segment.end) == (5.25, 8.25)
    assert segment.confidence == pytest.approx(0.9)


def test_one_high_window_is_no_segment() -> None:
    windows, scores = scored([0.1] * 10 + [0.95] + [0.1] * 10)
    assert find_segments(windows, scores, [1.0] * 22) == []


def test_each_segment_has_its_strongest_window_explained_before_others_of_one() -> None:
    windows, scores = scored([0.1] * 4 + [0.97] * 30 + [0.1] * 8 + [0.9] * 4 + [0.92] + [0.9] * 3 + [0.1] * 4)
    segments = find_segments(windows, scores, [1.0] * (len(windows) + 1))
    assert len(segments) == 2
    chosen = windows_to_explain(segments, windows, np.array(scores.logit), 3)
    assert 46 in chosen and len(chosen) == 3
    assert all(windows[b].middle - windows[a].middle >= 4.0 for a, b in pairwise(chosen))
    assert windows_to_explain([], windows, np.array(scores.logit), 3) == []


def test_a_segment_begins_and_ends_with_the_speech() -> None:
    windows, scores = scored([0.9] * 8)
    (segment,) = find_segments(windows, scores, [0.0] + [1.0] * 7 + [0.0])
    assert (segment.start, segment.end) == (0.5, 4.0)


def test_what_was_not_judged_is_told_by_cause() -> None:
    shares = [1.0] * 6 + [0.0] * 8
    heard = Listening(windows_of(shares), shares, [False] * 10 + [True] * 4)
    facts = SoundFacts(0, "aac", 48_000, 2, 0, start=0, samples=14 * CELL)  # type: ignore[arg-type]
    seconds, spans, speech = unjudged_spans(heard, facts, start=-1.0)
    assert seconds == {SpanCode.NO_SPEECH.code: 2.0, SpanCode.SILENCE.code: 2.0} and speech == 3.0
    assert [(span.start, span.end, span.cause) for span in spans] == [
        (2.0, 4.0, SpanCode.NO_SPEECH.cause()),
        (4.0, 6.0, SpanCode.SILENCE.cause()),
    ]


def test_pauses_between_words_and_a_short_last_cell_are_counted() -> None:
    shares = [0.9] * 5 + [0.6]
    heard = Listening(windows_of(shares), shares, [False] * 6)
    facts = SoundFacts(0, "aac", 48_000, 2, 0, start=0, samples=5 * CELL + CELL // 2)  # type: ignore[arg-type]
    seconds, spans, speech = unjudged_spans(heard, facts, start=0.0)
    assert seconds == {SpanCode.PAUSES.code: 0.25} and not spans
    assert speech + sum(seconds.values()) == pytest.approx(2.75)


def test_speech_is_found_and_a_tone_is_not() -> None:
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(4 * RATE) / RATE)
    finder = SpeechFinder()
    spoken = np.concatenate([finder(part) for part in np.split(babble(8.0), 2)])
    assert (spoken >= 0.5).mean() > 0.8
    assert (SpeechFinder()(tone.astype(np.float32)) >= 0.5).mean() < 0.1
    shares = share_in_cells(np.array([1.0] * 125 + [0.0] * 125, np.float32), CELL, 16)
    assert shares.tolist() == [1.0] * 8 + [0.0] * 8


def test_volume_changes_nothing() -> None:
    samples = 0.9 * babble(4.0) + 0.001 * np.random.default_rng(0).standard_normal(4 * RATE).astype(
        np.float32
    )
    loud, soft = spectra(samples), spectra(samples / 30)
    assert loud.mel.shape == (80, 400) and loud.mel.max() - loud.mel.min() <= 2 + 1e-6
    assert np.abs(loud.mel - soft.mel).max() < 0.01
    assert loud.compressed.shape == (2, 161, 400) and not loud.compressed[:, 141:].any()
    assert np.abs(loud.compressed - soft.compressed).max() < 0.01


def test_levels_tell_bandwidth_and_noise() -> None:
    levels = Levels()
    noise = 0.001 * np.random.default_rng(0).standard_normal(4 * RATE)
    levels.add((babble(4.0) + noise).astype(np.float32), np.ones(125, np.float32))
    levels.add(noise.astype(np.float32), np.zeros(125, np.float32))
    ratio, bandwidth = levels.noise_ratio(), levels.bandwidth()
    assert ratio is not None and 20 < ratio < 60
    assert bandwidth is not None and bandwidth > 3000
    assert Levels().noise_ratio() is None and Levels().bandwidth() is None
