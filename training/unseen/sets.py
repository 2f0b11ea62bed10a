"""The sets of samples by name, made of prepared patches: what is cached, and of which pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from detector.faces.crop import HEAD
from detector.faces.search.networks import FaceDetector
from detector.faces.windows import WINDOWS
from training.data.labelled_sets import open_zip
from training.data.research_faces import read_csv
from training.second_look.examples.patches import Patch, _Labels, _photograph, load, store
from training.unseen.native import clip_patches, drawn_windows, native_patches
from training.unseen.samples import FRAMING_OF, Draw, Sample, augmented, plain, spread

Drawn = list[tuple[list[Sample], Draw]]
PHOTOS2 = "photos2"
_LFW_EVERY = 4  # of the photographs of Labeled Faces in the Wild


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


def photographs(out: Path) -> list[Patch]:
    """Stills, photos2, and a part of Labeled Faces in the Wild."""
    lfw = [patch for patch in load(out, "photos") if patch.source == "lfw"]
    return [*load(out, "stills"), *load(out, PHOTOS2), *lfw[::_LFW_EVERY]]


def _photographs(data: Path, out: Path) -> Drawn:
    return [plain(patch, HEAD) for patch in photographs(out)]


def _windows(patches: Callable[[Path, Path], Iterable[Patch]]) -> list[Callable[[Path, Path], Drawn]]:
    """Return the maker of the set of each window."""

    def maker(window: int) -> Callable[[Path, Path], Drawn]:
        return lambda data, out: drawn_windows(patches(data, out), window)

    return [maker(window) for window in range(len(WINDOWS))]


TOKEN_SETS: dict[str, Callable[[Path, Path], Drawn]] = {
    "clips-head": _clips("head", plain, only_train=False),
    "clips-head-augmented": _clips("head", augmented, only_train=True),
    "photographs": _photographs,
    "clips-inner": _clips("inner", plain, only_train=False),
    "clips-inner-augmented": _clips("inner", augmented, only_train=True),
}
"""Sets that the branch is distilled on."""
NATIVE, CLIPS, PHOTOGRAPHS = "native", "clips", "photographs"


def set_name(material: str, window: int) -> str:
    """Return the name of the set of one window of ``material``."""
    return f"{material}-{WINDOWS[window].replace(' ', '-')}"


SETS: dict[str, Callable[[Path, Path], Drawn]] = {
    set_name(material, window): maker
    for material, makers in (
        (NATIVE, _windows(lambda data, out: native_patches(data))),
        (CLIPS, _windows(lambda data, out: clip_patches(data))),
        (PHOTOGRAPHS, _windows(lambda data, out: photographs(out))),
    )
    for window, maker in enumerate(makers)
}
"""Sets of which features are kept."""
