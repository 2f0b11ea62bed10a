"""Networks in ONNX files: scores equal those of torch; unsafe files are refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_models import SIZE, TinyNetwork, card_of, put, tiny

from detector.backends import selection
from detector.backends.runtimes import convert_to_logits
from detector.backends.selection import open_backend, try_onnx_file
from detector.errors import ModelError
from detector.faces.crop import square_for_box
from detector.models import onnx_file
from detector.models.card import deciding_sha256
from detector.models.loaded import check_pair, load_model
from detector.models.model_files import known_models, load_card
from detector.schema.model import Gives, Output
from detector.scoring.scorer import Scorer

CROPS = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)


def expected_scores(classes: int = 1, bgr: bool = False) -> np.ndarray:
    """What torch gives of :data:`CROPS`, normalised as the card says."""
    images = (torch.from_numpy(CROPS).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
    with torch.inference_mode():
        out: np.ndarray = TinyNetwork(classes).eval()(images.flip(1) if bgr else images).numpy()
    return out


def change_network(folder: Path, change: Callable[[onnx.ModelProto], None], **card: object) -> Path:
    """The tiny network after ``change``, with a card that vouches for it."""
    model = onnx.load_model_from_string(tiny())
    change(model)
    return put(folder, "changed", model.SerializeToString(), **card)


def refusal_of(model: Path) -> str:
    with pytest.raises(ModelError) as refused:
        open_backend(load_model(model))
    message = str(refused.value)
    assert "\n" not in message and len(message) < 400
    return message


class TestScores:
    @pytest.mark.parametrize("backend", ["openvino", "onnxruntime", None])
    def test_scores_equal_those_of_torch(self, tmp_path: Path, backend: str | None) -> None:
        scorer = Scorer(load_model(put(tmp_path, "tiny")), backend=backend)
        assert scorer.logits(list(CROPS)) == pytest.approx(expected_scores()[:, 0], abs=1e-4)

    def test_batch_of_one_is_supported(self, tmp_path: Path) -> None:
        scorer = Scorer(load_model(put(tmp_path, "one", tiny(batch=False))))
        assert scorer.logits(list(CROPS)) == pytest.approx(expected_scores()[:, 0], abs=1e-4)

    def test_card_defines_classes_and_channel_order(self, tmp_path: Path) -> None:
        about = {"framing": {"box": 1}, "output": {"gives": "logits", "manipulated": 0}, "channels": "bgr"}
        scorer = Scorer(load_model(put(tmp_path, "two", tiny(2), onnx=about)))
        out = expected_scores(2, bgr=True)
        assert scorer.logits(list(CROPS)) == pytest.approx(out[:, 0] - out[:, 1], abs=1e-4)

    def test_onnx_runtime_replaces_torch(self, tmp_path: Path) -> None:
        assert open_backend(load_model(put(tmp_path, "tiny")), "torch").name == "onnxruntime"

    def test_valid_network_is_accepted(self, tmp_path: Path) -> None:
        path = put(tmp_path, "tiny")
        try_onnx_file(check_pair(path.with_suffix(".json").read_bytes(), path))

    def test_card_defines_the_framing(self, tmp_path: Path) -> None:
        scorer = Scorer(load_model(put(tmp_path, "tiny")))
        square = scorer.square((10, 20, 50, 60), 30.0)
        assert (square.x, square.y, square.side, square.angle) == (30, 40, 1.3 * 40, 0)
        assert square_for_box((10, 20, 50, 60), 30.0).angle == 15


class TestOutput:
    @pytest.mark.parametrize(
        ("gives", "manipulated", "out", "logit"),
        [
            (Gives.LOGIT, 1, [[2.0]], 2.0),
            (Gives.LOGIT, 0, [2.0], -2.0),
            (Gives.PROBABILITY, 1, [[0.75]], np.log(3)),
            (Gives.PROBABILITY, 0, [0.75], -np.log(3)),
            (Gives.PROBABILITY, 1, [0.0], -16.118),
            (Gives.LOGITS, 1, [[1.0, 4.0]], 3.0),
            (Gives.LOGITS, 2, [[0.0, 0.0, 1.0]], 1 - np.log(2)),
            (Gives.PROBABILITIES, 0, [[0.75, 0.25]], np.log(3)),
            (Gives.LOGIT, 1, [[np.inf]], 60.0),
        ],
    )
    def test_outputs_become_logits(
        self, gives: Gives, manipulated: int, out: list[float], logit: float
    ) -> None:
        logits = convert_to_logits(
            np.array(out, np.float32), 1, Output(gives=gives, manipulated=manipulated), "x"
        )
        assert logits == pytest.approx([logit], abs=1e-3)

    @pytest.mark.parametrize(
        ("gives", "out", "words"),
        [
            (Gives.LOGIT, [[1.0, 2.0]], "states one figure per crop"),
            (Gives.LOGITS, [[1.0]], "states one figure for each class"),
            (Gives.LOGIT, [1.0, 2.0], "outputs 2 for 1 crops"),
            (Gives.LOGIT, [np.nan], "outputs no numbers"),
        ],
    )
    def test_mismatched_output_is_refused(self, gives: Gives, out: list[float], words: str) -> None:
        with pytest.raises(ModelError, match=words):
            convert_to_logits(np.array(out, np.float32), 1, Output(gives=gives), "x")

    def test_missing_class_is_refused(self) -> None:
        with pytest.raises(ModelError, match="names class 7"):
            convert_to_logits(np.zeros((1, 2), np.float32), 1, Output(gives=Gives.LOGITS, manipulated=7), "x")


class TestCard:
    def test_card_is_beside_the_file(self, tmp_path: Path) -> None:
        path = put(tmp_path, "tiny")
        assert load_card(path) == load_card(path.with_suffix(".json"))
        assert [card.name for card, _ in known_models([tmp_path])] == ["tiny"]

    def test_missing_card_is_explained(self, tmp_path: Path) -> None:
        path = put(tmp_path, "tiny")
        path.with_suffix(".json").unlink()
        assert "belongs beside tiny.onnx. It says how faces are framed" in refusal_of(path)

    def test_card_of_another_type_is_refused(self, tmp_path: Path) -> None:
        path = put(tmp_path, "tiny")
        card = card_of(path.read_bytes(), "tiny")
        del card["onnx"]
        path.with_suffix(".json").write_text(json.dumps(card))
        assert "is the card of a .safetensors file" in refusal_of(path)

    def test_card_of_another_file_is_refused(self, tmp_path: Path) -> None:
        assert "SHA-256 differs" in refusal_of(put(tmp_path, "tiny", sha256=hashlib.sha256(b"").hexdigest()))

    def test_deciding_fields_change_the_hash(self, tmp_path: Path) -> None:
        card, _ = load_card(put(tmp_path, "tiny"))
        about = {"framing": {"box": 1.5}, "output": {"gives": "logit"}}
        other, _ = load_card(put(tmp_path, "tiny", onnx=about))
        assert deciding_sha256(card) != deciding_sha256(other)

    @pytest.mark.parametrize(
        ("about", "place"),
        [
            ({"framing": {"box": 9}, "output": {"gives": "logit"}}, "onnx.framing.box"),
            ({"framing": {"box": 1}, "output": {"gives": "heat"}}, "onnx.output.gives"),
            ({"framing": {"box": 1}, "output": {"gives": "logit"}, "channels": "hsv"}, "onnx.channels"),
            ({"framing": {"box": 1}, "output": {"gives": "logit"}, "plugin": "x.so"}, "onnx.plugin"),
        ],
    )
    def test_malformed_key_is_named(self, tmp_path: Path, about: dict[str, object], place: str) -> None:
        assert f"malformed at {place}:" in refusal_of(put(tmp_path, "tiny", onnx=about))


class TestRefused:
    @pytest.mark.parametrize("data", [b"", b"no ONNX at all", b"\x08\x07", None, b"PK\x03\x04" * 9])
    def test_incomplete_file_is_refused(self, tmp_path: Path, data: bytes | None) -> None:
        given = tiny()[:2000] if data is None else data
        assert any(
            words in refusal_of(put(tmp_path, "broken", given)) for words in ("whole", "bytes", "pickled")
        )

    def test_large_file_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(onnx_file, "FILE_LIMIT", 1000)
        assert "ONNX files have at most 1,000" in refusal_of(put(tmp_path, "large"))

    def test_wrong_size_is_refused(self, tmp_path: Path) -> None:
        wrong = {"size": 64, "mean": [0, 0, 0], "std": [1, 1, 1]}
        assert "its card states crops of 64 px" in refusal_of(put(tmp_path, "tiny", input=wrong))

    def test_external_data_is_refused(self, tmp_path: Path) -> None:
        def outside(model: onnx.ModelProto) -> None:
            tensor = model.graph.initializer[0]
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="../../etc/passwd")

        assert "external data" in refusal_of(change_network(tmp_path, outside))

    def test_wrong_tensor_length_is_refused(self, tmp_path: Path) -> None:
        def longer(model: onnx.ModelProto) -> None:
            model.graph.initializer[0].dims[0] = 1 << 40

        assert "no whole ONNX file" in refusal_of(change_network(tmp_path, longer))

    @pytest.mark.parametrize(
        ("node", "words"),
        [
            (
                helper.make_node("Evil", ["score"], ["late"], domain="com.evil"),
                "Custom operators run their own code",
            ),
            (helper.make_node("Gelu", ["score"], ["late"], domain="com.microsoft"), "Custom operators"),
            (helper.make_node("RandomNormalLike", ["score"], ["late"]), "not on the list"),
            (helper.make_node("NoSuchOperator", ["score"], ["late"]), "not on the list"),
            (helper.make_node("Loop", ["score"], ["late"], body=helper.make_graph([], "b", [], [])), "list"),
            (helper.make_node("Dropout", ["score", "r", "t"], ["late"]), "evaluation mode"),
        ],
    )
    def test_other_operators_are_refused(self, tmp_path: Path, node: onnx.NodeProto, words: str) -> None:
        assert words in refusal_of(change_network(tmp_path, lambda model: model.graph.node.append(node)))

    def test_custom_operators_are_refused(self, tmp_path: Path) -> None:
        own = helper.make_function("own", "Mine", ["x"], ["x"], [], [helper.make_opsetid("", 18)])
        assert "of its own" in refusal_of(change_network(tmp_path, lambda model: model.functions.append(own)))

    @pytest.mark.parametrize("version", [1, 99])
    def test_unknown_opsets_are_refused(self, tmp_path: Path, version: int) -> None:
        def other(model: onnx.ModelProto) -> None:
            model.opset_import[0].version = version

        assert f"uses opset {version}" in refusal_of(change_network(tmp_path, other))

    def test_several_inputs_are_refused(self, tmp_path: Path) -> None:
        more = helper.make_tensor_value_info("more", TensorProto.FLOAT, [1])
        assert "takes 2 inputs" in refusal_of(
            change_network(tmp_path, lambda model: model.graph.input.append(more))
        )

    def test_ambiguous_output_is_refused(self, tmp_path: Path) -> None:
        def more(model: onnx.ModelProto) -> None:
            model.graph.output.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, None))

        assert "outputs score, x. Name one" in refusal_of(change_network(tmp_path, more))

    def test_unrunnable_network_is_refused(self, tmp_path: Path) -> None:
        def unfit(model: onnx.ModelProto) -> None:
            weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 2)
            weight.CopyFrom(numpy_helper.from_array(np.ones((1, 9), np.float32), weight.name))

        assert "cannot be run by openvino and onnxruntime" in refusal_of(change_network(tmp_path, unfit))

    def test_missing_back_end_is_reported(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setattr(selection, "available_backends", lambda: ("torch",))
        message = refusal_of(put(tmp_path, "tiny"))
        assert message.endswith("cannot be run here: it takes OpenVINO or ONNX Runtime.")

    def test_mismatched_meaning_is_refused(self, tmp_path: Path) -> None:
        about = {"framing": {"box": 1}, "output": {"gives": "logits"}}
        assert "one figure for each class" in refusal_of(put(tmp_path, "tiny", onnx=about))

    def test_missing_torch_network_is_explained(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="only scores can be had"):
            _ = load_model(put(tmp_path, "tiny")).network


def test_memory_limit_is_enforced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.backends.selection.MEMORY_LIMIT", -1)
    with pytest.raises(ModelError, match="GB of memory for 32 crops"):
        try_onnx_file(load_model(put(tmp_path, "tiny")))
