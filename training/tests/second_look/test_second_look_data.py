"""Framing, kinds, roles, sampling and crops of the second look."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from second_look_cases import patch

from detector.faces.crop import HEAD, INNER
from training.second_look.examples.patches import (
    LIP_SYNC,
    REAL,
    SOURCES,
    TALKING_HEAD,
    NotPreparedError,
    RoleError,
    family,
    load,
    require_training,
    roles,
    store,
    targets,
    training_patches,
)
from training.second_look.examples.sampling import (
    SHARES,
    Example,
    Sampler,
    augmented_crop,
    plain_crop,
    square_of,
)


@pytest.mark.parametrize(
    ("generator", "fake", "expected"),
    [
        ("none", False, (0, 0)),
        ("Deepfakes", True, (1, -1)),
        ("NeuralTextures", True, (1, -1)),
        ("Wav2Lip", True, (1, -1)),
        ("Wav2Lip on a generated portrait", True, (1, 1)),
        ("SadTalker", True, (-1, 1)),
        ("StyleGAN2", True, (-1, 1)),
    ],
)
def test_targets_of_both_heads(generator: str, fake: bool, expected: tuple[int, int]) -> None:
    assert targets(generator, fake) == expected


def test_families() -> None:
    assert family("Wav2Lip", False) == REAL
    assert family("HyperLips", True) == LIP_SYNC
    assert family("FLOAT", True) == TALKING_HEAD


@pytest.mark.parametrize("role", ["develop", "val", "test", ""])
def test_only_files_of_role_train_become_examples(role: str) -> None:
    with pytest.raises(RoleError, match=r"1-True\.mp4"):
        Example(patch(1, True, role=role), INNER, 0)
    with pytest.raises(RoleError):
        Sampler([patch(0), patch(1, True, role=role)])


def test_the_label_file_of_today_decides_on_a_file_cut_earlier() -> None:
    require_training([patch(1)], {"1-False.mp4": "train"})
    with pytest.raises(RoleError, match="develop"):
        require_training([patch(1)], {"1-False.mp4": "develop"})
    with pytest.raises(RoleError, match="unknown"):
        require_training([patch(1)], {})


def write_labels(data: Path, role: str) -> None:
    for source in ("clips", "videos"):
        (data / source).mkdir(parents=True, exist_ok=True)
        (data / source / "labels.csv").write_text(f"file,role\n1-False.mp4,{role}\n2-False.mp4,develop\n")
    for name in ("stills", "ffpp-crops"):
        (data / f"{name}.csv").write_text("file,split\n")
    for name in ("dfdc-train-0", "dfdc-val", "dfdc-test"):
        (data / f"{name}.csv").write_text(f"file\n{name}.jpg\n")


def test_training_patches_are_checked_against_the_label_files(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    with pytest.raises(NotPreparedError, match="prepare"):
        load(out, "clips")
    for source in SOURCES:
        store(out, source, [])
    store(out, "clips", [patch(1), patch(2, role="develop")])
    write_labels(data, "train")
    assert [p.file for p in training_patches(data, out)] == ["1-False.mp4"]
    write_labels(data, "develop")
    with pytest.raises(RoleError, match="develop"):
        training_patches(data, out)


def test_the_zips_name_is_the_role_of_dfdc_crops(tmp_path: Path) -> None:
    write_labels(tmp_path, "train")
    assert roles(tmp_path, "dfdc") == {
        "dfdc-train-0.jpg": "train",
        "dfdc-val.jpg": "val",
        "dfdc-test.jpg": "test",
    }
    assert roles(tmp_path, "photos") is None


def test_the_sampler_balances_sources_and_classes() -> None:
    patches = [patch(i, i >= 90, source="dfdc", box=None) for i in range(100)]
    patches += [patch(i, i >= 2, source="ffpp", box=None) for i in range(30)]
    sampler = Sampler(patches)
    assert sampler.counts() == {"dfdc": (90, 10), "ffpp": (2, 28)}
    rng = np.random.default_rng(0)
    drawn = Counter((e.patch.source, e.patch.fake) for e in sampler.batch(rng, 4000))
    of_ffpp = SHARES["ffpp", INNER] / (SHARES["ffpp", INNER] + SHARES["dfdc", INNER])
    for (source, _), count in drawn.items():
        share = of_ffpp if source == "ffpp" else 1 - of_ffpp
        assert count / 4000 == pytest.approx(share / 2, abs=0.03)
    assert len(drawn) == 4


def test_an_aligned_pair_comes_together_framed_and_degraded_alike() -> None:
    patches = [patch(i, fake, aligned=f"pair {i}") for i in range(4) for fake in (False, True)]
    sampler, rng = Sampler(patches), np.random.default_rng(0)
    for _ in range(20):
        first, other = sampler.draw(rng)
        assert first.patch.fake != other.patch.fake
        assert first.patch.aligned == other.patch.aligned
        assert (first.framing, first.seed) == (other.framing, other.seed)


def test_tight_photographs_show_no_head() -> None:
    sampler = Sampler([patch(0, source="utkface")], shares={("photos", HEAD): 1.0})
    assert {e.framing for e in sampler.batch(np.random.default_rng(0), 5)} == {INNER}


@pytest.mark.parametrize("framing", [INNER, HEAD])
@pytest.mark.parametrize("source", ["clips", "stills", "dfdc", "ffpp"])
def test_crops_have_their_size_and_follow_from_the_seed(source: str, framing: int) -> None:
    box = None if source in {"dfdc", "ffpp"} else patch().box
    made = patch(3, source=source, box=box)
    assert plain_crop(made, framing, 56).shape == (56, 56, 3)
    for seed in range(6):
        first, two = (augmented_crop(made, framing, 56, np.random.default_rng(seed)) for _ in range(2))
        assert first.shape == (56, 56, 3) and first.dtype == np.uint8
        np.testing.assert_array_equal(first, two)


def test_ready_made_crops_have_the_square_measured_for_their_set() -> None:
    square = square_of(patch(source="ffpp", box=None), INNER)
    assert (square.side, square.x, square.y) == pytest.approx((0.90 * 96, 48, 0.555 * 96))


def test_roles_of_the_research_data_and_no_develop_file_among_training(data: Path) -> None:
    for source in SOURCES:
        listed = roles(data, source)
        if listed is not None:
            assert set(listed.values()) <= {"train", "develop", "val", "test"}
            assert "train" in listed.values()
            held = next((file for file, role in listed.items() if role != "train"), None)
            if held is not None:
                with pytest.raises(RoleError):
                    require_training([patch(file=held)], listed)
