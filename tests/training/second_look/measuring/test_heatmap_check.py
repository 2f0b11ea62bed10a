"""Which faces the second look's heatmaps are checked on, and what is said of them."""

from __future__ import annotations

import numpy as np
from second_look_cases import patch

from training.second_look.measuring.heatmap_checks import LogitDrops, middle_patches


def test_one_face_of_each_manipulated_develop_clip_from_its_middle() -> None:
    develop = [patch(i, fake, role="develop", frame=n) for i in range(2) for fake in (0, 1) for n in range(5)]
    chosen = middle_patches([*develop, patch(9, True)])
    assert [(p.file, p.frame) for p in chosen] == [("0-1.mp4", 2), ("1-1.mp4", 2)]


def test_falls_are_told_with_the_share_that_is_larger() -> None:
    told = str(LogitDrops(np.array([1.0, 0.5, 0.0]), np.array([0.25, 0.0, 0.5])))
    assert told == (
        "3 maps: the logit falls by 0.50 without the hottest part, by 0.25 without others; by more in 67%"
    )
