"""Training, fusion and figures of the second look, on a tiny random network and made pictures."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from second_look_cases import SIZE, clip_record, idle_card, patch, tiny_network

from detector.errors import ModelError
from detector.models.card import FusionHalf
from detector.models.loaded import load_model
from detector.networks.readings import HEADS, READINGS
from detector.networks.vit_small_14 import ViTSmall14
from detector.schema.analysis import Parameters
from detector.scoring.fusion import Fusion, Half
from detector.scoring.scorer import logit_of
from detector.scoring.second_look.person_look import PersonLook
from detector.training.second_look import measuring_steps
from detector.training.second_look.__main__ import main
from detector.training.second_look.examples.patches import store
from detector.training.second_look.examples.source_probe import label_auc, matched_auc
from detector.training.second_look.fitting import fusion
from detector.training.second_look.fitting.crop_calibration import calibrated
from detector.training.second_look.fitting.patch_scores import by_clip, clip_aucs, every_nth_frame
from detector.training.second_look.fitting.thresholds import fitted_card, measured_card, peak, probability_for
from detector.training.second_look.halves import new_network
from detector.training.second_look.measuring import report
from detector.training.second_look.scan_loop import head_loss
from detector.training.second_look.ship import (
    LEAST_MOVED,
    NotTrainedError,
    loaded_with,
    moved,
    require_trained,
    ship,
    tensors_of,
)


@pytest.fixture(autouse=True)
def one_seed() -> Iterator[None]:
    """Random draws of a test follow from its own seed, and leave no trace."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def test_one_logit_for_each_head_by_reading() -> None:
    network = tiny_network().eval()
    crops = network.normalised(torch.randint(0, 256, (2, SIZE, SIZE, 3), dtype=torch.uint8))
    inner, head, photograph = (
        network.of_reading(network(crops), torch.full((2,), reading)) for reading in range(READINGS)
    )
    assert inner.shape == head.shape == photograph.shape == (2, 2)
    assert not torch.equal(inner, head) and not torch.equal(head, photograph)
    mixed = network.of_reading(network(crops), torch.tensor([0, 2]))
    torch.testing.assert_close(mixed, torch.stack([inner[0], photograph[1]]))


def test_heads_that_are_not_asked_count_for_nothing() -> None:
    given = torch.tensor([[2.0, 50.0], [-1.0, -50.0]])
    wanted = torch.tensor([[1.0, -1.0], [0.0, -1.0]])
    one_head = head_loss(given[:, :1], wanted[:, :1], 0.0)
    torch.testing.assert_close(head_loss(given, wanted, 0.0), one_head)


