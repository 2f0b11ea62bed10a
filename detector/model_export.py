"""Export a model for other programs and for phones: ``python -m detector export``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from detector.backends.selection import processor_threads
from detector.backends.torch import Torch
from detector.demo_clip import portraits
from detector.errors import ModelError
from detector.faces.crop import crop_square, square_for_face
from detector.faces.search.networks import FaceDetector
from detector.files import hash_file, temporary_folder
from detector.media.frame import Image
from detector.models.loaded import LoadedModel, load_model, refuse_other_name
from detector.networks import graphs
from detector.networks.base import SequenceNetwork
from detector.networks.trace_graphs import trace, trace_judge
from detector.schema.formatting import escape_directions

TOLERANCE = 1e-3
"""Largest difference of a logit, or of a feature, from torch's; refused above it."""

RunNetwork = Callable[[NDArray[Any]], NDArray[np.float32]]


def export(model: str | Path | None, folder: Path, form: str = "onnx") -> dict[str, Any]:
    """Write ``model`` to ``folder`` in the format ``form``, ``onnx`` or ``openvino``.

    The files take crops as :func:`detector.faces.crop.crop_square` makes them, uint8 (n, size, size, 3) RGB,
    and return logits; the sigmoid of a logit divided by the card's temperature is the probability of one
    frame. A sequence network becomes two parts, ``features`` and ``judge``, which takes features (n, t, d) of
    whole windows. The written files are run on real faces and compared with torch before they are kept.
    Returns the content of ``NAME.FORMAT.json``, which describes them. Raises :class:`ModelError` if the model
    cannot be loaded, its name is no file name, or the results differ.
    """
    loaded = load_model(model)
    card, size = loaded.card, loaded.card.input.size
    refuse_other_name(card)
    folder.mkdir(parents=True, exist_ok=True)
    crops = faces(size)
    parts = _parts(loaded, crops)
    with temporary_folder(".export-", folder, folder) as temporary:
        work = Path(temporary)
        descriptions = [_written(part, card.name, form, work) for part in parts]
        facts = {
            "model": card.name,
            "weights_sha256": card.sha256,
            "architecture": card.architecture,
            "format": form,
            "parts": descriptions,
            "input": f"crops: uint8 (n, {size}, {size}, 3), RGB, framed as Reelproof frames faces",
            "output": "logits (n,), positive for manipulated; `features` gives features (n, d) for `judge`",
            "temperature": card.temperature,
            "check": {"faces": len(crops), "tolerance": TOLERANCE, "against": f"torch {torch.__version__}"},
            "terms": card.terms,
        }
        description = work / f"{card.name}.{form}.json"
        description.write_text(
            escape_directions(json.dumps(facts, indent=2, ensure_ascii=False)) + "\n", encoding="utf-8"
        )
        for file in work.iterdir():
            os.replace(file, folder / file.name)
    return facts


@dataclass(frozen=True, eq=False)
class _Part:
    """A network to write, its test input and torch's output for it."""

    name: str  # empty for the whole model
    onnx: bytes
    given: NDArray[Any]
    expected: NDArray[np.float32]


def _parts(model: LoadedModel, crops: NDArray[np.uint8]) -> list[_Part]:
    """Return the whole model, or features and judge of a sequence network."""
    network = model.network
    expected = Torch(model, torch.device("cpu")).run(crops)
    if not isinstance(network, SequenceNetwork):
        return [_Part("", _of_crops(model), crops, expected)]
    window = min(network.window, len(crops))
    windows = np.stack([expected[i : i + window] for i in range(len(crops) - window + 1)])
    with torch.inference_mode():
        judged = network.judge_whole(torch.from_numpy(windows)).numpy()
    return [
        _Part("features", _of_crops(model), crops, expected),
        _Part("judge", _of_features(model), windows, judged),
    ]


def _written(part: _Part, model: str, form: str, folder: Path) -> dict[str, object]:
    """Write one part into ``folder``, run it and describe it; raises :class:`ModelError` if it differs from
    torch.
    """
    stem = f"{model}-{part.name}" if part.name else model
    files, run = (_onnx if form == "onnx" else _openvino)(part.onnx, folder / stem)
    difference = float(np.abs(run(part.given) - part.expected).max())
    if not difference <= TOLERANCE:
        raise ModelError(
            f"{files[0].name} gives values that are up to {difference:.2g} from torch's on "
            f"{len(part.given)} faces; at most {TOLERANCE:g} is accepted. Nothing was written. "
            "Try another --format, and report this."
        )
    described = [_described(file) for file in files]
    return {"part": part.name or "whole", "files": described, "difference": difference}


def faces(size: int) -> NDArray[np.uint8]:
    """Return real faces (n, size, size, 3): two public portraits, cropped, and degraded as in videos."""
    images: list[Image] = []
    detect = FaceDetector()
    for portrait in portraits():
        crop = crop_square(portrait, square_for_face(detect(portrait)[0]), size)
        small = cv2.resize(crop, (size // 3, size // 3), interpolation=cv2.INTER_AREA)
        noise = np.random.default_rng(0).normal(0, 8, crop.shape)
        images += [
            crop,
            np.ascontiguousarray(crop[:, ::-1]),
            crop // 3,
            255 - (255 - crop) // 2,
            cv2.GaussianBlur(crop, (0, 0), size / 64),
            cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR),
            np.clip(crop + noise, 0, 255).astype(np.uint8),
            np.roll(crop, (size // 10, -size // 12), axis=(0, 1)),
        ]
        for quality in (8, 20, 40, 70):
            data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
            assert decoded is not None
            images.append(decoded)
    return np.stack(images)


def _of_crops(model: LoadedModel) -> bytes:
    size = model.card.input.size
    path = graphs.shipped_graph(model.card.architecture, size)
    graph = graphs.read_graph(path) if path else trace(model.network, size)
    return graphs.bind(graph, model.card.input.mean, model.card.input.std, model.tensors())


def _of_features(model: LoadedModel) -> bytes:
    network = model.network
    assert isinstance(network, SequenceNetwork)
    return graphs.bind(trace_judge(network), model.card.input.mean, model.card.input.std, model.tensors())


def _onnx(network: bytes, stem: Path) -> tuple[list[Path], RunNetwork]:
    from detector.backends.runtimes import import_onnxruntime

    path = stem.with_name(f"{stem.name}.onnx")
    path.write_bytes(network)
    session = import_onnxruntime().InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(inputs: NDArray[Any]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: inputs})[0]
        return result

    return [path], run


def _openvino(network: bytes, stem: Path) -> tuple[list[Path], RunNetwork]:
    from detector.backends.runtimes import import_openvino, openvino_core

    path = stem.with_name(f"{stem.name}.xml")
    import_openvino().save_model(openvino_core().read_model(network), path, compress_to_fp16=False)
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": processor_threads()}
    compiled = openvino_core().compile_model(path, "CPU", settings)

    def run(inputs: NDArray[Any]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = compiled(inputs)[0]
        return result

    return [path, path.with_suffix(".bin")], run


def _described(path: Path) -> dict[str, object]:
    size, digest = hash_file(path)
    return {"file": path.name, "bytes": size, "sha256": digest}
