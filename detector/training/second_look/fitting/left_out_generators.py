"""How well a generator is told that nothing here has learnt from.

The shipped network's upper blocks were tuned on examples of all generators, so leaving one out of its heads
would say little. Here the blocks are those of the pretrained start, which has seen no generator's name, and
linear heads on its features of whole heads are fitted without one generator at a time; as in what ships,
talking heads are learnt from clips alone. Its pictures and clips are then told from unmanipulated ones held
out: photographs of role ``val``, clips of role ``develop``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from detector.faces.framing import HEAD
from detector.files import atomic_path
from detector.networks.vit_small_14 import ViTSmall14
from detector.training.second_look.examples.crops import plain_crop
from detector.training.second_look.examples.kinds import PICTURE, TALKING_HEAD, targets
from detector.training.second_look.examples.patches import Patch, load, require_training
from detector.training.second_look.features import features_of
from detector.training.second_look.fitting.measuring import by_clip, every_nth_frame
from detector.training.second_look.linear_heads import linear_heads, standardised

PICTURES = ("stylegan1", "stylegan2", "flux", "photoshop")
CLIPS = (
    "float", "hunyuan", "edtalk", "aniportrait", "biodeep", "sadtalker", "fomm",
    "wav2lip", "hyperlips", "deepfacelive", "deepfakes", "faceswap", "face2face",
)  # fmt: skip
"""Parts of generators' names, in small letters; those that share one are left out together."""
_LEARNT_FRAMES, _TOLD_FRAMES = 6, 3  # every sixth and every third frame of a clip
_SYNTHESISED = (PICTURE, TALKING_HEAD)

Features = NDArray[np.float32]


@dataclass(frozen=True)
class Known:
    """Patches with their features (n, f)."""

    patches: Sequence[Patch]
    features: Features

    def of(self, chosen: Callable[[Patch], bool]) -> Known:
        """Those that are ``chosen``."""
        rows = [row for row, patch in enumerate(self.patches) if chosen(patch)]
        return Known([self.patches[row] for row in rows], self.features[rows])

    def __add__(self, other: Known) -> Known:
        return Known([*self.patches, *other.patches], np.concatenate([self.features, other.features]))


def measure_left_out(
    out: Path, network: ViTSmall14, folder: Path, report: Callable[[str], None]
) -> dict[str, tuple[float, int]]:
    """AUC of each generator when left out, and how many pictures or clips of it were told.

    Patches lie below ``out``; features are kept in ``folder``.
    """
    stills, clips = load(out, "stills"), [*load(out, "clips"), *load(out, "videos")]
    sets = {
        "train-stills": [p for p in stills if p.role == "train"],
        "train-clips": every_nth_frame([p for p in clips if p.role == "train"], _LEARNT_FRAMES),
        "val-stills": [p for p in stills if p.role == "val"],
        "develop-clips": every_nth_frame([p for p in clips if p.role == "develop"], _TOLD_FRAMES),
    }
    known = {name: _kept(folder / f"{name}.npy", network, some, report) for name, some in sets.items()}
    learnt = known["train-stills"] + known["train-clips"]
    require_training(learnt.patches, None)
    told = {}
    for names, held_out in ((PICTURES, known["val-stills"]), (CLIPS, known["develop-clips"])):
        for name in names:
            auc, count = left_out_auc(learnt, held_out, name)
            report(f"{name}: AUC {auc:.3f} over {count} of it")
            told[name] = auc, count
    return told


def left_out_auc(learnt: Known, held_out: Known, generator: str) -> tuple[float, int]:
    """AUC of all pictures or clips of ``generator``, none of which was learnt, against unmanipulated ones of
    ``held_out``; and how many there are of it. Of both heads, the one that is asked about its family."""

    def of_it(patch: Patch) -> bool:
        return patch.fake and generator in patch.generator.lower()

    others, mine = learnt.of(lambda patch: not of_it(patch)), (learnt + held_out).of(of_it)
    family = mine.patches[0].family
    asked = int(family in _SYNTHESISED)
    if family == TALKING_HEAD:
        others = others.of(lambda patch: patch.source != "stills")
    centre, spread = others.features.mean(axis=0), others.features.std(axis=0) + 1e-3
    wanted = np.array([targets(patch.generator, patch.fake) for patch in others.patches], np.float32)
    weight, bias = linear_heads(standardised(others.features, centre, spread), wanted)
    shown = mine + held_out.of(lambda patch: not patch.fake)
    logits = standardised(shown.features, centre, spread) @ weight[asked] + bias[asked]
    whole = by_clip(shown.patches, logits[:, None])
    return float(roc_auc_score(whole.fake, whole.scores[:, 0])), int(whole.fake.sum())


def _kept(path: Path, network: ViTSmall14, patches: Sequence[Patch], report: Callable[[str], None]) -> Known:
    if not path.is_file():
        features = features_of(network, (plain_crop(p, HEAD, network.size) for p in patches), report)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, features)
    return Known(patches, np.load(path))
