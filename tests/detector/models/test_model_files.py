"""Cards and weights: matching files are loaded, others refused, and no code is run."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save

from detector.errors import ModelError
from detector.models import model_files
from detector.models.card import Card, SecondLookCard, is_model_name
from detector.models.loaded import CARD_LIMIT, LoadedModel, check_card, check_pair, check_weights, load_model
from detector.models.model_files import (
    DEFAULT_MODEL,
    MODELS_FOLDER,
    RETIRED_MODELS,
    SECOND_LOOK_FOLDER,
    SHIPPED_MODELS,
    known_models,
    load_card,
    read_second_look,
)
from detector.networks.base import Network, create


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The card of a copy of the shipped model, weights beside it."""
    for suffix in (".json", ".safetensors"):
        shutil.copy(MODELS_FOLDER / f"{DEFAULT_MODEL}{suffix}", tmp_path)
    return tmp_path / f"{DEFAULT_MODEL}.json"


def weights_path(card: Path) -> Path:
    return card.with_suffix(".safetensors")


def rewrite_card(card: Path, **changes: object) -> None:
    card.write_text(json.dumps({**json.loads(card.read_text()), **changes}))


def replace_weights(card: Path, data: bytes) -> None:
    """Other weights, vouched for by the card."""
    weights_path(card).write_bytes(data)
    rewrite_card(card, sha256=hashlib.sha256(data).hexdigest())


def refusal_of(model: str | Path) -> str:
    with pytest.raises(ModelError) as refused:
        load_model(model)
    message = str(refused.value)
    assert "\n" not in message and len(message) < 400
    return message


class TestCard:
    def test_card_round_trip(self) -> None:
        card, weights = load_card()
        assert Card.model_validate_json(card.model_dump_json()) == card
        assert weights == MODELS_FOLDER / f"{DEFAULT_MODEL}.safetensors"

    def test_shipped_card_matches_its_weights(self) -> None:
        card, weights = load_card()
        assert card.name == DEFAULT_MODEL
        assert hashlib.sha256(weights.read_bytes()).hexdigest() == card.sha256
        assert card.data and card.terms and card.recipe and card.limits and card.domain

    def test_part_for_an_analysis(self) -> None:
        card, _ = load_card()
        model = card.as_model()
        for name in type(model).model_fields:
            assert getattr(model, name) == getattr(card, name)

    def test_figures_of_an_overridden_calibration_are_left_out(self) -> None:
        card, weights = load_card()
        second = read_second_look(card, weights)
        assert second is not None and second.crops is not None
        figures = card.model_copy(update={"second_look": second}).as_model().figures
        assert "dfdc-val crops, Brier score" in card.figures
        of_crops = {name.rpartition(", ")[::2] for name in figures if " crops" in name}
        assert {figure for data, figure in of_crops if data == "dfdc-val crops"} == {
            "AUC",
            "equal error rate",
        }
        assert not {figure for _, figure in of_crops} & {"Brier score", "accuracy at 0.5"}
        error = "dfdc-test crops, expected calibration error"
        assert figures[error] == second.figures[error] != card.figures[error]

    def test_second_look_with_a_dot_in_its_name(self, tmp_path: Path) -> None:
        card, weights = load_card()
        (tmp_path / SECOND_LOOK_FOLDER).mkdir()
        shutil.copy(
            MODELS_FOLDER / SECOND_LOOK_FOLDER / f"{DEFAULT_MODEL}.json",
            tmp_path / SECOND_LOOK_FOLDER / "mine.v2.json",
        )
        second_look = read_second_look(card, tmp_path / "mine.v2.safetensors")
        assert second_look is not None and second_look == read_second_look(card, weights)

    @pytest.mark.parametrize("name", ["../reelproof", "Reelproof", "reelproof\n"])
    def test_second_look_name_is_validated(self, name: str) -> None:
        text = (MODELS_FOLDER / SECOND_LOOK_FOLDER / f"{DEFAULT_MODEL}.json").read_text()
        with pytest.raises(ValidationError, match="pattern"):
            SecondLookCard.model_validate({**json.loads(text), "name": name})

    @pytest.mark.parametrize("suffix", [".json", ".safetensors"])
    def test_by_path_of_either_file(self, copied: Path, suffix: str) -> None:
        card, weights = load_card(copied.with_suffix(suffix))
        assert (card.name, weights) == (DEFAULT_MODEL, weights_path(copied))

    def test_command_names_other_models_by_file(self, copied: Path) -> None:
        """Its name alone finds the shipped one, or none."""
        assert load_model(copied).command_name == weights_path(copied).name
        assert (
            load_model(MODELS_FOLDER / f"{DEFAULT_MODEL}.json").command_name
            == load_model().command_name
            == DEFAULT_MODEL
        )
        assert load_model(MODELS_FOLDER / f"{DEFAULT_MODEL}.safetensors").alone.command_name == DEFAULT_MODEL

    def test_by_name(self) -> None:
        assert load_card(DEFAULT_MODEL) == load_card()

    def test_unknown_name_lists_installed_models(self) -> None:
        message = refusal_of("nosuch")
        assert "nosuch.json" in message and DEFAULT_MODEL in message

    @pytest.mark.parametrize(
        "name", ["../secret", "a/b", "Capital", "under_score", "-x", "", "x" * 61, "x\n"]
    )
    def test_invalid_name_is_refused(self, name: str) -> None:
        assert not is_model_name(name)
        message = refusal_of(name)
        assert "is not a model's name" in message and DEFAULT_MODEL in message and ".safetensors" in message

    @pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".pkl", ".PT"])
    def test_a_pickled_checkpoint_by_name(self, tmp_path: Path, suffix: str) -> None:
        message = refusal_of(tmp_path / f"weights{suffix}")
        assert "pickled checkpoint" in message and "Convert it to safetensors" in message

    @pytest.mark.parametrize("suffix", [".json", ".safetensors"])
    def test_missing_file_is_reported(self, copied: Path, suffix: str) -> None:
        copied.with_suffix(suffix).unlink()
        assert f"{DEFAULT_MODEL}{suffix}" in refusal_of(copied)

    @pytest.mark.parametrize("text", ["", "{", "[]", "not json", '{"name": "x"}', "\x00\xff"])
    def test_malformed_card_is_refused(self, copied: Path, text: str) -> None:
        copied.write_bytes(text.encode("latin-1"))
        assert "malformed" in refusal_of(copied)

    @pytest.mark.parametrize(
        ("place", "changes"),
        [
            ("temperature", {"temperature": 0}),
            ("temperature", {"temperature": "warm"}),
            ("input.size", {"input": {"size": 8, "mean": [0, 0, 0], "std": [1, 1, 1]}}),
            ("input.std.1", {"input": {"size": 128, "mean": [0, 0, 0], "std": [1, 0, 1]}}),
            ("sha256", {"sha256": "ABC"}),
            ("surprise", {"surprise": 1}),
        ],
    )
    def test_malformed_key_is_named(self, copied: Path, place: str, changes: dict[str, object]) -> None:
        rewrite_card(copied, **changes)
        assert f"malformed at {place}" in refusal_of(copied)


