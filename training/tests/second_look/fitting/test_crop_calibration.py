"""The calibration of the scan for ready-made crops."""

from __future__ import annotations

import numpy as np

from training.second_look.fitting.photographs import fit_crop_calibration


def test_the_calibration_of_crops_counts_sets_and_classes_alike() -> None:
    rng, sets = np.random.default_rng(0), []
    for count, share, at in ((2000, 0.8, -3.0), (200, 0.5, 1.0)):
        fake = rng.random(count) < share
        sets.append((rng.normal(at, 0.5, count) + 4 * fake, fake))
    platt = fit_crop_calibration(sets)
    assert platt.scale > 0
    for logits, fake in sets:
        probability = 1 / (1 + np.exp(-(platt.scale * logits + platt.offset)))
        assert probability[fake].mean() > probability[~fake].mean() + 0.2
    balanced = [
        np.mean([(platt.scale * logits[fake == side] + platt.offset > 0).mean() for side in (False, True)])
        for logits, fake in sets
    ]
    assert abs(np.mean(balanced) - 0.5) < 0.15
