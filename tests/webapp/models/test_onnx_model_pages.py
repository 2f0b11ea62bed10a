"""ONNX networks added on the models page: checked in a confined process."""

from __future__ import annotations

import io
import json

import onnx
import pytest
from flask.testing import FlaskClient
from onnx import TensorProto, helper
from onnx_models import card_of, tiny
from werkzeug.test import TestResponse

from detector.models.loaded import load_model
from webapp.storage.data_folder import Folders


def add(client: FlaskClient, data: bytes, **changes: object) -> TestResponse:
    card = json.dumps(card_of(data, "tiny", **changes)).encode()
    files = {"card": (io.BytesIO(card), "tiny.json"), "weights": (io.BytesIO(data), "tiny.onnx")}
    return client.post("/models", data=files)


def outside() -> bytes:
    model = onnx.load_model_from_string(tiny())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return model.SerializeToString()


def unknown() -> bytes:
    model = onnx.load_model_from_string(tiny())
    model.graph.node.append(helper.make_node("Evil", ["score"], ["late"], domain="com.evil"))
    return model.SerializeToString()


def test_a_valid_network_is_added_and_removed(client: FlaskClient, folders: Folders) -> None:
    assert add(client, tiny()).status_code == 303
    kept = folders.models / "tiny" / "tiny.onnx"
    assert load_model(kept).card.onnx is not None
    text = client.get("/models").text
    assert 'id="model-tiny"' in text and ">ONNX file</span>" in text
    assert client.post("/models/tiny/remove").status_code == 303
    assert not kept.exists()


@pytest.mark.parametrize(
    ("data", "changes", "words"),
    [
        (
            tiny,
            {"input": {"size": 64, "mean": [0, 0, 0], "std": [1, 1, 1]}},
            "its card states crops of 64 px",
        ),
        (outside, {}, "keeps tensors in other files"),
        (unknown, {}, "Custom operators run their own code"),
        (lambda: tiny()[:3000], {}, "is no whole ONNX file"),
        (tiny, {"onnx": {"framing": {"box": 1}, "output": {"gives": "logits"}}}, "one figure for each class"),
    ],
)
def test_invalid_networks_are_refused_with_a_reason(client, folders, data, changes, words) -> None:
    answer = add(client, data(), **changes)
    assert answer.status_code == 400 and words in answer.text
    assert not list(folders.models.rglob("*.onnx"))
