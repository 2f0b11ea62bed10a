"""Training batches and the losses computed on them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from detector.errors import ParameterError
from detector.networks.base import FeatureNetwork, Network, SequenceNetwork
from training.recipe import Config


@dataclass(frozen=True)
class Batch:
    """Examples as the network wants them; labels are 1.0 for manipulated.

    ``crops`` are (n, 3, size, size), normalised. ``where`` (n, h, w) says where each was
    blended, see ``crop_examples.Examples``. In a batch of sequences ``crops`` holds the frames
    of all, one after the other, and ``present`` (b, t) says where they belong. A
    ``featured`` batch has features (n, d) in their place.
    """

    crops: Tensor
    labels: Tensor
    where: Tensor | None = None
    present: Tensor | None = None
    featured: bool = False

    def to(self, device: torch.device) -> Batch:
        moved = [
            None if value is None else value.to(device)
            for value in (self.crops, self.labels, self.where, self.present)
        ]
        assert moved[0] is not None and moved[1] is not None
        return Batch(moved[0], moved[1], moved[2], moved[3], self.featured)

    def forward(self, network: Network) -> Tensor:
        """Logits, one an example."""
        if self.featured:
            assert isinstance(network, FeatureNetwork)
            return network.judge(self.crops)
        if self.present is None:
            logits: Tensor = network(self.crops)
            return logits
        if not isinstance(network, SequenceNetwork):
            raise ParameterError(f"{type(network).__name__} judges single faces: give it no [sequences]")
        if self.present.shape[1] > network.window:
            raise ParameterError(
                f"{type(network).__name__} reads at most {network.window} frames at once, not "
                f"{self.present.shape[1]}: lower longest in [sequences], or frames in [set]."
            )
        features = network.features(self.crops)
        padded = features.new_zeros(*self.present.shape, features.shape[1])
        padded[self.present] = features
        return network.judge(padded, self.present)


def loss_of(network: Network, batch: Batch, config: Config, soft_targets: Tensor | None) -> Tensor:
    """Weighted binary cross-entropy with smoothed labels, and what else the recipe asks for.

    ``soft_targets`` (n,) are a teacher's probabilities. Nothing here waits for the device.
    """
    if config.local_weight:
        logits, local = network.forward_local(batch.crops)
    else:
        logits, local = batch.forward(network), None
    logits = logits.float()
    targets = batch.labels * (1 - config.label_smoothing) + config.label_smoothing / 2
    loss = nn.functional.binary_cross_entropy_with_logits(
        logits, targets, pos_weight=torch.full((), config.fake_weight, device=logits.device)
    )
    if local is not None and batch.where is not None:
        loss = loss + config.local_weight * local_contrast(local.float(), batch.where)
    if soft_targets is not None:
        # Distillation (Hinton et al., 2015): half of the loss is against them.
        loss = (loss + nn.functional.binary_cross_entropy_with_logits(logits, soft_targets)) / 2
    return loss


def question_loss(given: Tensor, wanted: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy of logits ``given`` (n, questions) over the questions that are asked of each example.

    Their targets ``wanted`` (n, questions) are 0 and 1, moved towards each other by ``smoothing``, half of a
    recipe's ``label_smoothing``; targets of questions that are not asked are negative
    (:mod:`training.second_look.examples.patches`).
    """
    asked = (wanted >= 0).float()
    smooth = wanted.clamp(min=0) * (1 - 2 * smoothing) + smoothing
    each = nn.functional.binary_cross_entropy_with_logits(given, smooth, reduction="none")
    return (each * asked).sum() / asked.sum().clamp(min=1)


def local_contrast(local: Tensor, where: Tensor) -> Tensor:
    """Loss that asks blended places to score above an example's own mean, and the others below.

    ``local`` and ``where`` are (n, h, w), see ``crop_examples.Examples``. The mean itself, and
    with it the example's logit, is left alone. Examples that are blended nowhere,
    everywhere or nobody knows where do not count.
    """
    inside, outside = where > 0.5, (where >= 0) & (where < 0.1)
    partly = (inside.any(dim=2).any(dim=1) & outside.any(dim=2).any(dim=1))[:, None, None]
    above = local - local.mean(dim=(1, 2), keepdim=True)
    return _mean_of(nn.functional.softplus(-above), inside & partly) + _mean_of(
        nn.functional.softplus(above), outside & partly
    )


def _mean_of(values: Tensor, chosen: Tensor) -> Tensor:
    """The mean of the ``chosen``, 0 of none; picking them out would wait for a GPU to count them."""
    return (values * chosen).sum() / chosen.sum().clamp(min=1)
