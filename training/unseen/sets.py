"""The sets of samples by name, made of prepared patches: what is cached, and of which pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from detector.faces.crop import HEAD
from detector.faces.search.networks import FaceDetector
from training.data.labelled_sets import open_zip
from training.data.research_faces import read_csv
from training.second_look.examples.patches import Patch, _Labels, _photograph, load, store
from training.unseen.samples import FRAMING_OF, Draw, Sample, augmented, plain, resaved, spread
from training.unseen.twins import Autoencoder, twin_pair

Drawn = list[tuple[list[Sample], Draw]]
PHOTOS2 = "photos2"
_TWIN_FRAMES = 3  # of an unmanipulated training clip
_LFW_EVERY = 4  # of the photographs of Labeled Faces in the Wild
_TWINS_EVERY = 5  # of the photographs of other sets than photos2


def prepare_photos2(data: Path, out: Path) -> None:
    """Find the faces of ``photos2``, keep their patches below ``out``; a patch has its source as origin."""
    detector = FaceDetector(0.4)
    patches: list[Patch] = []
    with open_zip(data / "photos2.zip") as archive:
        names = {Path(name).name: name for name in archive.namelist()}
        for row in read_csv(data / "photos2.csv"):
            labels = _Labels(
                PHOTOS2, row["file"], row["label"] == "fake", row["generator"], row["group"], row["role"],
                f"{row['kind']}/{row['source']}",
            )  # fmt: skip
            patches += _photograph(archive.read(names[Path(row["file"]).name]), detector, labels)
    store(out, PHOTOS2, patches)


def clips(out: Path) -> list[Patch]:
    """Spread patches of all clips and videos."""
    return spread([*load(out, "clips"), *load(out, "videos")])


def _clips(
    framing: str, make: Callable[[Patch, int], tuple[list[Sample], Draw]], only_train: bool
) -> Callable[[Path, Path], Drawn]:
    def drawn(data: Path, out: Path) -> Drawn:
        chosen = [patch for patch in clips(out) if patch.role == "train" or not only_train]
        return [make(patch, FRAMING_OF[framing]) for patch in chosen]

    return drawn


def _twins(data: Path, out: Path) -> Drawn:
    module = Autoencoder(data)
    patches = [
        patch
        for patch in [*load(out, "clips"), *load(out, "videos")]
        if patch.role == "train" and not patch.fake
    ]
    return [twin_pair(patch, number, module) for number, patch in enumerate(spread(patches, _TWIN_FRAMES))]


def photographs(out: Path) -> list[Patch]:
    """Stills, photos2, and a part of Labeled Faces in the Wild."""
    lfw = [patch for patch in load(out, "photos") if patch.source == "lfw"]
    return [*load(out, "stills"), *load(out, PHOTOS2), *lfw[::_LFW_EVERY]]


def _photographs(data: Path, out: Path) -> Drawn:
    return [plain(patch, HEAD) for patch in photographs(out)]


def _resaved(data: Path, out: Path) -> Drawn:
    return [resaved(patch) for patch in photographs(out)]


def _photograph_twins(data: Path, out: Path) -> Drawn:
    module = Autoencoder(data)
    real = [patch for patch in photographs(out) if patch.role == "train" and not patch.fake]
    portraits = [patch for patch in real if patch.source == PHOTOS2]
    chosen = portraits + [patch for patch in real if patch.source != PHOTOS2][::_TWINS_EVERY]
    return [twin_pair(patch, number, module) for number, patch in enumerate(chosen)]


WITH_LOGITS = frozenset({"clips-inner", "photographs"})
"""Sets of which the logits of the whole network are kept as well."""
SETS: dict[str, Callable[[Path, Path], Drawn]] = {
    "clips-head": _clips("head", plain, only_train=False),
    "twins": _twins,
    "clips-head-augmented": _clips("head", augmented, only_train=True),
    "photographs": _photographs,
    "photographs-resaved": _resaved,
    "clips-inner": _clips("inner", plain, only_train=False),
    "clips-inner-augmented": _clips("inner", augmented, only_train=True),
    "photograph-twins": _photograph_twins,
}
