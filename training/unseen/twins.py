"""Make twins: an unmanipulated head, and its copy decoded by a diffusion model's autoencoder.

Both are framed, scaled and compressed alike, so they do not differ in background, light or framing, only in
traces of the decoder. The autoencoder is TAEF2 (Ollin Boer Bohan, MIT), a small one for the latent space of
FLUX.2; it is in the research folder and is not shipped. A linear classifier on frozen features that is
trained on twins recognises unseen generators; unfrozen blocks learn only this decoder (docs/experiments.md).
Variants make the traces less specific to one decoder: latents with noise, as a diffusion model leaves them;
two passes; a blend into the inner face only.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.backends.runtimes import knows_bfloat16
from detector.faces.crop import HEAD, crop_square
from detector.faces.patch import decode_jpeg
from detector.media.frame import Image
from training.second_look.examples.patches import Patch
from training.second_look.examples.sampling import square_of
from training.synthesis.degradations import degrade_h264
from training.unseen.conversion import compiled
from training.unseen.samples import SIZE, Draw, Sample, sample_of, seed_of

Floats = NDArray[np.float32]

_SIDES = (192, 224, 256, 288, 320)  # px of the head when it is encoded
_JPEG, _H264 = 0.4, 0.4  # shares of pairs; the others are not compressed again
_NOISY, _TWICE = 0.35, 0.15  # shares of twins
_NOISE = 0.12  # maximum standard deviation of the noise, relative to that of the latents


class Autoencoder:
    """The autoencoder of the research folder ``data`` in OpenVINO, with one model for each picture size.

    The encoder runs in bfloat16 if the processor supports it, which adds noise to the latents. The decoder
    runs in single precision, because its rounding would be a trace that no generator leaves.
    """

    def __init__(self, data: Path) -> None:
        path = data / "pretrained" / "tiny_autoencoder.py"
        spec = importlib.util.spec_from_file_location("tiny_autoencoder", path)
        assert spec is not None and spec.loader is not None
        self._module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._module)
        self._compiled: dict[tuple[str, int], Callable[[Floats], Floats]] = {}

    def encode(self, picture: Floats) -> Floats:
        """Encode a picture (1, 3, s, s) from 0 to 1 as latents (1, 32, s / 8, s / 8)."""
        return self._half("encode", picture, knows_bfloat16())(picture)

    def decode(self, latents: Floats) -> Floats:
        """Decode latents to a picture; shapes as in :meth:`encode`."""
        return self._half("decode", latents, False)(latents)

    def _half(self, name: str, example: Floats, bfloat16: bool) -> Callable[[Floats], Floats]:
        key = name, example.shape[-1]
        if key not in self._compiled:
            steps = {"encode": self._module._ENCODER, "decode": self._module._DECODER}[name]
            half = _Half(lambda x: self._module._run(x, f"{name}r", steps))
            with torch.no_grad():
                self._module.encode(torch.zeros(1, 3, 16, 16))  # loads the weights
                model = compiled(half, torch.from_numpy(example), bfloat16)
            self._compiled[key] = lambda x: model([x])[0]
        return self._compiled[key]


class _Half(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._function = function

    def forward(self, x: Tensor) -> Tensor:
        return self._function(x)


def twin_pair(patch: Patch, number: int, module: Autoencoder) -> tuple[list[Sample], Draw]:
    """Return samples of an unmanipulated head and its twin, and a function that makes their crops."""

    def draw() -> list[Image]:
        rng = np.random.default_rng(seed_of(patch, "twin"))
        square = square_of(patch, HEAD, rng)
        side = int(rng.choice(_SIDES))
        original = crop_square(decode_jpeg(patch.data), square, side)
        twin = reconstructed(original, rng, module)
        seed = int(rng.integers(2**31))
        return [handed_on(image, np.random.default_rng(seed)) for image in (original, twin)]

    return [sample_of(patch, variant, number) for variant in ("original", "twin")], draw


def reconstructed(image: Image, rng: np.random.Generator, module: Autoencoder) -> Image:
    """Pass ``image`` (RGB, sides multiples of 8 px) through the autoencoder once or twice."""
    noise = float(rng.uniform(0, _NOISE)) if rng.random() < _NOISY else 0.0
    passes = 2 if rng.random() < _TWICE else 1
    x = image.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    for _ in range(passes):
        latents = module.encode(x)
        if noise:
            noise_sample = rng.standard_normal(latents.shape).astype(np.float32)
            latents = latents + np.float32(noise * latents.std()) * noise_sample
        x = module.decode(latents).clip(0, 1).astype(np.float32).astype(np.float32).astype(np.float32)
    out: Image = (x[0].transpose(1, 2, 0) * 255).round().astype(np.uint8)
    return out


def handed_on(image: Image, rng: np.random.Generator) -> Image:
    """Compress ``image`` at random, scale it to the network's size, and mirror half of the images."""
    codec_draw = rng.random()
    if rng.random() < 0.4:
        side = int(image.shape[0] * rng.uniform(0.5, 1.0)) // 2 * 2
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    if codec_draw < _JPEG:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 99))]
        data = cv2.imencode(".jpg", np.ascontiguousarray(image), quality)[1]
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    elif codec_draw < _JPEG + _H264:
        image = degrade_h264(image, rng)
    enlargement = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
    interpolation = cv2.INTER_AREA if image.shape[0] > SIZE else enlargement
    image = cv2.resize(image, (SIZE, SIZE), interpolation=interpolation)
    return np.ascontiguousarray(image[:, ::-1] if rng.random() < 0.5 else image)
