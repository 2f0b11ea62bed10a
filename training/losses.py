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
    """Examples in the form the network takes; labels are 1.0 for manipulated.

    ``crops`` are (n, 3, size, size), normalised. ``where`` (n, h, w) maps the blended places
    (``crop_examples.Examples``). In a batch of sequences ``crops`` holds the frames of all sequences, one
    after the other, and ``present`` (b, t) assigns them. A ``featured`` batch has features (n, d) instead.
    """

    crops: Tensor
    labels: Tensor
    where: Tensor | None = None
    present: Tensor | None = None
    featured: bool = False

    def to(self, device: torch.device) -> Batch:
        where = None if self.where is None else self.where.to(device)
        present = None if self.present is None else self.present.to(device)
        return Batch(self.crops.to(device), self.labels.to(device), where, present, self.featured)

    def forward(self, network: Network) -> Tensor:
        """Return one logit per example."""
        if self.featured:
            assert isinstance(network, FeatureNetwork)
            return network.judge(self.crops)
        if self.present is None:
            logits: Tensor = network(self.crops)
            return logits
        if not isinstance(network, SequenceNetwork):
            raise ParameterError(f"{type(network).__name__} takes single faces: remove [sequences].")
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
    """Compute weighted binary cross-entropy with smoothed labels, plus the further losses of the recipe.

    ``soft_targets`` (n,) are a teacher's probabilities. Nothing here synchronises with the device.
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
        # Distillation (Hinton et al., 2015): half of the loss is agreement with the teacher.
        loss = (loss + nn.functional.binary_cross_entropy_with_logits(logits, soft_targets)) / 2
    return loss


def question_loss(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Compute cross-entropy of logits (n, questions) over the questions that apply to each example.

    ``targets`` (n, questions) are 0 and 1, moved towards each other by ``smoothing`` (half of a recipe's
    ``label_smoothing``), and negative where a question does not apply (``NOT_ASKED`` in
    :mod:`training.second_look.examples.patches`).
    """
    applies = (targets >= 0).float()
    smooth = targets.clamp(min=0) * (1 - 2 * smoothing) + smoothing
    losses = nn.functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
    return (losses * applies).sum() / applies.sum().clamp(min=1)


def local_contrast(local: Tensor, where: Tensor) -> Tensor:
    """Compute a loss by which blended places score above an example's own mean, and the others below.

    ``local`` and ``where`` are (n, h, w), see ``crop_examples.Examples``. The mean itself, and with it the
    example's logit, is unaffected. Examples blended nowhere, everywhere or at unknown places do not count.
    """
    inside, outside = where > 0.5, (where >= 0) & (where < 0.1)
    partly = (inside.any(dim=2).any(dim=1) & outside.any(dim=2).any(dim=1))[:, None, None]
    above = local - local.mean(dim=(1, 2), keepdim=True)

    def mean(values: Tensor, mask: Tensor) -> Tensor:
        # Indexing by the mask would make a GPU wait for the count.
        return (values * mask).sum() / mask.sum().clamp(min=1)

    softplus = nn.functional.softplus
    return mean(softplus(-above), inside & partly) + mean(softplus(above), outside & partly)
