"""Train the scan's network on the patches of the second look, and publish it as a model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from sklearn.metrics import roc_auc_score
from torch import Tensor

from detector.faces.crop import INNER
from detector.files import write_atomically
from detector.media.frame import Image
from detector.models.card import Card
from detector.models.loaded import LoadedModel
from detector.networks.efficientnet import EfficientNetLite0
from detector.networks.vit_small_14 import FramingNetwork
from detector.schema.causes.cards import CardCode
from detector.statistics.metrics import fit_temperature
from training.data.research_faces import Sample
from training.model_card import sentences, write_card
from training.publish import interpolate_weights, to_half_precision
from training.published_rates import VALIDATED, range_cause
from training.second_look.examples.patches import Patch
from training.second_look.examples.sampling import SHARES, WithBlends
from training.second_look.fitting.patch_scores import (
    WHILE_TRAINING,
    by_clip,
    clip_aucs,
    every_nth_frame,
    logits,
)
from training.second_look.runs import Figures, TrainingExample
from training.second_look.ship import CLIPS, CROPS, STILLS

SCAN_SHARES = {kind: share for kind, share in SHARES.items() if kind[1] == INNER} | {
    ("ffpp", INNER): 0.30,
    ("dfdc", INNER): 0.24,
    ("talking", INNER): 0.07,
    ("stills", INNER): 0.03,
}
BLENDS = 0.2  # of the examples
TITLE = "Reelproof, fourth generation"
DATA = (
    *CROPS,
    CLIPS,
    STILLS,
    "Blends of unmanipulated faces: of the crops above, of 1,934 faces of photographs and of 920 frames of "
    "22 clips of people talking",
)
DOMAIN = CardCode.SCAN_DOMAIN.cause()
LIMITS = (
    CardCode.UNSEEN_METHODS.cause(),
    CardCode.GENERATED_FACES_LESS_SURELY.cause(),
    CardCode.DFDC_LESS_WELL.cause(),
    CardCode.INNER_FACE_ALONE.cause(),
    CardCode.DFDC_ACTORS_RECUR.cause(),
    CardCode.FEW_STRONGLY_COMPRESSED.cause(),
    CardCode.ALIKE_MANIPULATION.cause(),
)
_RANGES = {
    "face width": range_cause(CardCode.SCAN_RANGE_WIDTH),
    "contrast": range_cause(CardCode.SCAN_RANGE_CONTRAST),
    "sharpness": range_cause(CardCode.SCAN_RANGE_SHARPNESS),
    "shorter side": range_cause(CardCode.SCAN_RANGE_SIDE),
    "bits per pixel": {"least": 0.0036, "most": 0.56, **range_cause(CardCode.SCAN_RANGE_BITS)},
    "JPEG quality": range_cause(CardCode.SCAN_RANGE_JPEG),
}
VALIDATED_WITH_SECOND_LOOK = tuple(one.model_copy(update=_RANGES.get(one.name, {})) for one in VALIDATED)
"""The ranges of the second generation's card, with those of the second look's clips."""
_FROZEN = 2  # stages


class ScanNetwork(EfficientNetLite0, FramingNetwork):
    """The scan's network for the trainer: one framing, one head; the first stages are frozen."""

    architecture = "efficientnet_lite0"
    size = 128
    mean = std = (0.5, 0.5, 0.5)

    @classmethod
    def from_model(cls, model: LoadedModel, reserve: float) -> Self:
        """Create it with the weights of ``model``, restoring the ``reserve`` subtracted from its logits."""
        network = cls()
        network.load_state_dict(model.network.state_dict())
        with torch.no_grad():
            network.backbone.classifier.bias += reserve
        return network.to(memory_format=torch.channels_last)  # an eighth faster on a processor

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.freeze_stages(_FROZEN)
        return self

    def of_reading(self, logits: Tensor, reading: Tensor) -> Tensor:
        return logits[:, None]


@dataclass(frozen=True)
class _OneQuestion:
    """An example with a single question: manipulated, in whatever way?"""

    example: TrainingExample

    @property
    def framing(self) -> int:
        return self.example.framing

    @property
    def targets(self) -> tuple[int, ...]:
        return (max(self.example.targets),)

    def crop(self, size: int) -> Image:
        return self.example.crop(size)

    @property
    def where(self) -> NDArray[np.float32] | None:
        return self.example.where


class ScanSource:
    """Examples of patches and blends with a single question: the inner face at 128 px, one logit."""

    def __init__(self, patches: Sequence[Patch], samples: list[Sample], seed: int) -> None:
        self._both = WithBlends(patches, samples, ScanNetwork.size, seed, SCAN_SHARES, BLENDS)

    def batch(self, rng: np.random.Generator, count: int) -> list[TrainingExample]:
        """Draw ``count`` examples."""
        return [_OneQuestion(example) for example in self._both.batch(rng, count)]


def measure(
    develop: Sequence[Patch], crops: Mapping[str, Sequence[Patch]], network: FramingNetwork
) -> tuple[float, Figures]:
    """Return the mean AUC over develop clips and each set of validation crops, and all figures."""
    patches = every_nth_frame(develop, WHILE_TRAINING)
    clips = by_clip(patches, logits(network, patches, INNER))
    figures = clip_aucs(clips, clips.scores[:, 0])
    for name, some in crops.items():
        given = logits(network, some, INNER)[:, 0]
        figures[name] = round(float(roc_auc_score([patch.fake for patch in some], given)), 3)
    return float(np.mean([figures[name] for name in ("all", *crops)])), figures


def interpolate_scan(first: ScanNetwork, last: Path, share: float) -> dict[str, Tensor]:
    """Interpolate from ``first`` towards a checkpoint (WiSE-FT, Wortsman et al., CVPR 2022)."""
    start = first.state_dict()
    end = torch.load(last, map_location="cpu", weights_only=True)
    return interpolate_weights(start, end, share)


def publish_scan(
    state: dict[str, Tensor],
    before: Card,
    validation: Sequence[Patch],
    recipe: Sequence[str],
    folder: Path,
    reserve: float = 0.0,
) -> Card:
    """Write ``state`` as a new version of the model ``before``, with a temperature fitted on ``validation``.

    Then ``reserve`` is subtracted from every logit, so that few unmanipulated clips reach the thresholds.
    ``detector calibrate`` and ``detector evaluate`` add the calibration of segments and the figures.
    """
    halves = to_half_precision(state)
    network = ScanNetwork()
    network.load_state_dict({n: v.float() if v.is_floating_point() else v for n, v in halves.items()})
    given = logits(network, validation, INNER)[:, 0].astype(np.float64)
    labels = np.array([patch.fake for patch in validation], np.float64)
    halves["backbone.classifier.bias"] -= reserve
    weights = save(halves)
    card = before.model_copy(
        update={
            "sha256": hashlib.sha256(weights).hexdigest(),
            "temperature": round(fit_temperature(labels, given), 4),
            "segment": None,
            "exhibit": None,
            "second_look": None,
            "figures": {},
            "rates": (),
            "title": TITLE,
            "data": DATA,
            **sentences(DOMAIN, LIMITS),
            "recipe": tuple(recipe),
            "validated": VALIDATED_WITH_SECOND_LOOK,
        }
    )
    write_atomically(folder / f"{card.name}.safetensors", weights)
    write_card(card, folder)
    return card
