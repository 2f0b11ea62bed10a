"""The training of the network of voices: what it learns from, how it is measured, what it ships."""

from __future__ import annotations

import struct
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from made_speech import RATE, babble
from sounds import write_recording

from detector.errors import ModelError
from detector.schema.model import Platt
from detector.voice.model import load_voice_model, voice_model_files
from detector.voice.network import BLOCKS, WIDTH, VoiceNetwork, encoder_graph, log_mel, power_spectrum
from training.voice import degradations, measuring, vocoders
from training.voice.cells import Cells, cells_of, encode
from training.voice.heads import Head, fit_on
from training.voice.recordings import Recording, balanced_weights, folds_of_pages, read_recordings
from training.voice.ship import ship
from training.voice.start import read_start
from training.voice.tuning import Encoder, tune


def recording(name: str, synthetic: bool, page: str, kind: str = "human") -> Recording:
    return Recording(Path(f"{name}.opus"), synthetic, kind, page, "en", "train")


def separable(count: int = 40) -> tuple[list[Recording], dict[str, Cells]]:
    """Recordings of eight pages whose first hundred features tell the class."""
    rng = np.random.default_rng(0)
    made, cells = [], {}
    for number in range(count):
        synthetic = number % 2 == 1
        made.append(
            recording(f"r{number}", synthetic, f"page{number % 8 // 2}", "vocoder" if synthetic else "human")
        )
        values = rng.standard_normal((8, 2, BLOCKS * WIDTH)).astype(np.float32)
        values[:, 0, :100] += 4.0 * synthetic
        cells[f"r{number}"] = Cells(values, np.ones(8, np.float32))
    return made, cells


def test_folds_keep_pages_together_and_are_even() -> None:
    made = [recording(str(n), False, f"page{n % 12}") for n in range(120)]
    folds = folds_of_pages(made, 3)
    assert sorted(folds.values()) == [0] * 4 + [1] * 4 + [2] * 4
    assert folds == folds_of_pages(made[::-1], 3)


def test_both_classes_weigh_the_same() -> None:
    made = [recording("a", True, "p"), *(recording(str(n), False, "q") for n in range(5))]
    weights = balanced_weights(made)
    assert weights[0] == pytest.approx(weights[1:].sum()) and weights.sum() == pytest.approx(6)


def test_a_head_separates_pages_it_has_not_seen() -> None:
    made, cells = separable()
    folds = folds_of_pages(made, 2)
    head = fit_on([r for r in made if folds[r.page] == 0], [cells])
    unseen = [r for r in made if folds[r.page] == 1]
    scores = measuring.score(unseen, head, cells)
    figures = measuring.separation(scores)
    assert figures["AUC, all pages together"] > 0.9 and figures["mean AUC inside a page"] > 0.9
    calibration = measuring.calibrate(scores)
    highest = measuring.highest_smoothed(unseen, head, cells, calibration)
    human = highest[~scores.synthetic]
    enter = measuring.threshold(human)
    assert 0.5 <= enter < 1 and np.mean(human >= enter) <= measuring.FALSE_FLAGS


@pytest.mark.parametrize("name", degradations.CHANNELS)
def test_channels_keep_length_and_change_the_sound(name: str) -> None:
    samples = babble(2.0)
    changed = degradations.CHANNELS[name](samples)
    assert changed.shape == samples.shape and changed.dtype == np.float32
    assert np.isfinite(changed).all() and not np.array_equal(changed, samples)


def test_telephone_leaves_its_band_alone() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(degradations.telephone(noise))) ** 2
    hertz = np.fft.rfftfreq(4 * RATE, 1 / RATE)
    inside, above = spectrum[(hertz > 500) & (hertz < 3000)].mean(), spectrum[hertz > 4500].mean()
    assert inside > 100 * above