class TestWeights:
    def test_shipped_model_is_in_evaluation_mode(self, model: LoadedModel) -> None:
        assert not model.network.training
        assert not any(p.requires_grad for p in model.network.parameters())
        assert {p.dtype for p in model.network.parameters()} == {torch.float32}
        crops = torch.zeros(2, 3, model.card.input.size, model.card.input.size)
        assert model.network(crops).shape == (2,)

    def test_weights_equal_those_of_the_file(self, model: LoadedModel) -> None:
        stored = load_file(MODELS_FOLDER / f"{DEFAULT_MODEL}.safetensors")
        for name, value in model.network.state_dict().items():
            assert torch.equal(value.float(), stored[name].float()), name

    def test_wrong_hash_is_refused(self, copied: Path) -> None:
        data = bytearray(weights_path(copied).read_bytes())
        data[-1] ^= 1
        weights_path(copied).write_bytes(data)
        message = refusal_of(copied)
        assert "SHA-256" in message and "Fetch" in message

    def test_unknown_architecture_is_refused(self, copied: Path) -> None:
        rewrite_card(copied, architecture="perceptron")
        message = refusal_of(copied)
        assert "perceptron" in message and "efficientnet_lite0" in message

    def test_foreign_tensors_are_refused(self, copied: Path) -> None:
        replace_weights(copied, save({"layer.weight": torch.zeros(3, 3)}))
        assert f"does not fit architecture {load_card(copied)[0].architecture}" in refusal_of(copied)

    def test_wrong_shape_is_refused(self, copied: Path) -> None:
        tensors = load_file(weights_path(copied))
        name = next(n for n, value in tensors.items() if value.ndim == 4)
        replace_weights(copied, save({**tensors, name: tensors[name][:, :, :1].contiguous()}))
        message = refusal_of(copied)
        assert "does not fit" in message and f"tensor {name!r} is " in message and "is wanted" in message

    def test_wrong_number_type_is_refused(self, copied: Path) -> None:
        tensors = load_file(weights_path(copied))
        name = next(n for n, value in tensors.items() if value.ndim == 4)
        replace_weights(copied, save({**tensors, name: tensors[name].to(torch.int8)}))
        message = refusal_of(copied)
        assert f"tensor {name!r} holds I8, where floating-point numbers are wanted" in message

    def test_hostile_tensor_name_is_harmless(self, copied: Path) -> None:
        replace_weights(copied, save({"\x1b[2J\n" + "x" * 5000: torch.zeros(1)}))
        assert "\x1b" not in refusal_of(copied)

    @pytest.mark.parametrize("missing", [True, False])
    def test_missing_or_additional_tensor_is_refused(self, copied: Path, missing: bool) -> None:
        tensors = load_file(weights_path(copied))
        if missing:
            tensors.pop(next(n for n, value in tensors.items() if value.ndim == 4))
        else:
            tensors["extra"] = torch.zeros(1)
        replace_weights(copied, save(tensors))
        assert "does not fit" in refusal_of(copied)

    @pytest.mark.parametrize("length", [0, 7, 100, 5000])
    def test_truncated_weights_are_refused(self, copied: Path, length: int) -> None:
        replace_weights(copied, weights_path(copied).read_bytes()[:length])
        assert weights_path(copied).name in refusal_of(copied)


