"""What heatmaps of three peak frames and their checks take, first in a process and then again, as JSON.

``python -m tests.bench_explanations [CLIP]``: of a portrait, or of the largest face in the middle of a clip.
``tests.bench`` runs it in a process of its own, where nothing is imported or compiled yet.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from detector.demo_clip import portraits
from detector.explain.heatmaps import explain
from detector.faces.crop import roll
from detector.faces.detections import Detection
from detector.faces.patch import cut_patch
from detector.faces.search.networks import FaceDetector
from detector.faces.windows import cut_windows
from detector.media.frame import Image
from detector.media.open import open_media
from detector.models.loaded import load_model
from detector.scoring.fused_scorer import BothNetworks, FusedScorer
from detector.scoring.moments import AS_IT_IS, KeptMoment, crop_in_view
from detector.scoring.scorer import Scorer
from detector.scoring.second_look import PersonLooker

_PEAKS = 3


def main() -> None:
    """Print the seconds of processor time, and how many crops were explained."""
    image = _middle_frame(Path(sys.argv[1])) if len(sys.argv) > 1 else portraits()[0]
    face = max(FaceDetector()(image), key=lambda face: face.width)
    model = load_model()
    networks = BothNetworks.of(Scorer(model.alone), model)
    moment = KeptMoment(0, 0.0, 0, cut_patch(image, face.box), roll(face), cut_windows(image, face.box))
    rows = np.zeros(1, [("track", np.int32), ("time", float), ("logit", float)])
    rows["logit"] = networks.scan.logits([crop_in_view(moment, AS_IT_IS, 0, networks.scan.card.input.size)])
    look = PersonLooker(networks, alternate_heads=False).look([0], rows, [moment], 1)
    assert look is not None
    scorer = FusedScorer(networks, [look])
    peak = Detection(0, 0.0, 0, 0, True, face.box, roll(face), 0.0, 0.0)

    def explained() -> float:
        started = time.process_time()
        for _ in range(_PEAKS):
            explain(scorer, scorer.explainable(image, peak), "A1-1", face.box, 0)
        return time.process_time() - started

    first, again = explained(), min(explained() for _ in range(2))
    crops = len(scorer.explainable(image, peak).deciding)
    print(json.dumps({"first": first, "again": again, "crops": crops}))


def _middle_frame(path: Path) -> Image:
    with open_media(path) as reader:
        frames = list(reader.frames(4))
    return frames[len(frames) // 2].image


if __name__ == "__main__":
    main()
