"""The transformer's halves trained apart, on a narrow random network and made pictures."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from made_faces import samples
from second_look_cases import patch

from detector.errors import ParameterError
from detector.faces.crop import HEAD, INNER
from detector.networks.graphs import QUESTIONS
from detector.networks.vit_small_14 import PRETRAINED, Shape, ViTSmall14
from training.second_look.examples.sampling import HEAD_SHARES, Sampler, WithBlends
from training.second_look.fitting.patch_scores import logits
from training.second_look.linear_heads import fit_linear_heads
from training.second_look.transformer_blocks import (
    DISTILLED,
    LEFT_OUT,
    UPPER,
    UPPER_AGAIN,
    UPPER_BLOCKS,
    StoredTokens,
    distil_lower,
    head_examples,
    join,
    start_from,
    store_tokens,
    tune_upper,
)

NARROW = {"size": 28, "width": 24, "attention_heads": 2}
FAKE = {"fake": True, "generator": "Wav2Lip, generated", "family": "lip-sync"}  # both heads learn from it
REALS = [patch(i) for i in range(6)]
FAKES = [patch(i, **FAKE) for i in range(6)]


def narrow() -> ViTSmall14:
    return ViTSmall14(dataclasses.replace(Shape(), **NARROW))


@pytest.fixture(scope="module")
def first() -> ViTSmall14:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = ViTSmall14(dataclasses.replace(PRETRAINED, **NARROW)).eval()
        for block in network.backbone.blocks:  # a new network's blocks hardly change anything
            block.ls2.gamma.data.fill_(1.0)
            block.mlp.fc2.weight.data.mul_(30)
        return network


@pytest.fixture(scope="module")
def kept(first: ViTSmall14, tmp_path_factory: pytest.TempPathFactory) -> StoredTokens:
    folder = tmp_path_factory.mktemp("tokens")
    with pytest.raises(ParameterError, match="tokens"):
        StoredTokens.read(folder)
    examples = head_examples(Sampler(REALS + FAKES, shares=HEAD_SHARES), 48, seed=3)
    assert {example.framing for example in examples} == {HEAD}
    store_tokens(first, examples, folder, lambda line: None)
    return StoredTokens.read(folder)


def started(first: ViTSmall14) -> ViTSmall14:
    network = narrow()
    start_from(first, network)
    return network


def test_the_start_lacks_one_block(first: ViTSmall14) -> None:
    network = started(first)
    blocks, own = first.backbone.blocks, network.backbone.blocks
    assert len(own) == len(blocks) - 1
    pairs = [(LEFT_OUT - 1, LEFT_OUT - 1), (LEFT_OUT, LEFT_OUT + 1), (-1, -1)]
    assert all(torch.equal(own[a].attn.qkv.weight, blocks[b].attn.qkv.weight) for a, b in pairs)


def test_the_kept_tokens_are_the_pretrained_networks(first: ViTSmall14, kept: StoredTokens) -> None:
    with torch.inference_mode():
        crops = first.normalise(torch.from_numpy(np.array(kept.crops[:2])))
        tokens, _ = first.run_blocks(first.embed(crops), range(PRETRAINED.depth - UPPER_BLOCKS))
        features = first.features(crops)
    assert tokens.numpy() == pytest.approx(kept.tokens[:2], abs=0.01)
    assert features.numpy() == pytest.approx(kept.features[:2], abs=1e-4)


def test_a_second_run_that_is_stopped_leaves_nothing_to_be_read(first: ViTSmall14, tmp_path: Path) -> None:
    examples = head_examples(Sampler(REALS + FAKES, shares=HEAD_SHARES), 8, seed=3)
    store_tokens(first, examples, tmp_path, lambda line: None)
    assert len(StoredTokens.read(tmp_path)) == 8

    def stopped(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store_tokens(first, examples, tmp_path, stopped)
    with pytest.raises(ParameterError, match="step `tokens`"):
        StoredTokens.read(tmp_path)


def test_distilled_blocks_come_near_the_kept_tokens(
    first: ViTSmall14, kept: StoredTokens, tmp_path: Path
) -> None:
    network, lines = started(first), []
    before = {name: value.clone() for name, value in network.state_dict().items()}
    recipe = dataclasses.replace(DISTILLED, examples=60 * 8, rate=2e-3, warm_up=2)
    distil_lower(network, kept, recipe, tmp_path / "lower.checkpoint.pt", lines.append)
    lost = [float(line.rsplit(" ", 1)[1]) for line in lines]
    assert lost[-1] < 0.7 * lost[0]
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert "backbone.patch_embed.proj.weight" in changed
    assert not any(
        name.startswith((f"backbone.blocks.{network.shape.depth - UPPER_BLOCKS}.", "judge"))
        for name in changed
    )


def test_both_halves_together_tell_the_toys_classes_apart(
    first: ViTSmall14, kept: StoredTokens, tmp_path: Path
) -> None:
    lower, upper = started(first), started(first)
    tune_upper(
        upper,
        kept,
        dataclasses.replace(UPPER, examples=64, batch=16),
        tmp_path / "upper.checkpoint.pt",
        print,
    )
    assert torch.equal(upper.backbone.blocks[0].attn.qkv.weight, lower.backbone.blocks[0].attn.qkv.weight)
    for name, network in (("lower", lower), ("upper", upper)):
        torch.save(network.state_dict(), tmp_path / f"{name}.pt")
    join(tmp_path / "lower.pt", tmp_path / "upper.pt", tmp_path / "start.pt")
    whole = narrow()
    whole.load_state_dict(torch.load(tmp_path / "start.pt", weights_only=True))
    real, fake = (logits(whole, patches, HEAD) for patches in (REALS, FAKES))
    assert (fake.mean(axis=0) > real.mean(axis=0) + 0.1).all()


def test_halves_of_which_the_upper_one_is_not_whole_are_not_joined(tmp_path: Path) -> None:
    state = narrow().state_dict()
    torch.save(state, tmp_path / "lower.pt")
    torch.save({name: state[name] for name in state if name != "centre"}, tmp_path / "upper.pt")
    with pytest.raises(KeyError, match="centre"):
        join(tmp_path / "lower.pt", tmp_path / "upper.pt", tmp_path / "start.pt")
    assert not (tmp_path / "start.pt").exists()


def test_tuning_again_gives_the_same(first: ViTSmall14, kept: StoredTokens, tmp_path: Path) -> None:
    tuned = []
    for before in (1, 2):  # whatever was drawn before
        torch.manual_seed(before)
        tuned.append(started(first))
        tune_upper(
            tuned[-1],
            kept,
            dataclasses.replace(UPPER, examples=32, batch=16),
            tmp_path / f"{before}.pt",
            print,
        )
    once, again = (network.state_dict() for network in tuned)
    assert all(torch.equal(value, again[name]) for name, value in once.items())


def test_part_of_the_way_to_the_tuned_blocks_is_kept(
    first: ViTSmall14, kept: StoredTokens, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(UPPER_AGAIN, examples=32, batch=16, rate=0.01, warm_up=1)
    began = started(first)
    fit_linear_heads(began, np.asarray(kept.features), kept.framings, kept.targets)
    tuned = {}
    for share in (1.0, 0.8):
        network = narrow()
        network.load_state_dict(began.state_dict())
        tune_upper(network, kept, dataclasses.replace(recipe, share=share), tmp_path / f"{share}.pt", print)
        tuned[share] = network.state_dict()
    moved = 0.0
    for name, value in began.state_dict().items():
        wanted = value.lerp(tuned[1.0][name], 0.8) if value.is_floating_point() else value
        assert torch.allclose(tuned[0.8][name], wanted, atol=1e-6), name
        moved = max(moved, float((tuned[1.0][name] - value).abs().max()))
    assert moved > 1e-3 and UPPER_AGAIN.share == 0.8 and UPPER.share == 1, "as the card of what ships says"


def test_heads_that_say_something_stay_as_they_are(first: ViTSmall14, tmp_path: Path) -> None:
    """The inner face's are fitted on its examples, with the standardisation there is."""
    shares = {("aligned", HEAD): 0.5, ("aligned", INNER): 0.5}
    source = WithBlends(REALS + FAKES, samples(), 28, 4, shares, blends=0.0)
    examples = source.batch(np.random.default_rng(4), 48)
    store_tokens(first, examples, tmp_path, lambda line: None)
    kept = StoredTokens.read(tmp_path)
    assert kept.framings.tolist() == [example.framing for example in examples]
    network = started(first)
    with torch.no_grad():
        network.judge.weight[QUESTIONS:] = 0.5
    centre = network.centre.clone()
    fit_linear_heads(network, np.asarray(kept.features), kept.framings, kept.targets)
    assert torch.equal(network.centre, centre) and bool((network.judge.weight[QUESTIONS:] == 0.5).all())
    assert bool(network.judge.weight[:QUESTIONS].any())
    real, fake = (logits(network, patches, INNER) for patches in (REALS, FAKES))
    assert (fake.mean(axis=0) > real.mean(axis=0)).all()