def clip_inputs(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    fake = np.arange(60) % 2 == 1
    talking = np.arange(60) % 4 == 1
    inputs = rng.normal(0, 1, (60, 7))
    inputs[:, 0] += 2 * (fake & ~talking)
    inputs[:, 4] += 3 * talking
    inputs[:, 5] -= 2 * fake  # misleading: without the bound its weight would be negative
    return inputs, fake, talking, [f"group {i // 6}" for i in range(60)]


def test_weights_are_not_negative_whatever_an_input_says() -> None:
    inputs, fake, *_ = clip_inputs()
    fitted = fusion.fit_half((0, 5), inputs, fake)
    assert fitted.weight[0] > 0.3 and fitted.weight[1] == 0


def test_the_inner_face_counts_more_than_the_scan_however_well_the_scan_tells_the_clips() -> None:
    inputs, fake, talking, _ = clip_inputs()
    fitted = fusion.fit(inputs, fake, talking)
    assert fitted.altered.weight[0] > 0
    np.testing.assert_allclose(fitted.altered.weight[1], 1.5 * fitted.altered.weight[0])
    assert (fitted.synthesised.weight >= 0).all()


def test_the_fusion_survives_the_card() -> None:
    inputs, fake, talking, _ = clip_inputs()
    fitted = fusion.fit(inputs, fake, talking)
    again = [
        Half.of(FusionHalf.model_validate_json(fusion.half_of_card(half).model_dump_json()))
        for half in (fitted.altered, fitted.synthesised)
    ]
    whole = Fusion(*again, reserve=fitted.reserve)
    np.testing.assert_allclose(whole.logit(inputs), fitted.logit(inputs))


def test_a_clips_figures_do_not_depend_on_its_own_groups_labels() -> None:
    inputs, fake, talking, groups = clip_inputs()
    before = fusion.left_out_logits(inputs, fake, talking, groups)
    mine = np.array(groups) == "group 3"
    changed = fake ^ mine
    after = fusion.left_out_logits(inputs, changed, talking & changed, groups)
    np.testing.assert_array_equal(before[mine], after[mine])
    assert not np.array_equal(before[~mine], after[~mine])


@pytest.mark.parametrize("share", [0.0, 0.03, 0.1, 0.5])
def test_the_threshold_flags_no_more_than_its_share(share: float) -> None:
    rng = np.random.default_rng(4)
    scores, fake = rng.normal(size=100), np.arange(100) % 2 == 1
    threshold = fusion.threshold_for(scores, fake, share)
    real = scores[~fake]
    assert (real >= threshold).mean() <= share
    assert threshold < np.sort(real)[::-1][int(share * 50)] + 2.01


def test_decisions_leave_the_clips_group_out() -> None:
    scores = np.array([0.0, 0.1, 0.2, 9.0, 5.0, 5.1])
    fake = np.array([False, False, False, False, True, True])
    said = fusion.left_out_decisions(scores, fake, list("aabcdd"))
    assert said.tolist() == [False, False, False, True, False, False]


def test_clips_are_means_of_their_frames_and_figures_go_by_family() -> None:
    patches = [patch(i, fake, frame=n) for i in range(3) for fake in (False, True) for n in range(4)]
    scores = np.array([[p.fake + 0.1 * p.frame] for p in patches])
    clips = by_clip(patches, scores)
    assert clips.scores[:, 0] == pytest.approx([0.15, 1.15] * 3)
    assert clip_aucs(clips, clips.scores[:, 0]) == {"all": 1.0, "swaps": 1.0, "FaceForensics++": 1.0}
    assert [p.frame for p in every_nth_frame(patches, 2)] == [1, 3] * 6


def test_scores_kept_for_other_weights_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patches = [patch(i, fake, role="develop") for i in range(2) for fake in (False, True)]
    store(tmp_path, "clips", [*patches, patch(9)])
    columns = iter([np.zeros((4, 7)), np.ones((4, 7))])
    monkeypatch.setattr(report, "read_network", lambda weights: None)
    monkeypatch.setattr(report, "fusion_columns", lambda network, scorer, patches: next(columns))
    scorer = SimpleNamespace(card=SimpleNamespace(name="fast"))
    weights = tmp_path / "best.pt"
    for content, expected in ((b"first", 0), (b"first", 0), (b"second", 1)):
        weights.write_bytes(content)
        clips = report.Inputs(weights, scorer, tmp_path).clips("clips")  # type: ignore[arg-type]
        assert len(clips.files) == 4
        assert (clips.scores == expected).all()


def test_matching_takes_away_what_sharpness_explains() -> None:
    rng = np.random.default_rng(0)
    sharpness = rng.normal(size=400)
    fake = sharpness + rng.normal(size=400) > 0
    everyone = np.ones(400, bool)
    plain = matched_auc(fake, sharpness, rng.normal(size=(400, 2)), everyone)
    matched = matched_auc(fake, sharpness, np.column_stack([sharpness, sharpness]), everyone)
    assert matched < plain - 0.1


def test_the_source_probe_finds_what_tells_the_label() -> None:
    rng = np.random.default_rng(0)
    patches = [patch(i, i % 2 == 1) for i in range(60)]
    noise = rng.normal(size=(60, 3))
    telling = noise + np.array([[3.0 * p.fake] for p in patches])
    assert label_auc(telling, patches) > 0.95
    assert 0.25 < label_auc(noise, patches) < 0.75


def test_what_lies_near_the_start_is_told() -> None:
    start = {"blocks.0.weight": torch.randn(8, 8), "blocks.1.weight": torch.randn(8, 8)}
    near = start["blocks.1.weight"] * (1 + LEAST_MOVED / 2)
    distances = moved({"near": near, "far": torch.randn(8, 8), "other shape": torch.randn(3, 3)}, start)
    assert distances["near"] == pytest.approx(LEAST_MOVED / 2, rel=1e-3)
    assert distances["far"] > 0.5
    assert "other shape" not in distances


def test_the_command_line_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main([*place, "publish-scan", str(tmp_path), "my-scan"]) == 2
    assert "`scan`" in capsys.readouterr().err
    assert main([*place, "publish-scan", str(tmp_path), "My/Scan"]) == 2
    assert "names of models" in capsys.readouterr().err
    assert main([*place, "prepare", "nosuch"]) == 2
    assert main([*place, "upper"]) == 2
    assert "tokens" in capsys.readouterr().err
    assert main([*place, "scan"]) == 2, "before faces are cut from other data"
    assert "`prepare`" in capsys.readouterr().err


def test_older_names_of_the_scan_and_of_stability_still_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[argparse.Namespace] = []
    monkeypatch.setattr(measuring_steps, "stability", asked.append)
    for option, step in (("--scan", "stability"), ("--fast", "steadiness")):
        assert main(["--data", str(tmp_path), option, "reelproof-2", step]) == 0
    assert [options.scan for options in asked] == ["reelproof-2"] * 2


def test_the_start_itself_is_refused(data: Path, tmp_path: Path) -> None:
    pretrained = data / "pretrained" / "vit-small-14.int8.safetensors"
    if not pretrained.is_file():
        pytest.skip(f"no {pretrained}")
    network = new_network(pretrained)
    torch.save(network.state_dict(), tmp_path / "start.pt")
    again, stored = tensors_of(tmp_path / "start.pt")
    assert isinstance(again, ViTSmall14) and again.shape == network.shape
    with pytest.raises(NotTrainedError, match=r"45 of"):
        require_trained(stored, pretrained, lambda line: None)


def test_what_was_fitted_for_other_weights_is_not_shipped(tmp_path: Path) -> None:
    torch.save(ViTSmall14().state_dict(), tmp_path / "one.pt")
    model = loaded_with(load_model(), tmp_path / "one.pt")
    fitted = model.card.second_look
    assert fitted is not None and model.second_look is not None
    other = fitted.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(ModelError, match="one.pt"):
        ship(tmp_path / "one.pt", other, tmp_path / "none", tmp_path, "reelproof", [], lambda line: None)
    assert not (tmp_path / "second-look").exists()


def test_probabilities_have_the_thresholds_where_the_parameters_have_theirs() -> None:
    platt = probability_for(2.4, 1.2, Parameters())
    for logit, probability in ((2.4, 0.65), (1.2, 0.4)):
        assert 1 / (1 + np.exp(-(platt.scale * logit + platt.offset))) == pytest.approx(probability)


def test_thresholds_flag_few_unmanipulated_clips() -> None:
    records = [clip_record(n, n % 2 == 1) for n in range(80)]
    model_card = idle_card()
    card = fitted_card(records, model_card, Parameters())
    formula = Fusion.of(card)
    enter = logit_of(Parameters().enter_threshold)
    flagged = np.array([peak(r, formula, Parameters()) >= enter for r in records])
    fake = np.array([r.fake for r in records])
    assert flagged[~fake].sum() <= 2 and flagged[fake].sum() > 20
    lines: list[str] = []
    measured = measured_card(records, card, Parameters(), lines.append)
    assert any(line.startswith("unmanipulated: of 40 flagged") for line in lines)
    false_positives, misses = measured.rates
    assert (false_positives.items, misses.items) == (40, 40)
    assert false_positives.events is not None and false_positives.events <= 4


def test_the_tiny_network_is_built_like_the_large_one() -> None:
    assert tiny_network().judge.out_features == READINGS * HEADS
    assert ViTSmall14().shape.features == 3 * 3 * 384


def test_the_calibration_of_crops_counts_sets_and_classes_alike() -> None:
    rng, sets = np.random.default_rng(0), []
    for count, share, at in ((2000, 0.8, -3.0), (200, 0.5, 1.0)):
        fake = rng.random(count) < share
        sets.append((rng.normal(at, 0.5, count) + 4 * fake, fake))
    platt = calibrated(sets)
    assert platt.scale > 0
    for logits, fake in sets:
        probability = 1 / (1 + np.exp(-(platt.scale * logits + platt.offset)))
        assert probability[fake].mean() > probability[~fake].mean() + 0.2
    balanced = [
        np.mean([(platt.scale * logits[fake == side] + platt.offset > 0).mean() for side in (False, True)])
        for logits, fake in sets
    ]
    assert abs(np.mean(balanced) - 0.5) < 0.15
