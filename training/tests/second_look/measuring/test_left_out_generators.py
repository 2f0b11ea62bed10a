"""Generators left out of what heads learn from, on made features and a tiny network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from second_look_cases import patch, tiny_network

from training.second_look.examples.patches import Patch, store
from training.second_look.measuring import left_out
from training.second_look.measuring.left_out import (
    PairFeatures,
    PatchFeatures,
    left_out_auc,
    measure_left_out,
)

FLOAT = {"fake": True, "generator": "FLOAT", "family": "talking head"}
FOMM = {"fake": True, "generator": "FOMM", "family": "talking head"}
FACE2FACE = {"fake": True, "generator": "Face2Face", "family": "reenactment"}
SWAP = {"fake": True, "generator": "Deepfakes", "family": "swap"}


def known(patches: list[Patch], rng: np.random.Generator) -> PatchFeatures:
    """Features in which each generator has a trace of its own, and both one in common."""
    features = rng.normal(0, 1, (len(patches), 8)).astype(np.float32)
    for row, example in enumerate(patches):
        if example.fake:
            features[row, 0 if example.generator == "FLOAT" else 1] += 6
            features[row, 2] += 3
    return PatchFeatures(patches, features)


def test_a_generator_left_out_is_told_by_what_the_others_share() -> None:
    rng, auc = np.random.default_rng(0), {}
    learnt = [patch(n, **kind) for n in range(80) for kind in ({}, FLOAT, FOMM, SWAP)]
    held_out = [patch(n, role="develop", **kind) for n in range(100, 160) for kind in ({}, FLOAT)]
    of_both = known(learnt, rng), known(held_out, rng)
    auc["left out"], count = left_out_auc(*of_both, "float")
    assert count == 140, "its training clips were not learnt from either"
    alone = of_both[0].of(lambda example: example.generator != "FOMM")
    renamed = [patch(n, **(FLOAT | {"generator": "SadTalker"})) for n in range(80)]
    own = of_both[0].of(lambda example: example.generator == "FLOAT").features
    taught = PatchFeatures([*alone.patches, *renamed], np.concatenate([alone.features, own]))
    auc["learnt by another name"], _ = left_out_auc(taught, of_both[1], "float")
    assert 0.8 < auc["left out"] < auc["learnt by another name"]


def test_altered_faces_are_learnt_from_blends_as_well() -> None:
    rng = np.random.default_rng(0)
    learnt = known([patch(n, **kind) for n in range(60) for kind in ({}, FACE2FACE)], rng)
    held_out = known([patch(n, role="develop", **kind) for n in range(100, 160) for kind in ({}, SWAP)], rng)
    swapped = np.array([example.fake for example in held_out.patches])
    held_out.features[swapped] -= learnt.features[[example.fake for example in learnt.patches]].mean(axis=0)
    held_out.features[swapped, 5] += 4
    pairs = rng.normal(0, 1, (120, 8)).astype(np.float32)
    pairs[1::2, 5] += 4
    unknown, _ = left_out_auc(learnt, held_out, "deepfakes")
    known_from_blends, _ = left_out_auc(learnt, held_out, "deepfakes", PairFeatures(pairs, 0.8))
    assert unknown < 0.7 < 0.9 < known_from_blends


def test_altered_faces_are_learnt_mostly_from_crops_which_are_not_told() -> None:
    rng = np.random.default_rng(0)
    clips = [patch(n, **kind) for n in range(60) for kind in ({}, FACE2FACE)]
    crops = [patch(n, source="ffpp", box=None, **kind) for n in range(60) for kind in ({}, FACE2FACE, SWAP)]
    held_out = known([patch(n, role="develop", **kind) for n in range(100, 160) for kind in ({}, SWAP)], rng)
    of_clips, of_crops = (known(patches, rng) for patches in (clips, crops))
    alike = np.array([example.fake for example in of_clips.patches])
    of_clips.features[alike, :3] = rng.normal(0, 1, (60, 3))
    of_clips.features[alike, 4] += 6  # the place alone tells them
    held_out.features[:, 4] += 6 * np.repeat([0, 1], 60)
    from_clips, _ = left_out_auc(of_clips, held_out, "deepfakes")
    from_both, count = left_out_auc(of_crops + of_clips, held_out, "deepfakes")
    assert from_clips < 0.7 < 0.9 < from_both and count == 60


def test_features_are_kept_and_each_family_learns_from_its_own_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, generator in (
        ("PICTURES", "stylegan2"),
        ("TALKING_HEADS", "float"),
        ("ALTERED_FACES", "deepfakes"),
    ):
        monkeypatch.setattr(left_out, name, (generator,))
    monkeypatch.setattr(left_out, "_CROPS_EVERY", 1)
    made = {"generator": "stylegan2", "family": "generated picture", "fake": True}
    stills = [
        patch(n, source="stills", role=role, file=f"{role}-{n}-{bool(kind)}.jpg", **kind)
        for n in range(4)
        for role in ("train", "val")
        for kind in ({}, made)
    ]
    clips = [
        patch(n, frame=frame, role=role, **kind)
        for n in range(3)
        for role in ("train", "develop")
        for kind in ({}, FLOAT, FOMM, SWAP, FACE2FACE)
        for frame in range(6)
    ]
    for source, patches in (("stills", stills), ("clips", clips), ("videos", [])):
        store(tmp_path, source, patches)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = tiny_network()
    lines: list[str] = []
    crops = [
        patch(n, source=source, box=None, **kind)
        for n in range(4)
        for source in ("ffpp", "dfdc")
        for kind in ({}, FACE2FACE)
    ]
    faces = [clip for clip in clips if clip.role == "train"] + crops
    results = measure_left_out(tmp_path, faces, network, tmp_path, lines.append)
    assert set(results) == {"stylegan2", "float", "deepfakes"} and results["stylegan2"][1] == 8
    again = measure_left_out(tmp_path, faces, tiny_network(), tmp_path, lines.append)
    assert again == results, "features were kept"
    np.save(tmp_path / "train-stills.npy", -np.load(tmp_path / "train-stills.npy"))
    other = measure_left_out(tmp_path, faces, network, tmp_path, lines.append)
    assert other["stylegan2"] != results["stylegan2"]
    assert other["float"] == results["float"], "talking heads are not learnt from stills"
    unlike = np.load(tmp_path / "train-crops-inner.npy")[::-1]  # those of the other class
    np.save(tmp_path / "train-crops-inner.npy", unlike)
    other = measure_left_out(tmp_path, faces, network, tmp_path, lines.append)
    assert other["deepfakes"] != results["deepfakes"] and other["float"] == results["float"]
