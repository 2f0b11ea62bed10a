"""Attacked clips: every face is changed within the budget, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skimage.data import astronaut

from detector.faces.search.networks import FaceDetector
from detector.models.loaded import LoadedModel
from detector.scoring.scorer import Scorer
from training.second_look.measuring.adversarial import ATTACKS, attack_frame, balanced_clips


def test_a_face_of_a_frame_is_attacked_within_the_budget_and_the_rest_is_left(model: LoadedModel) -> None:
    frame = np.asarray(astronaut())
    scorer = Scorer(model.alone)
    changed = attack_frame(scorer, FaceDetector(0.5), frame, False, ATTACKS[1])
    apart = np.abs(changed.astype(int) - frame)
    assert apart.max() == ATTACKS[1].budget
    assert apart[60:160, 180:270].mean() > 1  # the face
    assert not apart[300:].any()


def test_half_of_the_clips_are_manipulated_and_come_from_the_whole_list() -> None:
    clips = [(Path(str(number)), number % 3 == 0) for number in range(30)]
    chosen = balanced_clips(clips, 6)
    assert [fake for _, fake in chosen] == [True] * 3 + [False] * 3
    assert [clip.name for clip, _ in chosen[:3]] == ["0", "9", "18"]
