"""Frozen stages and initial weights of networks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from detector.networks.base import (
    Network,
    architectures,
    create,
)
from detector.networks.efficientnet import grow_state
from training.networks import EfficientNetB1


class TestFreezing:
    @pytest.fixture(params=["efficientnet_lite0", "efficientnet_lstm", "resnet18_features_mlp"])
    def frozen(self, request: pytest.FixtureRequest) -> Iterator[Network]:
        torch.manual_seed(0)
        network = create(request.param)
        network.train()
        network.freeze_stages(1)
        yield network

    def test_frozen_stages_do_not_change(self, frozen: Network, crops: Tensor) -> None:
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

    def test_batch_norm_is_frozen_again_after_train(self, frozen: Network) -> None:
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
    def test_networks_without_stages_refuse_freezing(self, networks: dict[str, Network], name: str) -> None:
        with pytest.raises(AttributeError, match="no stages to freeze"):
            networks[name].freeze_stages(1)


class TestStarting:
    @pytest.mark.parametrize("name", ["efficientnet_b1", "efficientnet_b3_transformer"])
    def test_larger_efficientnet_grows_from_lite0(self, networks: dict[str, Network], name: str) -> None:
        small = networks["efficientnet_lite0"].features_state()
        large = networks[name].backbone.state_dict()
        new = grow_state(large, small)
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
    def test_added_blocks_are_identities(self, networks: dict[str, Network], name: str) -> None:
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

    def test_b1_initially_computes_about_the_same_as_lite0(self, crops: Tensor) -> None:
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

    def test_lstm_starts_from_lite0(self, networks: dict[str, Network], crops: Tensor) -> None:
        small, network = networks["efficientnet_lite0"], create("efficientnet_lstm").eval()
        network.start_from(small)
        with torch.inference_mode():
            expected = small.backbone.forward_head(small.backbone.forward_features(crops), pre_logits=True)
            assert torch.allclose(network.backbone(crops), expected, atol=1e-4)

    def test_perceptron_starts_from_resnet18(self, networks: dict[str, Network], crops: Tensor) -> None:
        torch.manual_seed(1)
        resnet, network = networks["resnet18"], create("resnet18_features_mlp").eval()
        projection = network.backbone.fc.weight.clone()
        network.start_from(resnet)
        assert torch.equal(network.backbone.fc.weight, projection) and projection.shape == (1000, 512)
        with torch.inference_mode():
            expected = resnet.backbone.forward_features(crops)
            assert torch.allclose(network.backbone.forward_features(crops), expected, atol=1e-4)

    @pytest.mark.parametrize("name", ["resnet18", "efficientnet_lstm"])
    def test_networks_start_from_their_own_kind(self, networks: dict[str, Network], name: str) -> None:
        network = create(name)
        network.start_from(networks[name])
        state = networks[name].state_dict()
        assert all(torch.equal(value, state[n]) for n, value in network.state_dict().items())

    @pytest.mark.parametrize("name", architectures())
    def test_start_from_another_kind_is_refused(self, networks: dict[str, Network], name: str) -> None:
        wrong = networks["efficientnet_b1" if name != "efficientnet_b1" else "resnet18"]
        with pytest.raises(AttributeError, match=f"cannot start from a {type(wrong).__name__}"):
            networks[name].start_from(wrong)

    @pytest.mark.parametrize("name", [n for n in architectures() if n != "efficientnet_lite0"])
    def test_missing_imagenet_weights_are_refused(self, networks: dict[str, Network], name: str) -> None:
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
    def test_mismatched_states_are_refused(self, small: dict[str, Tensor], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            grow_state({"a": torch.zeros(2, 4)}, small)

    def test_grown_state_by_hand(self) -> None:
        """Old weights at the corner, zeros right of them, the rest as it was; the arguments untouched."""
        large = {
            "a": torch.full((3, 3), 7.0),
            "count": torch.tensor(0),
            "blocks.0.1.bn2.weight": torch.ones(2),
        }
        small = {"a": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "count": torch.tensor(5)}
        out = grow_state(large, small)
        assert out["a"].tolist() == [[1, 2, 0], [3, 4, 0], [7, 7, 7]]
        assert out["count"].item() == 5 and out["blocks.0.1.bn2.weight"].tolist() == [0, 0]
        assert large["a"].eq(7).all() and large["blocks.0.1.bn2.weight"].eq(1).all()

    def test_only_the_last_normalisation_of_an_added_block_is_zeroed(self) -> None:
        large = {f"blocks.1.1.bn{n}.weight": torch.ones(2) for n in (1, 2, 3)}
        out = grow_state(large, {})
        assert [out[f"blocks.1.1.bn{n}.weight"].sum().item() for n in (1, 2, 3)] == [2, 2, 0]
