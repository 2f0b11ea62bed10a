"""Figures over clips, made from scores of patches."""

from __future__ import annotations

import numpy as np
import pytest
from second_look_cases import patch

from training.second_look.fitting.patch_scores import by_clip, clip_aucs, every_nth_frame


def test_clips_are_means_of_their_frames_and_figures_go_by_family() -> None:
    patches = [patch(i, fake, frame=n) for i in range(3) for fake in (False, True) for n in range(4)]
    scores = np.array([[p.fake + 0.1 * p.frame] for p in patches])
    clips = by_clip(patches, scores)
    assert clips.scores[:, 0] == pytest.approx([0.15, 1.15] * 3)
    assert clip_aucs(clips, clips.scores[:, 0]) == {"all": 1.0, "swaps": 1.0, "FaceForensics++": 1.0}
    assert [p.frame for p in every_nth_frame(patches, 2)] == [1, 3] * 6
