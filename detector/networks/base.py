"""Base classes and registry of network architectures."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from detector.errors import ModelError
from detector.process.resources import without_modules


def _as_it_is(fn: Any = None, recursive: Any = True, *, reason: Any = None) -> Any:
    """In place of :func:`torch.compiler.disable`, whose names these are."""
    return fn or (lambda decorated: decorated)


@contextmanager
def _nothing_marked() -> Iterator[None]:
    disable = torch.compiler.disable
    torch.compiler.disable = _as_it_is
    try:
        yield
    finally:
        torch.compiler.disable = disable


with without_modules("torch._dynamo", "torch._dynamo.utils"), _nothing_marked():
    import timm  # noqa: F401
    import torchvision  # noqa: F401


class Network(nn.Module):
    """Base of all architectures."""

    gives_tokens = False
    """Whether ``cam_layers`` give the tokens of a transformer, (n, 1 + s · s, d), and not a map."""

    @property
    def cam_layers(self) -> tuple[nn.Module, ...]:
        """The layers whose maps together say what a logit rests on, from early to late; all of one size."""
        raise AttributeError(f"{type(self).__name__} names no layer for Grad-CAM")

    def forward(self, crops: Tensor) -> Tensor:
        """Crops (n, 3, size, size) to logits (n,)."""
        raise AttributeError(f"{type(self).__name__} has no forward pass")

    def forward_local(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n,), and the share (n, h, w) each place of the last map has in them."""
        raise AttributeError(f"{type(self).__name__} does not tell places apart")

    def load_imagenet(self) -> None:
        """Start from ImageNet weights, where a package carries them."""
        raise AttributeError(f"there are no ImageNet weights here for {type(self).__name__}")

    def start_from(self, other: Network) -> None:
        """Take over what ``other`` has learned; by default only from the same architecture."""
        if type(other) is not type(self):
            raise AttributeError(f"{type(self).__name__} cannot start from a {type(other).__name__}")
        self.load_state_dict(other.state_dict())

    def freeze_stages(self, count: int) -> None:
        """Keep the first ``count`` stages as they are; call again after each ``train()``."""
        if count:
            raise AttributeError(f"{type(self).__name__} has no stages to freeze")


class FeatureNetwork(Network):
    """Base of architectures with a backbone that stays as it is, and a small head that learns."""

    width: int
    """Length of the features."""

    def features(self, crops: Tensor) -> Tensor:
        """Crops (n, 3, size, size) to features (n, width)."""
        raise AttributeError(f"{type(self).__name__} gives no features")

    def judge(self, features: Tensor) -> Tensor:
        """Features (n, width) to logits (n,)."""
        raise AttributeError(f"{type(self).__name__} judges no features")

    def forward(self, crops: Tensor) -> Tensor:
        return self.judge(self.features(crops))


class SequenceNetwork(Network):
    """Base of architectures that look at a face over several frames.

    Crops become features one by one, so that a frame seen through many windows is
    computed once; the head then judges windows of them. A face alone is a sequence of one.
    """

    window: int
    """Frames around a frame, itself included, by which it is judged; never more at once."""

    def features(self, crops: Tensor) -> Tensor:
        """Crops (n, 3, size, size) to features (n, d)."""
        raise AttributeError(f"{type(self).__name__} gives no features")

    def judge(self, features: Tensor, present: Tensor) -> Tensor:
        """Sequences (b, t, d), padded where ``present`` (b, t) is False, to logits (b,).

        What stands at padded places changes nothing. Each sequence has at least one frame.
        """
        raise AttributeError(f"{type(self).__name__} judges no sequences")

    def judge_whole(self, features: Tensor) -> Tensor:
        """Sequences (b, t, d) without padding to logits (b,): what :meth:`judge` says of them."""
        return self.judge(features, torch.ones(features.shape[:2], dtype=torch.bool, device=features.device))

    def forward(self, crops: Tensor) -> Tensor:
        return self.judge_whole(self.features(crops)[:, None])


def freeze_backbone(backbone: nn.Module, count: int) -> None:
    """:meth:`Network.freeze_stages` where the whole backbone is the one stage that can be frozen."""
    if count:
        backbone.requires_grad_(False)
        backbone.eval()


_ARCHITECTURES: dict[str, type[Network]] = {}
# Architectures in this folder, each in a module of its own name, which is imported when first asked for.
_MODULES = frozenset(
    {
        "efficientnet_b1",
        "efficientnet_b3_transformer",
        "efficientnet_lite0",
        "efficientnet_lstm",
        "resnet18",
        "resnet18_features_mlp",
    }
)
# Likewise those of the second look, which give several logits a crop and decide nothing alone.
_SECOND_LOOK = frozenset({"vit_small_14", "vit_small_14_patch_heads"})


def register(name: str) -> Callable[[type[Network]], type[Network]]:
    """Class decorator: make an architecture known by ``name``, which model cards use."""

    def add(network: type[Network]) -> type[Network]:
        _ARCHITECTURES[name] = network
        return network

    return add


def architectures() -> list[str]:
    """Names of architectures that a model can have."""
    return sorted((_MODULES | _ARCHITECTURES.keys()) - _SECOND_LOOK)


def _find(name: str) -> type[Network] | None:
    if name not in _ARCHITECTURES and name in _MODULES | _SECOND_LOOK:
        import_module(f"detector.networks.{name}")
    return _ARCHITECTURES.get(name)


def is_sequence(name: str) -> bool:
    """Whether architecture ``name`` reads several frames at once; False for unknown names."""
    return issubclass(_find(name) or Network, SequenceNetwork)


def create(name: str) -> Network:
    """A new network of architecture ``name``, with random weights.

    Raises :class:`ModelError` for a name nobody registered.
    """
    network = _find(name)
    if network is None:
        known = ", ".join(architectures())
        raise ModelError(f"Unknown architecture {name!r}; this version of Reelproof has: {known}.")
    return network()


def fuse_batchnorm(network: Network) -> Network:
    """A copy of ``network``, in evaluation mode, for scoring alone: it cannot be trained.

    Relies on modules being registered in the order they run in, as timm's are.
    """
    out = copy.deepcopy(network).eval()
    _fuse(out)
    return out


def _fuse(module: nn.Module) -> None:
    children = list(module.named_children())
    for (first, conv), (second, norm) in pairwise(children):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, first, fuse_conv_bn_eval(conv, norm))
            # timm's normalisations carry their activation with them.
            setattr(module, second, getattr(norm, "act", nn.Identity()))
    for child in module.children():
        _fuse(child)