class _Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.mark,))


class TestPickles:
    @pytest.mark.parametrize("kind", ["pickle", "torch.save"])
    def test_renamed_to_safetensors_is_refused_and_never_unpickled(
        self, copied: Path, tmp_path: Path, kind: str
    ) -> None:
        mark = tmp_path / "code-ran"
        if kind == "pickle":
            weights_path(copied).write_bytes(pickle.dumps(_Trap(mark)))
        else:
            torch.save({"state": _Trap(mark)}, weights_path(copied))
        replace_weights(copied, weights_path(copied).read_bytes())
        message = refusal_of(copied)
        assert not mark.exists()
        # What happened, and what to do next.
        assert weights_path(copied).name in message
        assert "pickled checkpoint" in message and "Convert it to safetensors" in message

    def test_the_trap_works(self, tmp_path: Path) -> None:
        pickle.loads(pickle.dumps(_Trap(tmp_path / "code-ran")))
        assert (tmp_path / "code-ran").exists()


class TestKnown:
    def test_shipped_models_are_known(self) -> None:
        paths = {card.name: weights for card, weights in known_models()}
        assert paths[DEFAULT_MODEL] == MODELS_FOLDER / f"{DEFAULT_MODEL}.safetensors"
        assert all(weights.is_file() for weights in paths.values())

    def test_only_complete_pairs_are_known(self, copied: Path, tmp_path: Path) -> None:
        for name, card_name in (("other", "other"), ("renamed", "other"), ("Bad", "Bad"), ("alone", "alone")):
            rewritten = {**json.loads(copied.read_text()), "name": card_name}
            (tmp_path / f"{name}.json").write_text(json.dumps(rewritten))
            if name != "alone":
                shutil.copy(weights_path(copied), tmp_path / f"{name}.safetensors")
        (tmp_path / "broken.json").write_text("{")
        (tmp_path / "broken.safetensors").touch()
        assert [card.name for card, _ in known_models([tmp_path])] == sorted([DEFAULT_MODEL, "other"])
        both = dict((card.name, weights) for card, weights in known_models([MODELS_FOLDER, tmp_path]))
        assert both[DEFAULT_MODEL].parent == MODELS_FOLDER and both["other"].parent == tmp_path


