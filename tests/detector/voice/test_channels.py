"""Channels of a recording are judged together where they carry the same speech, else each for itself."""

from __future__ import annotations

import numpy as np
import pytest
from bright_voices import Network
from made_speech import RATE, babble
from sounds import hum

from detector.media.channels import differing_cells, mix
from detector.voice.channels import Heard, listen_to_channels
from detector.voice.network import CELL
from detector.voice.samples import BLOCK
from detector.voice.windows import Listening, listen


def heard_in(*channels: np.ndarray, network: Network | None = None) -> Heard:
    sound = np.stack(channels).astype(np.float32)
    blocks = [sound[:, at : at + BLOCK] for at in range(0, sound.shape[1], BLOCK)]
    return listen_to_channels(blocks, network or Network())  # type: ignore[arg-type]


def heard_alone(channel: np.ndarray) -> Listening:
    blocks = [channel[at : at + BLOCK] for at in range(0, len(channel), BLOCK)]
    return listen(blocks, Network())  # type: ignore[arg-type]


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.float32)


def numbers(heard: Heard) -> list[tuple[int, ...]]:
    return [group.channels for group in heard.groups]


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return babble(8.0)


def test_channels_that_are_the_same_are_judged_once_and_as_one(speech: np.ndarray) -> None:
    network = Network()
    heard = heard_in(speech, speech, speech, network=network)
    assert numbers(heard) == [(0, 1, 2)] and network.encoded == 2
    alone = heard_alone(speech)
    assert heard.groups[0].heard.windows == alone.windows and alone.windows
    assert heard.groups[0].heard.speech == alone.speech


def test_opposite_phase_and_another_level_are_the_same_sound(speech: np.ndarray) -> None:
    heard = heard_in(speech, -speech, 0.3 * speech)
    assert numbers(heard) == [(0, 1, 2)]
    assert sum(heard.groups[0].heard.speech) == pytest.approx(sum(heard_alone(speech).speech), abs=0.5)


def test_two_parties_are_judged_each_for_itself(speech: np.ndarray) -> None:
    first = np.concatenate([speech[: 4 * RATE], silence(4)])
    second = np.concatenate([silence(4), babble(4.0, seed=1)])
    heard = heard_in(first, second)
    assert numbers(heard) == [(0,), (1,)]
    for group, channel in zip(heard.groups, (first, second), strict=True):
        assert group.heard.windows == heard_alone(channel).windows and group.heard.windows


def test_channels_part_where_they_begin_to_differ(speech: np.ndarray) -> None:
    """What was the same until then counts for both, as does what is the same again later."""
    again, network = babble(8.0, seed=2), Network()
    left = np.concatenate([speech, babble(4.0, seed=3), again])
    right = np.concatenate([speech, babble(4.0, seed=4), again])
    heard = heard_in(left, right, network=network)
    assert numbers(heard) == [(0,), (1,)]
    assert network.encoded == 6  # five blocks, of which one differs
    for group, channel in zip(heard.groups, (left, right), strict=True):
        assert [w.middle for w in group.heard.windows] == [w.middle for w in heard_alone(channel).windows]
        assert group.outline.waveform(0.0) is not None


def test_channels_that_differ_without_speech_stay_together(speech: np.ndarray) -> None:
    """Music in stereo before a voice in the middle, and noise of the channels in its pauses."""
    rng = np.random.default_rng(0)
    left, right = (0.003 * rng.standard_normal((2, 12 * RATE))).astype(np.float32)
    left[: 4 * RATE] += hum(4.0)
    right[: 4 * RATE] += np.roll(hum(4.0), 400)
    left[4 * RATE :] += speech
    right[4 * RATE :] += speech
    assert numbers(heard_in(left, right)) == [(0, 1)]


def test_one_silent_channel_carries_no_speech(speech: np.ndarray) -> None:
    heard = heard_in(silence(8), speech, silence(8))
    assert numbers(heard) == [(0, 2), (1,)]
    assert not any(heard.groups[0].heard.speech) and heard.groups[1].heard.windows


def test_eight_channels_are_judged_and_further_ones_named() -> None:
    parties = [babble(4.0, seed=seed) for seed in range(9)]
    heard = heard_in(*parties, silence(4))
    assert numbers(heard) == [(n,) for n in range(8)] + [(9,)] and heard.left_out == (8,)


def test_the_number_of_channels_may_grow(speech: np.ndarray) -> None:
    other, third = babble(4.0, seed=5), babble(4.0, seed=6)
    blocks = [
        speech[None, :BLOCK],
        np.stack([speech[BLOCK:], other]),
        np.stack([silence(4), silence(4), third]),
    ]
    heard = listen_to_channels(blocks, Network())  # type: ignore[arg-type]
    assert numbers(heard) == [(0,), (1,), (2,)]
    spoken = [[any(group.heard.speech[at : at + 8]) for at in (0, 8, 16)] for group in heard.groups]
    assert spoken == [[True, True, False], [True, True, False], [False, False, True]]


def test_a_mean_neither_clips_nor_cancels() -> None:
    wave = hum(1.0) / np.abs(hum(1.0)).max()
    assert np.array_equal(mix(np.stack([wave, wave])), wave)
    assert np.array_equal(mix(np.stack([wave, -wave])), wave)
    assert np.array_equal(mix(wave[None]), wave)


def test_cells_are_compared_one_by_one() -> None:
    wave = hum(2.0)
    other = wave.copy()
    other[2 * CELL : 3 * CELL] = np.random.default_rng(0).standard_normal(CELL)
    other[3 * CELL :] = 0
    assert differing_cells(wave, other, CELL).tolist() == [False, False, True, True]
    assert not differing_cells(silence(2), 1e-5 * wave, CELL).any()
