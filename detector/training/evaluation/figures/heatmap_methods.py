"""Heatmaps by other methods and at other layers than the engine's, and some that know nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_grad_cam import EigenCAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM
from pytorch_grad_cam.activations_and_gradients import ActivationsAndGradients
from torch import nn

from detector.explain.heatmaps import maps_of_crops
from detector.media.frame import Image
from detector.networks.base import Network
from detector.scoring.scorer import Scorer

Maps = NDArray[np.float32]  # (n, size, size), not negative

METHODS = {
    "Grad-CAM": GradCAM,
    "Grad-CAM++": GradCAMPlusPlus,
    "HiResCAM": HiResCAM,
    "LayerCAM": LayerCAM,
    "Eigen-CAM": EigenCAM,
}
ENGINE, OWN = "engine (detector.explain.heatmaps)", "the network's own map"
_MOST_CHANNELS = 512  # Eigen-CAM's decomposition of wider layers takes seconds a face
_BATCH = 25


def all_maps(
    scorer: Scorer, crops: Sequence[Image], methods: Sequence[str]
) -> Iterator[tuple[str, str, Maps]]:
    """Method, layer and maps of ``crops``: the engine's own, then each method at each layer."""
    yield ENGINE, "", np.stack([m for some in batches(crops) for m in maps_of_crops(scorer, list(some))])
    own = _own_maps(scorer, crops)
    if own is not None:
        yield OWN, "", own
    yield from cam_maps(scorer, crops, methods, layers(scorer.network))


def cam_maps(
    scorer: Scorer, crops: Sequence[Image], methods: Sequence[str], places: dict[str, nn.Module]
) -> Iterator[tuple[str, str, Maps]]:
    """Maps of the logit by each method at each layer, with their own values, at the crops' size.

    One pass of the network, there and back, serves them all.
    """
    size = crops[0].shape[0]
    kept: dict[tuple[str, str], list[NDArray[np.float32]]] = {}
    makers = {name: METHODS[name](scorer.network, []) for name in methods}
    for some in batches(crops):
        images = scorer.tensor(some).requires_grad_(True)
        recorder = ActivationsAndGradients(scorer.network, list(places.values()), None)
        recorder(images).sum().backward()
        activations, gradients = list(recorder.activations), list(recorder.gradients)
        recorder.release()
        for place, (name, layer) in enumerate(places.items()):
            seen, slope = activations[place].numpy(), gradients[place].numpy()
            for method, maker in makers.items():
                if method == "Eigen-CAM" and seen.shape[1] > _MOST_CHANNELS:
                    continue
                image = maker.get_cam_image(images, layer, [], seen, slope, False)
                kept.setdefault((method, name), []).extend(
                    _enlarged(np.maximum(m, 0).astype(np.float32), size) for m in image
                )
    for (method, name), maps in kept.items():
        yield method, name, np.stack(maps)


def random_maps(count: int, size: int, seed: int = 0) -> Maps:
    """Smooth random hills of 4×4 places, like a map of the last layer without any knowledge."""
    rng = np.random.default_rng(seed)
    return np.stack([_enlarged(rng.random((4, 4)).astype(np.float32), size) for _ in range(count)])


def centre_maps(count: int, size: int) -> Maps:
    """A hill in the middle: what a map reaches that knows where faces lie, and nothing of this one."""
    away = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    hill = np.exp(-(away[:, None] ** 2 + away**2) / (2 * 0.2**2))
    return np.repeat(hill[None], count, axis=0)


def layers(network: Network) -> dict[str, nn.Module]:
    """Layers of ``network`` that a map may be drawn from, by name, from early to late."""
    named = dict(network.named_modules())
    found = {name: m for name, m in named.items() if _is_stage(name)}
    # The last convolution before pooling, where HiResCAM is exact for a linear head.
    found |= {"backbone.bn2": named["backbone.bn2"]} if "backbone.conv_head" in named else {}
    return found


def _own_maps(scorer: Scorer, crops: Sequence[Image]) -> Maps | None:
    """Where the network itself places its logit, if it can tell."""
    size = crops[0].shape[0]
    out: list[NDArray[np.float32]] = []
    try:
        for some in batches(crops):
            with torch.inference_mode():
                _, local = scorer.network.forward_local(scorer.tensor(some))
            out += [_enlarged(np.maximum(m, 0), size) for m in local.float().cpu().numpy()]
    except AttributeError:
        return None
    return np.stack(out)


def _is_stage(name: str) -> bool:
    """Names such as ``backbone.blocks.4`` and ``backbone.layer3``; the first stages see no shapes yet."""
    parts = name.split(".")
    if len(parts) == 3 and parts[1] == "blocks":
        return int(parts[2]) >= 2
    return len(parts) == 2 and parts[1] in {"layer2", "layer3", "layer4"}


def _enlarged(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    # Cubic interpolation of a 4×4 map overshoots below zero.
    large: NDArray[np.float32] = np.maximum(
        cv2.resize(values, (size, size), interpolation=cv2.INTER_CUBIC), np.float32(0)
    )
    return large


def batches(crops: Sequence[Image]) -> Iterator[Sequence[Image]]:
    """``crops``, some at a time, for memory's sake."""
    for start in range(0, len(crops), _BATCH):
        yield crops[start : start + _BATCH]
