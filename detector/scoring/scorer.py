"""Run a network on batches of crops: uint8 squares in, logits and calibrated probabilities out."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from detector.backends import selection as backends
from detector.backends.explaining import ExplainedNetwork, network_to_explain
from detector.faces.crop import SIDE_PER_BOX, CropSquare, Face, crop_square, roll, square_for_box
from detector.faces.detections import Detection
from detector.media.frame import Image
from detector.models.card import Card
from detector.models.loaded import LoadedModel
from detector.schema.analysis import Box, Platt, SecondLook
from detector.schema.scores import logit_of, sigmoid
from detector.scoring.fusion import Explainable, Floats, SeenCrop

if TYPE_CHECKING:
    import torch

    from detector.networks.base import Network, SequenceNetwork


FloatArray = NDArray[np.float64]

_WINDOWS = 256  # windows judged at once
QUALITY_SIZE = 128
"""px; of the crops for which the thresholds of quality were measured."""


class FusedLogits(NamedTuple):
    """The logits of n faces by a scorer that decides."""

    logit: FloatArray
    """The logits (n,) that decide."""
    altered: FloatArray
    """Those of both answers of a second look (n,): ``logit`` is the larger; no numbers without one."""
    synthesised: FloatArray


class Scorer:
    """A loaded model on the fastest available back end; its card defines the preprocessing.

    ``backend`` names another (:func:`detector.backends.selection.open_backend`); a torch ``device`` selects
    torch. With ``still``, the scores of a crop and its mirror image are averaged, because a photo has no
    other frames to average out chance; sequence networks do not do this. ``codec`` is FFmpeg's name of a
    video's codec.
    """

    def __init__(
        self,
        model: LoadedModel,
        device: torch.device | None = None,
        still: bool = False,
        backend: str | None = None,
        codec: str = "",
    ) -> None:
        self.card = model.card
        self.is_sequence = model.is_sequence
        self.loaded = model
        self._device = device
        self.still = still
        self.codec = codec
        self.requested_backend = "torch" if device is not None else backend
        self.backend: backends.Backend
        if device is None:
            self.backend = backends.open_backend(model, backend)
        else:
            from detector.backends.torch import Torch

            self.backend = Torch(model, device)

    @property
    def quality_size(self) -> int:
        """The crop size at which quality decides whether a face is judged.

        For ONNX files it is that of the shipped networks, for which the thresholds were measured, so that all
        models of an analysis judge the same faces.
        """
        return QUALITY_SIZE if self.card.onnx else self.card.input.size

    def square(self, box: Box, roll: float) -> CropSquare:
        """Return the square that the network sees of a face in ``box`` with this roll in degrees."""
        if self.card.onnx is None:
            return square_for_box(box, roll)
        framing = self.card.onnx.framing
        return square_for_box(box, roll, framing.box, framing.below, framing.upright)

    def crop_of(self, image: Image, face: Face, crop: Image) -> Image:
        """Return the crop of ``face`` that the network sees; ``crop`` is the crop used for quality."""
        size = self.card.input.size
        if self.card.onnx is None and crop.shape[0] == size:
            return crop
        return crop_square(image, self.square(face.box, roll(face)), size)

    @cached_property
    def stills(self) -> Scorer:
        """The same model for photos and single crops."""
        other = copy.copy(self)
        other.still = True
        return other

    @cached_property
    def device(self) -> torch.device:
        """The device of :attr:`network`."""
        from detector.backends.torch import choose_device

        return self._device or choose_device()

    @cached_property
    def network(self) -> Network:
        """The torch network, for gradients."""
        return self.loaded.network.to(self.device)

    def tensor(self, crops: Sequence[Image]) -> torch.Tensor:
        """Convert crops (size, size, 3) to a normalised tensor (n, 3, size, size) for :attr:`network`."""
        from detector.backends.torch import prepare_images

        return prepare_images(crops, self.card.input, self.device)

    def logits(self, crops: Sequence[Image]) -> NDArray[np.float64]:
        """Compute one logit for each crop independently; an empty sequence gives an empty array."""
        if not crops:
            return np.empty(0)
        out = self._run(crops)
        return self._judged(out, np.arange(len(out))[:, None]) if self.is_sequence else out.astype(np.float64)

    def features(self, crops: Sequence[Image]) -> list[NDArray[np.float32]]:
        """Compute what :meth:`track_logits` needs of each crop: features (d,), or the logit (1,)."""
        if not crops:
            return []
        out = self._run(crops)
        return list(out if self.is_sequence else out[:, None])

    def track_logits(
        self, features: Sequence[NDArray[np.float32]] | NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Compute one logit for each frame of a track from the features of its usable frames, in order of
        time.

        A sequence network judges each frame by a window of frames around it, shorter at the track's ends.
        Windows are processed some hundreds at a time, so memory does not grow with the track.
        """
        if not len(features):
            return np.empty(0)
        if not self.is_sequence:
            return np.concatenate(features).astype(np.float64)
        count = len(features)
        span = min(cast("SequenceNetwork", self.network).window, count)
        starts = np.clip(np.arange(count) - span // 2, 0, count - span)
        return self._judged(np.asarray(features), starts[:, None] + np.arange(span))

    def _judged(self, features: NDArray[np.float32], windows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Compute the logits (w,) of windows (w, t), given as indices of features (n, d)."""
        import torch

        network = cast("SequenceNetwork", self.network)
        tensor = torch.from_numpy(features).to(self.device)
        logits = []
        with torch.inference_mode():
            for batch in torch.from_numpy(windows).to(self.device).split(_WINDOWS):
                present = torch.ones(batch.shape, dtype=torch.bool, device=self.device)
                logits.append(network.judge(tensor[batch], present).double().cpu())
        return torch.cat(logits).numpy()

    def _run(self, crops: Sequence[Image]) -> NDArray[np.float32]:
        stacked = np.stack(crops)
        out = self.backend.run(stacked)
        if self.still and not self.is_sequence:
            out = (out + self.backend.run(stacked[:, :, ::-1])) * np.float32(0.5)
        return out

    def probability(self, logit: float) -> float:
        """Return the calibrated probability of frames (temperature scaling, Guo et al., 2017)."""
        return sigmoid(logit / self.card.temperature)

    def frame_logit(self, probability: float) -> float:
        """Return the frame logit with this calibrated probability: the inverse of :meth:`probability`."""
        return logit_of(probability) * self.card.temperature

    def segment_probability(self, mean_logit: float) -> float:
        """Return the calibrated probability of a segment from the mean logit of its frames."""
        return self._of_mean(mean_logit, self.card.segment)

    def person_probability(self, mean_logit: float) -> float:
        """Return the probability of a person from the logit of the strongest segment or of all frames.

        It is calibrated on exhibits.
        """
        return self._of_mean(mean_logit, self.card.exhibit)

    def fuse(self, track: NDArray[np.int32], time: FloatArray, logits: FloatArray) -> FusedLogits:
        """Return the deciding logits at ``time`` of ``track``: this network's own ``logits`` (n,)."""
        unknown = np.full(len(logits), np.nan)
        return FusedLogits(logits, unknown, unknown)

    def second_look_of(self, track: int) -> SecondLook | None:
        """Return the second look's result for the person of ``track``: none."""
        return None

    def explainable(self, image: Image, peak: Detection) -> Explainable:
        """Return the crop of ``peak`` in its ``image`` (RGB) and the network that explains its score."""
        square = self.square(peak.box, peak.roll)
        crop = crop_square(image, square, self.card.input.size)
        network: Network | ExplainedNetwork | None = None
        if not self.card.onnx:
            network = self.network if self._device is not None else network_to_explain(self.loaded)
        logit = float(self.logits([crop])[0])
        return Explainable(
            square,
            (SeenCrop(crop, network, self.card.input),),
            logit,
            lambda changed: self.logits(changed[0]),
        )

    def _of_mean(self, mean_logit: float, platt: Platt | None) -> float:
        if platt is None:
            return self.probability(mean_logit)
        return sigmoid(platt.scale * mean_logit + platt.offset)


def run_in_batches(backend: backends.Backend, crops: Sequence[Image], batch: int) -> FloatArray:
    """Run ``backend`` on ``crops`` (n, ...) in batches."""
    pieces = [np.stack(crops[i : i + batch]) for i in range(0, len(crops), batch)]
    out: FloatArray = np.concatenate([backend.run(piece) for piece in pieces]).astype(np.float64)
    return out


# The framing in whole frames is slightly tighter than that of the DFDC crops (crop.SIDE_PER_BOX).
CROP_SCALE = 0.96


def framed_crop(image: Image, size: int, scale: float = CROP_SCALE) -> Image:
    """Return the central square of a ready-made crop at the framing's scale."""
    height, width = image.shape[:2]
    return crop_square(image, CropSquare(width / 2, height / 2, min(height, width) * scale, 0.0), size)


def crop_for(image: Image, card: Card) -> Image:
    """Return the part of a crop that the network of ``card`` sees, at most the whole crop."""
    scale = CROP_SCALE
    if card.onnx:
        scale = min(1.0, card.onnx.framing.box * CROP_SCALE / SIDE_PER_BOX)
    return framed_crop(image, card.input.size, scale)


class CropScorer:
    """Scores ready-made crops with ``model``."""

    def __init__(self, model: LoadedModel) -> None:
        self._scan = Scorer(model.alone, still=True)
        second = model.card.second_look
        self._calibration = second.crops if second is not None else None

    def probabilities(self, images: Sequence[Image]) -> list[float]:
        """Return the probability of manipulation of each crop; ``images`` (h, w, 3) are RGB."""
        logits = self.logits(images).tolist() if images else []
        own = self._calibration
        if own is None:
            return [self._scan.probability(logit) for logit in logits]
        return [sigmoid(own.scale * logit + own.offset) for logit in logits]

    def logits(self, images: Sequence[Image]) -> Floats:
        """Return the scan's uncalibrated logits (n,)."""
        return self._scan.logits([crop_for(image, self._scan.card) for image in images])
