"""Training the network that proposes faces: what it is shown, what it learns, what is shipped."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from made_faces import write_archive
from small_training import drawn_here, goes_on, losses, names_the_step_before

from detector.faces.search.networks import STRIDE, FaceDetector
from detector.media.frame import Image
from training.proposals import network as proposals_network
from training.proposals.examples import (
    SIDE,
    LabelledImage,
    ProposalExample,
    example,
    load,
    picture_of,
    prepare,
)
from training.proposals.network import ProposalNetwork, loss, onnx_of


@pytest.fixture(scope="module")
def source(astronaut: Image) -> LabelledImage:
    kept = picture_of(astronaut, FaceDetector(0.2))
    assert len(kept.boxes) and max(cv2.imdecode(np.frombuffer(kept.data, np.uint8), 1).shape) <= 448
    return cv2.resize(astronaut, (448, 448)), kept.boxes, kept.confidence


def learnt(sample: ProposalExample) -> list[tuple[int, int]]:
    return [(int(row), int(column)) for row, column in zip(*np.nonzero(sample.wanted[0] == 1), strict=True)]


def test_what_is_wanted_lies_on_the_faces(source: LabelledImage) -> None:
    """CenterFace finds nearly all faces of the canvases where they are said to be."""
    rng, detect = np.random.default_rng(5), FaceDetector(0.3)
    there, hits = 0, 0
    for _ in range(30):
        sample = example([source], rng)
        faces = detect(sample.canvas)
        for row, column in learnt(sample):
            right, below, width, height = sample.boxes[:, row, column]
            middle = (column + 0.5 + right) * STRIDE, (row + 0.5 + below) * STRIDE
            size = np.exp([width, height]) * STRIDE
            if size[0] < 30:
                continue  # too small for CenterFace at this size of canvas
            there += 1
            hits += any(
                abs((f.box[0] + f.box[2]) / 2 - middle[0]) < 0.2 * size[0]
                and abs((f.box[1] + f.box[3]) / 2 - middle[1]) < 0.2 * size[1]
                and 0.7 < f.width / size[0] < 1.4
                for f in faces
            )
    assert there >= 15 and hits >= 0.8 * there


def test_faces_that_are_unsure_or_cut_teach_nothing(source: LabelledImage) -> None:
    image, boxes, _ = source
    unsure = [(image, boxes, np.full(len(boxes), 0.3, np.float32))]
    made = [example(unsure, np.random.default_rng(seed)) for seed in range(12)]
    assert not any(learnt(sample) for sample in made)
    assert any(sample.ignored.any() for sample in made)
    assert all(sample.canvas.shape == (SIDE, SIDE, 3) and sample.canvas.dtype == np.uint8 for sample in made)


def test_it_learns(source: LabelledImage) -> None:
    """A few steps on one batch bring the loss down by far."""
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    batch = [example([source], rng) for _ in range(4)]
    images = torch.from_numpy(np.stack([sample.canvas for sample in batch])).permute(0, 3, 1, 2).float()
    targets = [torch.from_numpy(np.stack([sample[part] for sample in batch])) for part in (1, 2, 3)]
    network = ProposalNetwork()
    values = losses(network, lambda: loss(*network(images), *targets), steps=25)
    assert values[-1] < 0.5 * values[0]


def test_training_goes_on_where_it_ended(
    astronaut: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposals_network, "BATCH", 2)
    kept = [picture_of(astronaut, FaceDetector(0.2))]
    (tmp_path / "pictures.pickle").write_bytes(pickle.dumps(kept))
    with drawn_here():
        first, _ = goes_on(proposals_network.train, tmp_path, "stem.0.0.weight")
    torch.manual_seed(7)  # whatever was drawn before
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / "pictures.pickle").rename(other / "pictures.pickle")
    anew = torch.load(proposals_network.train(other, 1), weights_only=True)
    assert all(torch.equal(value, anew["network"][name]) for name, value in first["network"].items())
    assert onnx_of(tmp_path / "checkpoint.pt")


def test_what_is_shipped_gives_what_was_trained(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = ProposalNetwork().eval()
    torch.save({"network": network.state_dict()}, tmp_path / "checkpoint.pt")
    shipped = tmp_path / "network.onnx"
    shipped.write_bytes(onnx_of(tmp_path / "checkpoint.pt"))
    images = np.random.default_rng(3).uniform(0, 255, (1, 3, 96, 160)).astype(np.float32)
    run = cv2.dnn.readNetFromONNX(str(shipped))
    run.setInput(images)
    with torch.no_grad():
        wanted = network(torch.from_numpy(images))
    for out, reference in zip(run.forward(["heat", "box"]), wanted, strict=True):
        assert np.allclose(out, reference.numpy(), atol=1e-3)


def test_a_few_crops_are_enough(tmp_path: Path) -> None:
    for folder in ("clips", "videos"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "labels.csv").write_text("file,role\n")
    (tmp_path / "stills.csv").write_text("file,split\n")
    for name in ("photos-real", "stills"):
        zipfile.ZipFile(tmp_path / f"{name}.zip", "w").close()
    write_archive(tmp_path / "dfdc-train-0.zip", 2)
    assert len(prepare(tmp_path, tmp_path / "out")) == 4


def test_nothing_was_prepared(tmp_path: Path) -> None:
    names_the_step_before(load, onnx_of, proposals_network.train, tmp_path)
