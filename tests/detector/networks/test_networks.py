"""Each architecture: what goes in and out, what padding and order mean, what stays frozen, how it starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from detector.errors import ModelError
from detector.networks import graphs
from detector.networks.base import (
    FeatureNetwork,
    Network,
    SequenceNetwork,
    architectures,
    create,
    is_sequence,
)
from detector.networks.efficientnet_b1 import EfficientNetB1
from detector.networks.fuse_batchnorm import fused
from detector.networks.grow import grown
from tests.learning import overfit

SIZE = 64
SEQUENCES = ["efficientnet_b3_transformer", "efficientnet_lstm"]


@pytest.fixture(scope="module")
def networks() -> dict[str, Network]:
    """One of each, in evaluation mode, where nothing is dropped at random. Tests leave them as they are."""
    torch.manual_seed(0)
    made = {name: create(name).eval() for name in architectures()}
    for module in (module for network in made.values() for module in network.modules()):
        # Some residual blocks start as if they were not there, with the last scale at zero.
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    return made


@pytest.fixture(scope="module")
def crops() -> Tensor:
    return torch.randn(2, 3, SIZE, SIZE, generator=torch.manual_seed(0))


def frames(network: SequenceNetwork, length: int, seed: int = 0) -> Tensor:
    """Features of one sequence, (1, length, d), as far apart as those of any frames."""
    width = network.project[1].out_features
    return torch.randn(1, length, width, generator=torch.manual_seed(seed))


def all_there(features: Tensor) -> Tensor:
    return torch.ones(features.shape[:2], dtype=torch.bool)


def sequence_network(networks: dict[str, Network], name: str) -> SequenceNetwork:
    network = networks[name]
    assert isinstance(network, SequenceNetwork)
    return network


def test_those_the_issue_names_are_there() -> None:
    assert {*SEQUENCES, "efficientnet_lite0", "resnet18", "efficientnet_b1", "resnet18_features_mlp"} <= {
        *architectures()
    }


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ModelError, match="'nosuch'.*efficientnet_lite0, .*resnet18"):
        create("nosuch")


def test_which_read_sequences() -> None:
    assert [name for name in architectures() if is_sequence(name)] == SEQUENCES
    assert not is_sequence("nosuch")


@pytest.mark.parametrize("name", architectures())
def test_one_logit_a_crop(networks: dict[str, Network], crops: Tensor, name: str) -> None:
    """Whatever stands beside it in the batch."""
    with torch.inference_mode():
        together = networks[name](crops)
        alone = networks[name](crops[1:])
    assert together.shape == (2,) and torch.isfinite(together).all()
    assert alone.item() == pytest.approx(together[1].item(), abs=1e-4)
    assert together[0] != together[1]


@pytest.mark.parametrize("name", architectures())
def test_grad_cams_layer_has_a_map(networks: dict[str, Network], crops: Tensor, name: str) -> None:
    """As many places as strides of 32 px go into the crop, or twice that."""
    shapes = []
    hook = networks[name].cam_layer.register_forward_hook(lambda _, __, out: shapes.append(out.shape))
    with hook, torch.inference_mode():
        networks[name](crops)
    (shape,) = shapes
    assert len(shape) == 4 and shape[0] == 2
    assert shape[2] == shape[3] and shape[2] in {SIZE // 32, SIZE // 16}


@pytest.mark.parametrize("name", architectures())
def test_every_parameter_gets_a_gradient(networks: dict[str, Network], crops: Tensor, name: str) -> None:
    """Of a sequence of two frames, where the network reads sequences: one alone has no past."""
    network = networks[name]
    if isinstance(network, SequenceNetwork):
        features = network.features(crops)[None]
        logits = network.judge(features, all_there(features))
    else:
        logits = network(crops)
    logits.sum().backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    network.zero_grad(set_to_none=True)
    assert without == []


class TestSequences:
    @pytest.mark.parametrize("name", SEQUENCES)
    @pytest.mark.parametrize(
        "padding", [(4, 0, 0), (0, 0, 4), (0, 4, 0), (1, 2, 3)], ids=["front", "back", "middle", "all over"]
    )
    def test_padding_changes_nothing(
        self, networks: dict[str, Network], name: str, padding: tuple[int, int, int]
    ) -> None:
        network = sequence_network(networks, name)
        features = frames(network, 6)
        width = features.shape[2]
        front, middle, back = (1e3 * torch.ones(1, count, width) for count in padding)
        stuffed = torch.cat([front, features[:, :2], middle, features[:, 2:], back], dim=1)
        present = torch.tensor([[False] * padding[0] + [True] * 2 + [False] * padding[1] + [True] * 4])
        present = torch.cat([present, torch.zeros(1, padding[2], dtype=torch.bool)], dim=1)
        with torch.inference_mode():
            plain = network.judge(features, all_there(features))
            assert network.judge(stuffed, present).item() == pytest.approx(plain.item(), abs=1e-5)
            assert network.judge(stuffed, torch.ones_like(present)).item() != pytest.approx(
                plain.item(), abs=1e-3
            ), "what is hidden by the mask would have counted"

    @pytest.mark.parametrize("name", SEQUENCES)
    def test_a_batch_of_different_lengths(self, networks: dict[str, Network], name: str) -> None:
        """The longest neither first nor last, so that sorting by length has to be undone."""
        network = sequence_network(networks, name)
        lengths = [3, 10, 1, 7]
        sequences = [frames(network, length, seed) for seed, length in enumerate(lengths)]
        batch = torch.cat([nn.functional.pad(s, (0, 0, 0, 10 - s.shape[1])) for s in sequences])
        present = torch.arange(10)[None] < torch.tensor(lengths)[:, None]
        with torch.inference_mode():
            together = network.judge(batch, present)
            alone = torch.cat([network.judge(s, all_there(s)) for s in sequences])
        assert together.shape == (4,)
        assert together.tolist() == pytest.approx(alone.tolist(), abs=1e-5)
        assert len({round(value, 4) for value in together.tolist()}) == 4

    @pytest.mark.parametrize("name", SEQUENCES)
    def test_order_matters(self, networks: dict[str, Network], name: str) -> None:
        network = sequence_network(networks, name)
        features = frames(network, 8)
        swapped = features[:, [0, 1, 5, 3, 4, 2, 6, 7]]
        with torch.inference_mode():
            forwards = network.judge(features, all_there(features)).item()
            backwards = network.judge(features.flip(1), all_there(features)).item()
            with_two_swapped = network.judge(swapped, all_there(features)).item()
        assert abs(forwards - backwards) > 1e-4 and abs(forwards - with_two_swapped) > 1e-6

    @pytest.mark.parametrize("name", SEQUENCES)
    def test_a_face_alone_is_a_sequence_of_one(
        self, networks: dict[str, Network], crops: Tensor, name: str
    ) -> None:
        network = sequence_network(networks, name)
        with torch.inference_mode():
            features = network.features(crops)
            one_by_one = [network.judge(f[None, None], torch.ones(1, 1, dtype=torch.bool)) for f in features]
            assert network(crops).tolist() == pytest.approx(torch.cat(one_by_one).tolist(), abs=1e-5)
        assert features.shape == (2, frames(network, 1).shape[2])

    @pytest.mark.parametrize(
        ("name", "window"), [("efficientnet_lstm", 16), ("efficientnet_b3_transformer", 30)]
    )
    def test_a_whole_window_can_be_judged(self, networks: dict[str, Network], name: str, window: int) -> None:
        """And its last frame counts as well as its first."""
        network = sequence_network(networks, name)
        assert network.window == window
        features = frames(network, window)
        first, last = features.clone(), features.clone()
        first[:, 0] *= -1
        last[:, -1] *= -1
        with torch.inference_mode():
            logits = [network.judge(f, all_there(f)).item() for f in (features, first, last)]
        assert len({round(logit, 7) for logit in logits}) == 3

    @pytest.mark.parametrize(
        ("name", "rate"), [("efficientnet_lstm", 1e-2), ("efficientnet_b3_transformer", 1e-3)]
    )
    def test_heads_learn_what_only_order_tells(self, name: str, rate: float) -> None:
        """Four sequences are real, the same ones played backwards are manipulated."""
        torch.manual_seed(0)
        network = create(name)
        assert isinstance(network, SequenceNetwork)
        forwards = torch.cat([frames(network, 6, seed) for seed in range(4)])
        features, labels = torch.cat([forwards, forwards.flip(1)]), torch.tensor([0.0] * 4 + [1.0] * 4)
        head = [p for n, p in network.named_parameters() if not n.startswith(("backbone.", "project."))]
        optimizer = torch.optim.AdamW(head, rate)
        network.train()
        for _ in range(24):
            loss = nn.functional.binary_cross_entropy_with_logits(
                network.judge(features, all_there(features)), labels
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.inference_mode():
            logits = network.eval().judge(features, all_there(features))
        assert (logits[:4] < 0).all() and (logits[4:] > 0).all()


def test_kept_features_are_judged_as_crops_are(networks: dict[str, Network], crops: Tensor) -> None:
    network = networks["resnet18_features_mlp"]
    assert isinstance(network, FeatureNetwork)
    with torch.inference_mode():
        features = network.features(crops)
        assert features.shape == (2, network.width) == (2, 1000)
        assert network.judge(features).tolist() == pytest.approx(network(crops).tolist(), abs=1e-5)
        assert network.judge(2 * features).tolist() != pytest.approx(network(crops).tolist(), abs=1e-5)


def test_resnet18_overfits_eight_tiny_crops() -> None:
    torch.manual_seed(0)
    network = create("resnet18")
    losses = overfit(network, torch.randn(8, 3, 32, 32), torch.tensor([0.0, 1.0] * 4), 8)
    assert losses[0] > 0.4 and losses[-1] < 0.1


class TestFreezing:
    @pytest.fixture(params=["efficientnet_lite0", "efficientnet_lstm", "resnet18_features_mlp"])
    def frozen(self, request: pytest.FixtureRequest) -> Iterator[Network]:
        torch.manual_seed(0)
        network = create(request.param)
        network.train()
        network.freeze_stages(1)
        yield network

    def test_weights_and_statistics_stay_and_the_rest_moves(self, frozen: Network, crops: Tensor) -> None:
        kept = ("backbone.conv_stem.", "backbone.bn1.", "backbone.blocks.0.")
        if not type(frozen).__name__.startswith("EfficientNetLite0"):
            kept = ("backbone.",)
        before = {name: value.clone() for name, value in frozen.state_dict().items()}
        optimizer = torch.optim.AdamW([p for p in frozen.parameters() if p.requires_grad], 1e-2)
        frozen(5 * crops + 3).sum().backward()  # far from the statistics there are
        optimizer.step()
        changed = {n for n, value in frozen.state_dict().items() if not torch.equal(value, before[n])}
        assert changed and not any(name.startswith(kept) for name in changed)
        assert {name for name, p in frozen.named_parameters() if not p.requires_grad} == {
            name for name, _ in frozen.named_parameters() if name.startswith(kept)
        }

    def test_batch_norm_wakes_with_train_and_is_frozen_again(self, frozen: Network) -> None:
        frozen.train()
        assert frozen.backbone.bn1.training
        frozen.freeze_stages(1)
        assert not frozen.backbone.bn1.training and frozen.training

    def test_no_stages_freeze_nothing(self) -> None:
        for name in architectures():
            if name == "efficientnet_b3_transformer":  # as the LSTM, and slow to make
                continue
            network = create(name).train()
            network.freeze_stages(0)
            assert all(p.requires_grad for p in network.parameters())
            assert all(module.training for module in network.modules())

    @pytest.mark.parametrize("name", ["resnet18", "efficientnet_b1"])
    def test_networks_without_stages_say_so(self, networks: dict[str, Network], name: str) -> None:
        with pytest.raises(AttributeError, match="no stages to freeze"):
            networks[name].freeze_stages(1)


class TestStarting:
    @pytest.mark.parametrize("name", ["efficientnet_b1", "efficientnet_b3_transformer"])
    def test_a_larger_efficientnet_grows_out_of_lite0(self, networks: dict[str, Network], name: str) -> None:
        small = networks["efficientnet_lite0"].features_state()
        large = networks[name].backbone.state_dict()
        new = grown(large, small)
        assert {n: v.shape for n, v in new.items()} == {n: v.shape for n, v in large.items()}
        assert new["conv_stem.weight"].data_ptr() != large["conv_stem.weight"].data_ptr()
        for tensor, value in small.items():
            corner = tuple(slice(0, length) for length in value.shape)
            assert torch.equal(new[tensor][corner], value), tensor
            if value.dim() == 4:
                outputs, inputs = value.shape[:2]
                assert not new[tensor][:outputs, inputs:].any(), "old outputs listen to new inputs"
                rest = new[tensor][outputs:]
                assert torch.equal(rest, large[tensor][outputs:]), "new outputs start as they were"

    @pytest.mark.parametrize("name", ["efficientnet_b1", "efficientnet_b3_transformer"])
    def test_added_blocks_pass_their_input_on(self, networks: dict[str, Network], name: str) -> None:
        network = networks[name]
        before = {n: v.clone() for n, v in network.state_dict().items()}
        small = networks["efficientnet_lite0"].backbone
        try:
            network.start_from(networks["efficientnet_lite0"])
            added = [
                block
                for stage, old in zip(network.backbone.blocks, small.blocks, strict=True)
                for block in stage[len(old) :]
            ]
            assert len(added) == len(sum(map(list, network.backbone.blocks), [])) - 16 >= 7
            for block in added:
                width = next(block.parameters()).shape[1]
                width = width if width > 1 else next(block.parameters()).shape[0]  # depthwise first
                given = torch.randn(1, width, 4, 4, generator=torch.manual_seed(1))
                with torch.inference_mode():
                    assert torch.allclose(block(given), given, atol=1e-6)
            gates = [m for m in network.backbone.modules() if type(m).__name__ == "SqueezeExcite"]
            assert gates and all((gate.conv_expand.bias == 3).all() for gate in gates)
            head = {n for n in before if not n.startswith("backbone.")}
            assert head and all(torch.equal(network.state_dict()[n], before[n]) for n in head)
        finally:
            network.load_state_dict(before)

    def test_b1_computes_nearly_what_lite0_did(self, crops: Tensor) -> None:
        """With gates wide open and the activation of the smaller one, the very same."""
        torch.manual_seed(0)
        small, large = create("efficientnet_lite0").eval(), create("efficientnet_b1").eval()
        assert isinstance(large, EfficientNetB1)
        large.start_from(small)
        for name, module in list(large.backbone.named_modules()):
            if type(module).__name__ == "SqueezeExcite":
                parent = large.backbone.get_submodule(name.rpartition(".")[0])
                parent.se = nn.Identity()
            elif isinstance(getattr(module, "act", None), nn.SiLU):
                module.act = nn.ReLU6()
        with torch.inference_mode():
            expected = small.backbone.forward_features(crops)
            assert torch.allclose(large.backbone.forward_features(crops), expected, atol=1e-3)
        assert expected.std() > 1e-3

    def test_an_lstm_takes_lite0_whole(self, networks: dict[str, Network], crops: Tensor) -> None:
        small, network = networks["efficientnet_lite0"], create("efficientnet_lstm").eval()
        network.start_from(small)
        with torch.inference_mode():
            expected = small.backbone.forward_head(small.backbone.forward_features(crops), pre_logits=True)
            assert torch.allclose(network.backbone(crops), expected, atol=1e-4)

    def test_a_perceptron_takes_the_backbone_of_resnet18(
        self, networks: dict[str, Network], crops: Tensor
    ) -> None:
        torch.manual_seed(1)
        resnet, network = networks["resnet18"], create("resnet18_features_mlp").eval()
        projection = network.backbone.fc.weight.clone()
        network.start_from(resnet)
        assert torch.equal(network.backbone.fc.weight, projection) and projection.shape == (1000, 512)
        with torch.inference_mode():
            expected = resnet.backbone.forward_features(crops)
            assert torch.allclose(network.backbone.forward_features(crops), expected, atol=1e-4)

    @pytest.mark.parametrize("name", ["resnet18", "efficientnet_lstm"])
    def test_any_starts_from_its_own_kind(self, networks: dict[str, Network], name: str) -> None:
        network = create(name)
        network.start_from(networks[name])
        state = networks[name].state_dict()
        assert all(torch.equal(value, state[n]) for n, value in network.state_dict().items())

    @pytest.mark.parametrize("name", architectures())
    def test_another_kind_is_refused(self, networks: dict[str, Network], name: str) -> None:
        wrong = networks["efficientnet_b1" if name != "efficientnet_b1" else "resnet18"]
        with pytest.raises(AttributeError, match=f"cannot start from a {type(wrong).__name__}"):
            networks[name].start_from(wrong)

    @pytest.mark.parametrize("name", [n for n in architectures() if n != "efficientnet_lite0"])
    def test_no_imagenet_weights_are_claimed(self, networks: dict[str, Network], name: str) -> None:
        with pytest.raises(AttributeError, match="no ImageNet weights"):
            networks[name].load_imagenet()


class TestGrown:
    @pytest.mark.parametrize(
        ("small", "message"),
        [
            ({"b": torch.ones(1)}, "no tensor b"),
            ({"a": torch.ones(3, 2)}, r"a: \(3, 2\) does not go into \(2, 4\)"),
            ({"a": torch.ones(2, 5)}, r"a: \(2, 5\) does not go into \(2, 4\)"),
            ({"a": torch.ones(2)}, r"a: \(2,\) does not go into \(2, 4\)"),
        ],
    )
    def test_what_does_not_fit(self, small: dict[str, Tensor], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            grown({"a": torch.zeros(2, 4)}, small)

    def test_by_hand(self) -> None:
        """Old weights at the corner, zeros right of them, the rest as it was; the arguments untouched."""
        large = {
            "a": torch.full((3, 3), 7.0),
            "count": torch.tensor(0),
            "blocks.0.1.bn2.weight": torch.ones(2),
        }
        small = {"a": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "count": torch.tensor(5)}
        out = grown(large, small)
        assert out["a"].tolist() == [[1, 2, 0], [3, 4, 0], [7, 7, 7]]
        assert out["count"].item() == 5 and out["blocks.0.1.bn2.weight"].tolist() == [0, 0]
        assert large["a"].eq(7).all() and large["blocks.0.1.bn2.weight"].eq(1).all()

    def test_only_the_last_normalisation_of_an_added_block_is_silenced(self) -> None:
        large = {f"blocks.1.1.bn{n}.weight": torch.ones(2) for n in (1, 2, 3)}
        out = grown(large, {})
        assert [out[f"blocks.1.1.bn{n}.weight"].sum().item() for n in (1, 2, 3)] == [2, 2, 0]


@pytest.mark.parametrize("name", architectures())
def test_fused_says_the_same(name: str) -> None:
    """Normalisations that have seen something, so that folding them in is more than a formality."""
    torch.manual_seed(0)
    network = create(name)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 2.0)
    network.eval()
    fast = fused(network)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fast.modules()), "all are folded"
    crops = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(fast(crops), network(crops), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("path", sorted(graphs.FOLDER.glob("*.onnx")), ids=lambda path: path.stem)
def test_graphs_take_any_number_of_crops(path: Path) -> None:
    first = graphs.read(path).graph.input[0].type.tensor_type.shape.dim[0]
    assert first.dim_param and not first.dim_value
