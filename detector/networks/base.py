"""Base classes and registry of network architectures.

A network maps crops (n, 3, size, size), normalised as its model card says, to logits (n,), positive for
manipulated. A new architecture needs ``forward`` and ``cam_layers``; the other methods of :class:`Network`
are used by training recipes that ask for them, and refuse by default.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from detector.errors import ModelError
from detector.process.resources import without_modules


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Replace :func:`torch.compiler.disable` by a decorator that changes nothing."""

    def disable(fn: Any = None, recursive: Any = True, *, reason: Any = None) -> Any:
        return fn or (lambda decorated: decorated)

    original, torch.compiler.disable = torch.compiler.disable, disable
    try:
        yield
    finally:
        torch.compiler.disable = original


# timm and torchvision would import torch's compiler, which takes as long as torch itself and is not used
# here.
with without_modules("torch._dynamo", "torch._dynamo.utils"), _without_compiler():
    import timm  # noqa: F401
    import torchvision  # noqa: F401


class Network(nn.Module):
    """Base of all architectures."""

    gives_tokens = False
    """Whether ``cam_layers`` return the tokens of a transformer, (n, 1 + s · s, d), instead of a map."""
    drops_patches = False
    """Whether :meth:`score_patches` can leave patches out, and :meth:`patch_features` exist."""

    def lower_tokens(self, crops: Tensor) -> Tensor:
        """Map crops to tokens (n, 1 + s · s, d), the class token first, up to where patches are left out."""
        raise NotImplementedError

    def patch_features(self, crops: Tensor) -> Tensor:
        """Map crops to features of their patches (n, s · s, d), for comparisons of two crops."""
        raise NotImplementedError

    def score_patches(
        self, tokens: Tensor, outputs: Sequence[int] | None = None, weights: Tensor | None = None
    ) -> Tensor:
        """Map :meth:`lower_tokens` (n, 1 + k, d) of all patches, or of some, to the logits of a whole crop.

        Only the logits of ``outputs`` are valid. ``weights`` (n, 1 + k) state how much each token counts, in
        attention and in pooling; None is 1 for each.
        """
        raise NotImplementedError

    @property
    def cam_layers(self) -> tuple[nn.Module, ...]:
        """The layers for Grad-CAM, from early to late; all maps have the same size."""
        raise AttributeError(f"{type(self).__name__} names no layer for Grad-CAM")

    @property
    def cam_starts(self) -> tuple[nn.Module, ...]:
        """The layers where gradients stop: the first of each path through the network."""
        return self.cam_layers[:1]

    def forward(self, crops: Tensor) -> Tensor:
        """Map crops (n, 3, size, size) to logits (n,)."""
        raise AttributeError(f"{type(self).__name__} has no forward pass")

    def forward_local(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (n,), and the contribution (n, h, w) of each place of the last map."""
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
    """Base of architectures with a frozen backbone and a small head that learns."""

    width: int
    """Length of the features."""

    def features(self, crops: Tensor) -> Tensor:
        """Map crops (n, 3, size, size) to features (n, width)."""
        raise AttributeError(f"{type(self).__name__} gives no features")

    def judge(self, features: Tensor) -> Tensor:
        """Map features (n, width) to logits (n,)."""
        raise AttributeError(f"{type(self).__name__} judges no features")

    def forward(self, crops: Tensor) -> Tensor:
        return self.judge(self.features(crops))


class SequenceNetwork(Network):
    """Base of architectures that judge a face over several frames.

    Features are computed crop by crop, so that a frame in many windows is computed once; the head then judges
    windows of features. A single face is a sequence of one.
    """

    window: int
    """Number of frames around a frame, itself included, by which it is judged."""

    def features(self, crops: Tensor) -> Tensor:
        """Map crops (n, 3, size, size) to features (n, d)."""
        raise AttributeError(f"{type(self).__name__} gives no features")

    def judge(self, features: Tensor, present: Tensor) -> Tensor:
        """Map sequences (b, t, d), padded where ``present`` (b, t) is False, to logits (b,).

        Padding has no effect. Each sequence has at least one frame.
        """
        raise AttributeError(f"{type(self).__name__} judges no sequences")

    def judge_whole(self, features: Tensor) -> Tensor:
        """Map sequences (b, t, d) without padding to logits (b,), as :meth:`judge` does."""
        return self.judge(features, torch.ones(features.shape[:2], dtype=torch.bool, device=features.device))

    def forward(self, crops: Tensor) -> Tensor:
        return self.judge_whole(self.features(crops)[:, None])


def freeze_backbone(backbone: nn.Module, count: int) -> None:
    """Implement :meth:`Network.freeze_stages` if the whole backbone is the only stage."""
    if count:
        backbone.requires_grad_(False)
        backbone.eval()


_ARCHITECTURES: dict[str, type[Network]] = {}
# Modules of architectures, imported on first use.
_MODULES = {
    "efficientnet_lite0": "detector.networks.efficientnet",
    "efficientnet_lstm": "detector.networks.efficientnet",
    "vit_small_14": "detector.networks.vit_small_14",
    "vit_small_14_patch_heads": "detector.networks.vit_small_14",
    "vit_small_14_window_heads": "detector.networks.vit_small_14_windows",
    "vit_small_14_windows": "detector.networks.vit_small_14_windows",
    # Without shipped weights: these need the package ``training``, which is not part of an installation.
    "efficientnet_b1": "training.networks",
    "efficientnet_b3_transformer": "training.networks",
    "resnet18": "training.networks",
    "resnet18_features_mlp": "training.networks",
}
# Architectures of the second look, which give several logits a crop and decide nothing alone.
_SECOND_LOOK = frozenset(name for name in _MODULES if name.startswith("vit_small_14"))


def register(name: str) -> Callable[[type[Network]], type[Network]]:
    """Class decorator: make an architecture known by ``name``, which model cards use."""

    def add(network: type[Network]) -> type[Network]:
        _ARCHITECTURES[name] = network
        return network

    return add


def architectures() -> list[str]:
    """Return the names of architectures that a model can have."""
    return sorted((_MODULES.keys() | _ARCHITECTURES.keys()) - _SECOND_LOOK)


def _find(name: str) -> type[Network] | None:
    if name not in _ARCHITECTURES and name in _MODULES:
        module = _MODULES[name]
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            if error.name not in (module, module.partition(".")[0]):
                raise
            raise ModelError(
                f"The architecture {name!r} needs the package training, which is not installed. "
                "Run Reelproof from a checkout of its source."
            ) from None
    return _ARCHITECTURES.get(name)


def is_sequence(name: str) -> bool:
    """Return whether architecture ``name`` reads several frames at once; False for unknown names."""
    return issubclass(_find(name) or Network, SequenceNetwork)


def create(name: str) -> Network:
    """Create a network of architecture ``name`` with random weights; raise :class:`ModelError` if unknown."""
    network = _find(name)
    if network is None:
        known = ", ".join(architectures())
        raise ModelError(f"Unknown architecture {name!r}; this version of Reelproof has: {known}.")
    return network()


def fuse_batchnorm(network: Network) -> Network:
    """Return a copy with each batch normalisation folded into the convolution before it, a third faster.

    It is in evaluation mode and cannot be trained. Modules must be registered in the order in which they run,
    as those of timm are.
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