class TestPairs:
    """What somebody else's files must be."""

    def test_valid_pair_is_accepted(self, copied: Path) -> None:
        assert check_pair(copied.read_bytes(), weights_path(copied)).card == load_card(copied)[0]

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"name": "../../etc"}, "name cannot be used"),
            ({"name": "Reelproof"}, "name cannot be used"),
            ({"name": "x\n"}, "name cannot be used"),
            ({"title": "safe\u202e.exe"}, "direction characters"),
            ({"limits": ["bell\x07"]}, "control"),
            ({"figures": {"AUC\x1b[2J": 1.0}}, "control"),
            ({"figures": {"AUC": "perfect"}}, "figures.AUC"),
            ({"title": "x" * CARD_LIMIT}, "at most"),
        ],
    )
    def test_invalid_cards_are_refused(self, copied: Path, changes: dict[str, object], reason: str) -> None:
        rewrite_card(copied, **changes)
        with pytest.raises(ModelError, match=reason):
            check_card(copied.read_bytes())

    @pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"[" * 50_000, b'{"title": "\\ud800"}'])
    def test_other_data_is_no_card(self, text: bytes) -> None:
        with pytest.raises(ModelError, match="malformed"):
            check_card(text)

    def test_markup_is_text(self, copied: Path) -> None:
        rewrite_card(copied, title="<script>alert(1)</script>")
        assert check_card(copied.read_bytes()).title == "<script>alert(1)</script>"

    def test_large_weights_are_refused(self, copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("detector.models.loaded.WEIGHTS_LIMIT", 1000)
        with pytest.raises(ModelError, match="between 1 and 1,000"):
            check_weights(load_card(copied)[0], weights_path(copied), "x.safetensors")

    def test_weights_without_a_score_are_refused(self, copied: Path) -> None:
        tensors = load_file(weights_path(copied))
        name = next(n for n, value in tensors.items() if value.ndim == 4)
        replace_weights(copied, save({**tensors, name: torch.full_like(tensors[name], torch.nan)}))
        with pytest.raises(ModelError, match="no score"):
            check_pair(copied.read_bytes(), weights_path(copied))

    @pytest.mark.parametrize("header", [640, 896, 1152, 1408])
    def test_header_length_is_not_mistaken_for_a_pickle(self, tmp_path: Path, header: int) -> None:
        """640 is 0x0280: the eight bytes of such a length start as a pickle of protocol 2 does."""
        for padding in range(header):
            data = save({"x": torch.zeros(1)}, metadata={"pad": "x" * padding})
            if int.from_bytes(data[:8], "little") == header:
                break
        else:
            pytest.fail("no padding makes a header of this length")
        (tmp_path / "x.safetensors").write_bytes(data)
        card = load_card()[0].model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
        check_weights(card, tmp_path / "x.safetensors", "x.safetensors")


class TestArchitectures:
    def test_one_logit_a_crop(self) -> None:
        network = create("efficientnet_lite0").eval()
        assert isinstance(network, Network)
        with torch.inference_mode():
            assert network(torch.zeros(3, 3, 64, 64)).shape == (3,)

    def test_heatmap_layer_has_a_map(self) -> None:
        network = create("efficientnet_lite0").eval()
        shapes = []
        hook = network.cam_layers[-1].register_forward_hook(lambda *call: shapes.append(call[2].shape))
        with torch.inference_mode():
            network(torch.zeros(1, 3, 128, 128))
        hook.remove()
        assert shapes[0][2:] == (4, 4)

    def test_start_from_imagenet(self) -> None:
        """All but the head are set, to values that see: shapes alone would fit in the wrong order too."""
        network = create("efficientnet_lite0").eval()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        network.load_imagenet()
        after = network.state_dict()
        changed = {n for n in after if not torch.equal(before[n], after[n])}
        assert "backbone.classifier.weight" not in changed
        assert "backbone.conv_stem.weight" in changed and "backbone.bn2.running_var" in changed
        for name, value in after.items():
            if name.endswith("running_var"):
                assert (value >= 0).all(), name
        with torch.inference_mode():
            maps = network.backbone.forward_features(torch.randn(2, 3, 128, 128))
        assert maps.isfinite().all() and 0.01 < maps.std() < 10


def test_shipped_models_are_tracked() -> None:
    """Whatever `train` published beside them."""
    command = ["git", "-C", str(MODELS_FOLDER), "ls-files", "*.json"]
    tracked = subprocess.run(command, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("no git repository")
    assert {Path(name).stem for name in tracked.stdout.split() if "/" not in name} == SHIPPED_MODELS


def test_a_retired_model_is_refused_with_what_to_do_until_its_files_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in RETIRED_MODELS.values():
        with pytest.raises(ModelError, match=f"{name} is no longer part.*release 0.2.*{name}.safetensors"):
            load_card(name)
    monkeypatch.setattr(model_files, "MODELS_FOLDER", tmp_path)
    card = json.loads((MODELS_FOLDER / "efficientnet-lstm.json").read_bytes()) | {"name": "reelproof-2"}
    (tmp_path / "reelproof-2.json").write_text(json.dumps(card))
    (tmp_path / "reelproof-2.safetensors").touch()
    assert load_card("reelproof-2")[0].name == "reelproof-2"
