"""Training the network that tells covered faces: what is drawn, what it hides, what is learnt and shipped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from small_training import drawn_here, goes_on, losses, names_the_step_before

from detector.faces.crop import crop_square, square_for_face
from detector.faces.search.networks import FaceDetector
from detector.faces.tracks import COVER_CROP_SIZE, COVERED_THRESHOLD, CoverNet
from detector.media.frame import Image
from training.covered_faces import covers
from training.covered_faces import network as covered_faces_network
from training.covered_faces.covers import COVER_KINDS, SIDE, Cover, DrawCover, apply_cover, letters
from training.covered_faces.examples import CoveredFaceExample, Crops, example, load
from training.covered_faces.network import CoveredNetwork, onnx_of


@pytest.fixture(scope="module")
def crops(astronaut: Image) -> Crops:
    (face,) = FaceDetector()(astronaut)
    square = square_for_face(face)
    crop = crop_square(astronaut, square, SIDE)
    points = np.c_[face.landmarks, np.ones(5)] @ square.matrix(SIDE).T
    hidden = crop.copy()
    hidden[SIDE // 2 :] = 40
    piece = np.ascontiguousarray(astronaut[-SIDE:, :SIDE])
    return Crops(crop[None], points[None].astype(np.float32), hidden[None], np.array([True]), piece[None])


def over(crops: Crops, part: tuple[slice, slice]) -> bool | None:
    opacity = np.zeros((SIDE, SIDE), np.uint8)
    opacity[part] = 255
    return Cover(crops.faces[0], opacity).hides(crops.landmarks[0])


def test_what_hides_mouth_or_eyes_covers(crops: Crops) -> None:
    (left, top), (right, _), _, (_, mouth), _ = crops.landmarks[0].round().astype(int).tolist()
    everywhere = slice(None)
    assert over(crops, (slice(mouth - 12, mouth + 12), everywhere)) is True
    assert over(crops, (slice(top - 10, top + 10), everywhere)) is True
    assert over(crops, (slice(0, 6), everywhere)) is False
    assert over(crops, (slice(top - 10, top + 10), slice(0, (left + right) // 2))) is None, "one eye of two"
    assert over(crops, (slice(mouth + 2, mouth + 12), slice(0, SIDE // 2))) is None, "a quarter of the mouth"


@pytest.mark.parametrize("draw", [draw for draw, _ in COVER_KINDS], ids=lambda draw: draw.__name__)
def test_each_is_drawn_within_its_opacity_and_covers_at_times(crops: Crops, draw: DrawCover) -> None:
    face, piece = crops.faces[0], crops.pieces[0]
    outcomes = set()
    for seed in range(60):
        cover = draw(face, piece, np.random.default_rng(seed))
        again = draw(face, piece, np.random.default_rng(seed))
        assert (cover.layer == again.layer).all() and (cover.opacity == again.opacity).all()
        assert cover.layer.shape == (SIDE, SIDE, 3) and cover.opacity.shape == (SIDE, SIDE)
        changed = apply_cover(face, cover, np.random.default_rng(seed)) != face
        assert not changed.any(axis=2)[cv2.dilate(cover.opacity, np.ones((13, 13), np.uint8)) == 0].any()
        outcomes.add(cover.hides(crops.landmarks[0]))
    assert True in outcomes or draw is letters, "letters alone leave most to be seen"


def test_a_cover_goes_on_beyond_the_crop(crops: Crops) -> None:
    opacity = np.zeros((SIDE, SIDE), np.uint8)
    opacity[90:110] = 255
    wide = Cover(crops.faces[0], opacity).around(2)
    assert wide.layer.shape == (2 * SIDE, 2 * SIDE, 3)
    assert (wide.opacity > 0).all(axis=1).nonzero()[0].tolist() == list(
        range(90 + SIDE // 2, 110 + SIDE // 2)
    )


@pytest.mark.parametrize("draw", [draw for draw, _ in covers.BARE_KINDS], ids=lambda draw: draw.__name__)
def test_what_covers_nothing_changes_the_face_and_follows_from_the_seed(
    crops: Crops, draw: Callable[[Image, np.random.Generator], Image]
) -> None:
    face = crops.faces[0]
    for seed in range(20):
        drawn, again = (draw(face, np.random.default_rng(seed)) for _ in range(2))
        assert (drawn == again).all() and drawn.shape == face.shape and drawn.dtype == np.uint8
        assert (drawn != face).any(axis=2).mean() > 0.02
    assert (face == crops.faces[0]).all()


@pytest.mark.parametrize("draw", [covers.shadow, covers.hair, covers.beard, covers.glasses])
def test_the_shipped_network_does_not_take_it_for_a_cover(
    crops: Crops, draw: Callable[[Image, np.random.Generator], Image]
) -> None:
    net, rng = CoverNet(), np.random.default_rng(5)
    covered = [net(draw(crops.faces[0], rng)) >= COVERED_THRESHOLD for _ in range(40)]
    assert np.mean(covered) <= 0.1


def test_it_learns(crops: Crops) -> None:
    """A few steps on one batch bring the loss down by far; examples are of both kinds."""
    rng = np.random.default_rng(1)
    batch: list[CoveredFaceExample] = [example(crops, rng) for _ in range(24)]
    assert {sample.covered for sample in batch} == {True, False}
    assert all(
        sample.crop.shape == (COVER_CROP_SIZE, COVER_CROP_SIZE, 3) and sample.crop.dtype == np.uint8
        for sample in batch
    )
    torch.manual_seed(0)
    network = CoveredNetwork()
    shown = (
        torch.from_numpy(np.stack([sample.crop for sample in batch])),
        torch.tensor([sample.covered for sample in batch]),
    )
    values = losses(network, lambda: covered_faces_network._loss(network, shown), steps=30)
    assert values[-1] < 0.5 * values[0]


def test_training_goes_on_where_it_ended_and_what_is_shipped_gives_what_was_trained(
    crops: Crops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(covered_faces_network, "BATCH", 2)
    np.savez(tmp_path / "crops.npz", **crops._asdict())
    with drawn_here():  # in a process of their own: test_face_proposals.py
        _, again = goes_on(covered_faces_network.train, tmp_path, "answer.weight")
    (tmp_path / "network.onnx").write_bytes(onnx_of(tmp_path / "checkpoint.pt"))
    network = CoveredNetwork()
    network.load_state_dict(again["network"])
    crop = crops.faces[0]
    small = cv2.resize(crop, (COVER_CROP_SIZE, COVER_CROP_SIZE), interpolation=cv2.INTER_AREA)
    shown = torch.from_numpy(np.stack([small, small[:, ::-1]]).transpose(0, 3, 1, 2).copy()).float()
    with torch.no_grad():
        wanted = torch.sigmoid(network.eval()(shown)).min().item()
    assert CoverNet(tmp_path / "network.onnx")(crop) == pytest.approx(wanted, abs=1e-3)


def test_nothing_was_prepared(tmp_path: Path) -> None:
    names_the_step_before(load, onnx_of, covered_faces_network.train, tmp_path)