def test_random_chains_are_repeatable() -> None:
    first, again = (degradations.at_random(babble(2.0), np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, again) and np.abs(first).max() > 0.05


@pytest.mark.parametrize("name", vocoders.VOCODERS)
def test_vocoders_keep_the_words_and_not_the_wave(name: str) -> None:
    if name != "Griffin-Lim" and find_spec("pyworld") is None:
        pytest.skip("pyworld is not installed")
    samples = babble(2.0)
    made = vocoders.VOCODERS[name](samples, np.random.default_rng(0))
    length = min(len(made), len(samples))
    assert length > 1.9 * RATE and made.dtype == np.float32
    loudness = [
        np.sqrt(np.mean(part[: length // 800 * 800].reshape(-1, 800) ** 2, axis=1))
        for part in (samples, made)
    ]
    assert np.corrcoef(*loudness)[0, 1] > 0.6
    assert abs(np.corrcoef(samples[:length], made[:length])[0, 1]) < 0.98


def shipped() -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    tensors = load_file(voice_model_files()[0])
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def test_torch_and_the_graph_give_the_same_score() -> None:
    tensors = shipped()
    head = Head(tensors.pop("head.weight").astype(np.float64), float(tensors.pop("head.bias")[0]))
    encoder = Encoder(tensors, head).eval()
    mel, shares = log_mel(power_spectrum(babble(4.0))), np.array([1, 1, 0.5, 1, 0, 1, 1, 0.3], np.float32)
    with torch.no_grad():
        by_torch = float(encoder(torch.from_numpy(mel[None]), torch.from_numpy(shares[None]))[0])
    network = load_voice_model().network
    spoken = shares > 0
    by_graph = network.logit(network.cells(mel[None])[0][spoken], shares[spoken])
    assert by_torch == pytest.approx(by_graph, abs=0.01)


def test_tuning_moves_every_tensor(tmp_path: Path) -> None:
    tensors = shipped()
    head = Head(tensors.pop("head.weight").astype(np.float64), float(tensors.pop("head.bias")[0]))
    network = VoiceNetwork({**tensors, "head.weight": np.zeros(1), "head.bias": np.zeros(1)})
    made, cells = [], {}
    for name, synthetic in (("human", False), ("synthetic", True)):
        path = write_recording(tmp_path / f"{name}.wav", babble(3.0, seed=int(synthetic)))
        made.append(Recording(path, synthetic, name, "page", "en", "train"))
        cells[name] = encode(network, made[-1].samples())
    tuned = tune(Encoder(tensors, head), made, cells, tmp_path / "run" / "all.pt", steps=2)
    after, _ = tuned.tensors()
    assert all(not np.array_equal(after[name], tensors[name]) for name in tensors)
    assert (tmp_path / "run" / "all.pt").is_file()


def test_cells_are_kept(tmp_path: Path) -> None:
    network = load_voice_model().network
    made = [Recording(write_recording(tmp_path / "a.wav", babble(2.6)), False, "human", "p", "en", "train")]
    file = tmp_path / "cells" / "clean.npz"
    first = cells_of(made, network, None, file)
    (tmp_path / "a.wav").unlink()
    again = cells_of(made, network, None, file)
    assert first["a"].values.shape == (5, 2, 2 * WIDTH)
    assert np.array_equal(first["a"].values, again["a"].values)


def test_the_start_is_read_from_two_halves(tmp_path: Path) -> None:
    def entry(name: str, array: np.ndarray, kind: int) -> bytes:
        head = struct.pack("<H", len(name) + 1) + name.encode() + b"\0" + struct.pack("<B", array.ndim)
        sizes = b"".join(struct.pack("<I", size) for size in array.shape)
        return head + sizes + struct.pack("<BI", kind, array.nbytes) + array.tobytes()

    body = entry("encoder/num_heads", np.array(8, np.int16), 2)
    data = struct.pack("<I", 6) + struct.pack("<H", 5) + b"Spec\0" + struct.pack("<II", 3, 1) + body
    for number, part in enumerate((data[:20], data[20:]), start=1):
        with zipfile.ZipFile(tmp_path / f"half{number}.whl", "w") as archive:
            archive.writestr(f"p/data/model.bin.part{number}", part)
    with pytest.raises(ModelError, match="encoder/conv1/weight"):
        read_start(sorted(tmp_path.glob("*.whl")))
    with pytest.raises(ModelError, match="CTranslate2"):
        read_start(sorted(tmp_path.glob("half1.whl")))


def test_ship_writes_what_the_engine_loads(tmp_path: Path) -> None:
    tensors = shipped()
    head = Head(tensors.pop("head.weight").astype(np.float64), float(tensors.pop("head.bias")[0]))
    card = ship(tensors, head, Platt(scale=1.0, offset=0.0), 0.8, {"AUC": 0.91}, {"steps": 1}, tmp_path)
    weights, card_file = voice_model_files(tmp_path)
    assert card.enter == 0.8 and card.leave < card.enter and card.figures == {"AUC": 0.91}
    assert weights.read_bytes() == voice_model_files()[0].read_bytes()
    assert "| AUC | 0.91 |" in card_file.with_suffix(".md").read_text()


def test_the_shipped_graph_needs_its_tensors() -> None:
    with pytest.raises(KeyError):
        encoder_graph({"positions": np.zeros((200, WIDTH), np.float32)})


def test_the_research_recordings() -> None:
    data = Path(__file__).resolve().parents[4] / "shared" / "data"
    if not (data / "voices" / "labels.csv").is_file():
        pytest.skip("the research recordings are not here")
    made = read_recordings(data)
    assert len({r.name for r in made}) == len(made) and all(r.kind != "editing" for r in made)
    assert any(r.synthetic for r in made) and any(not r.synthetic for r in made)
    assert 1.0 < len(made[0].samples()) / RATE < 5.0
