"""Hide parts of a face from the networks that judged it, and score what is left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.backends.explaining import PatchGraphs
from detector.faces.crop import CropSquare
from detector.media.frame import Image
from detector.scoring.fusion import DecidingCrop, Explainable, Floats

if TYPE_CHECKING:
    from detector.networks.base import Network


Mask = NDArray[np.float32]  # (size, size), 0 to 1
_AT_ONCE = 3  # copies without patches scored at once; larger batches do not fit into the cache


def hide(crop: Image, mask: Mask) -> Image:
    """Blur ``crop`` beyond recognition where ``mask`` (its height and width, 0 to 1) is 1.

    Training hides areas of both classes in the same way, so that hiding is not a trace in itself.
    """
    return hide_each(crop, [mask])[0]


def hide_each(crop: Image, masks: Iterable[Mask]) -> list[Image]:
    """Hide each of the masks in a copy of ``crop``; the blur, which is slowest, is computed once."""
    blurred = cv2.GaussianBlur(crop, (0, 0), crop.shape[0] / 12)
    return [_mixed(crop, blurred, mask) for mask in masks]


def _mixed(crop: Image, blurred: Image, mask: Mask) -> Image:
    size = crop.shape[0]
    weight = cv2.GaussianBlur(mask, (0, 0), size / 64)[..., None]
    return np.clip(blurred * weight + crop * (1 - weight) + 0.5, 0, 255).astype(np.uint8)


def logits_without(face: Explainable, masks: Sequence[Mask]) -> Floats:
    """Return the logits (n,) of ``face`` without each of ``masks``, which lie in its square.

    A transformer is asked without the patches there, as in masked autoencoders (He et al., 2022): nothing is
    painted over, so hiding leaves no trace. For other networks the area is blurred. If several networks
    decided, the area is hidden from all of them, wherever their squares overlap.
    """
    if face.fuse is None:
        return face.logits(_blurred_in(face, masks))
    return face.fuse([_answers_without(decider, face.square, masks) for decider in face.deciding])


def _blurred_in(face: Explainable, masks: Sequence[Mask]) -> list[list[Image]]:
    """Blur each of ``masks``, which may be larger than the crop, in a copy of each crop of ``face``."""
    copies = []
    for seen_crop in face.seen:
        size = seen_crop.crop.shape[:2]
        crop_masks = [
            cv2.resize(m, size, interpolation=cv2.INTER_AREA) if m.shape != size else m for m in masks
        ]
        copies.append(hide_each(seen_crop.crop, crop_masks))
    return copies


def _answers_without(decider: DecidingCrop, square: CropSquare, masks: Sequence[Mask]) -> Floats:
    """Return the logits (n, c) of one network without each of ``masks`` in ``square``."""
    crop, network = decider.seen.crop, decider.seen.network
    own = [moved(mask, square, decider.square, crop.shape[0]) for mask in masks]
    if network is None or not network.drops_patches:
        return decider.run(hide_each(crop, own))
    return patch_answers(decider, [hidden_patches(mask) for mask in own])


def moved(values: Mask, of: CropSquare, to: CropSquare, size: int) -> Mask:
    """Move ``values`` (s, s) in the square ``of`` to a crop of ``to`` with ``size`` px; 0 outside."""
    if of == to:
        smaller = size < values.shape[0]
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        return values if values.shape[0] == size else cv2.resize(values, (size, size), interpolation=how)
    forth = np.vstack([to.matrix(size), [0, 0, 1]])
    back = np.vstack([of.matrix(values.shape[0]), [0, 0, 1]])
    return cv2.warpAffine(values, (forth @ np.linalg.inv(back))[:2], (size, size), flags=cv2.INTER_LINEAR)


_PATCHES = 16  # patches of a transformer across and down


def hidden_patches(mask: Mask) -> NDArray[np.bool_]:
    """Return which patches (p²,) ``mask`` hides: as many as its area, the most covered ones."""
    coverage = cv2.resize(mask, (_PATCHES, _PATCHES), interpolation=cv2.INTER_AREA).ravel()
    count = min(round(float(coverage.sum())), coverage.size - _PATCHES)  # something must be left to see
    out = np.zeros(coverage.size, np.bool_)
    out[np.argsort(-coverage, kind="stable")[:count]] = True
    return out


def patch_answers(decider: DecidingCrop, hidden: Sequence[NDArray[np.bool_]]) -> Floats:
    """Return the logits (n, c) of a transformer without the ``hidden`` patches (p²,)."""
    assert decider.outputs is not None and decider.seen.output is not None
    column = decider.outputs.index(decider.seen.output)  # the answer to the other question keeps its value
    out = np.repeat(decider.answer, len(hidden), axis=0)
    if isinstance(decider.seen.network, PatchGraphs):
        changed = [number for number, mask in enumerate(hidden) if mask.any()]
        look = decider.seen.look
        logits = decider.seen.network.without(
            look.tokens, decider.seen.output, [hidden[number] for number in changed]
        )
        # The graphs may be rounded, the answer is not: only what hiding changes is theirs.
        out[changed, column] += logits - look.logit
        return out
    import torch

    network = cast("Network", decider.seen.network)
    with torch.inference_mode():
        by_count: dict[int, list[int]] = {}
        for number, mask in enumerate(hidden):
            by_count.setdefault(int(mask.sum()), []).append(number)
        for numbers in by_count.values():
            for first in range(0, len(numbers), _AT_ONCE):
                some = numbers[first : first + _AT_ONCE]
                kept = np.stack([np.append(0, 1 + np.flatnonzero(~hidden[number])) for number in some])
                changed_logits = network.score_patches(
                    decider.tokens[0][torch.from_numpy(kept)], (decider.seen.output,)
                )
                out[some, column] = changed_logits[:, decider.seen.output].double().cpu().numpy()
    return out
