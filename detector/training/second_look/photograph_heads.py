"""Fit the linear heads for photographs on the finished transformer's features of whole heads.

Like the inner face's they are logistic regressions; no block is tuned for them. Examples are the stills of
role ``train``, each as it is and once more as a platform would hand it on, and one frame of each training
clip, so that a picture taken from a video is known as well.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from detector.faces.framing import HEAD
from detector.media.frame import Image
from detector.networks.readings import PHOTOGRAPH, outputs_of
from detector.networks.vit_small_14 import ViTSmall14
from detector.progress import ReportText
from detector.training.second_look.examples.crops import plain_crop, resaved_crop
from detector.training.second_look.examples.kinds import targets
from detector.training.second_look.examples.patches import Patch, require_training
from detector.training.second_look.features import features_of
from detector.training.second_look.linear_heads import fit_linear_heads

_FRAME = 3  # which of a clip's patches is taken: the first may be a title's


@dataclass(frozen=True)
class PhotographPatch:
    """A patch of role ``train`` as it is, or saved once more; raises ``RoleError`` for another role."""

    patch: Patch
    resaved: bool = False

    def __post_init__(self) -> None:
        require_training([self.patch], None)

    @property
    def targets(self) -> tuple[int, ...]:
        return targets(self.patch.generator, self.patch.fake)

    def crop(self, size: int) -> Image:
        """The whole head; what is drawn follows from the file's name alone."""
        if not self.resaved:
            return plain_crop(self.patch, HEAD, size)
        seed = zlib.crc32(f"{self.patch.source}/{self.patch.file}/{self.patch.frame}/0".encode())
        return resaved_crop(self.patch, HEAD, size, np.random.default_rng(seed))


def photograph_examples(patches: Iterable[Patch]) -> list[PhotographPatch]:
    """Pictures made of ``patches``, all of role ``train``: of stills and clips."""
    stills, frames = [], defaultdict[str, list[Patch]](list)
    for patch in patches:
        if patch.source == "stills":
            stills.append(patch)
        elif patch.source in {"clips", "videos"}:
            frames[patch.file].append(patch)
    saved = (False, True)
    return [PhotographPatch(patch, resaved) for resaved in saved for patch in stills] + [
        PhotographPatch(of_file[min(_FRAME, len(of_file) - 1)]) for of_file in frames.values()
    ]


def fit_photograph_heads(
    network: ViTSmall14, pictures: Sequence[PhotographPatch], report: ReportText
) -> None:
    """Set the heads of ``network`` for photographs, which say nothing yet; its other heads stay."""
    features = features_of(network, (picture.crop(network.size) for picture in pictures), report)
    wanted = np.array([picture.targets for picture in pictures], np.float32)
    fit_linear_heads(network, features, np.full(len(pictures), PHOTOGRAPH), wanted)


def without_photograph_heads(network: ViTSmall14) -> None:
    """Let the heads for photographs say nothing, to fit them anew."""
    own = list(outputs_of(PHOTOGRAPH))
    with torch.no_grad():
        network.judge.weight[own] = 0.0
        network.judge.bias[own] = 0.0
