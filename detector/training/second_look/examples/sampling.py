"""Which training examples are drawn: sources and classes by their shares, aligned pairs together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from detector.faces.framing import HEAD, INNER
from detector.media.frame import Image
from detector.training.second_look.examples.crops import augmented_crop
from detector.training.second_look.examples.kinds import (
    LIP_SYNC,
    PICTURE,
    REENACTMENT,
    SWAP,
    TALKING_HEAD,
    targets,
)
from detector.training.second_look.examples.patches import Patch, require_training

# Shares of (pool, framing). The two classes of a pool that has both are drawn alike.
SHARES = {
    ("ffpp", INNER): 0.24,
    ("dfdc", INNER): 0.13,
    ("aligned", INNER): 0.13,
    ("deepfacelive", INNER): 0.05,
    ("lips", INNER): 0.09,
    ("talking", INNER): 0.10,
    ("photos", INNER): 0.02,
    ("stills", INNER): 0.05,
    ("aligned", HEAD): 0.03,
    ("deepfacelive", HEAD): 0.02,
    ("lips", HEAD): 0.03,
    ("talking", HEAD): 0.05,
    ("stills", HEAD): 0.05,
    ("photos", HEAD): 0.01,
}

# Of both framings, for the transformer's last training; whole heads show what is synthesised.
TRANSFORMER_SHARES = {
    ("ffpp", INNER): 0.20,
    ("dfdc", INNER): 0.14,
    ("aligned", INNER): 0.10,
    ("deepfacelive", INNER): 0.04,
    ("lips", INNER): 0.06,
    ("talking", INNER): 0.04,
    ("stills", INNER): 0.02,
    ("talking", HEAD): 0.10,
    ("stills", HEAD): 0.10,
    ("photos", HEAD): 0.04,
    ("lips", HEAD): 0.03,
    ("aligned", HEAD): 0.02,
    ("deepfacelive", HEAD): 0.01,
}
TRANSFORMER_BLENDS = 0.1  # of the examples; the rest by these shares

# Of whole heads alone, for the transformer before it.
HEAD_SHARES = {
    ("aligned", HEAD): 0.13,
    ("deepfacelive", HEAD): 0.07,
    ("lips", HEAD): 0.15,
    ("talking", HEAD): 0.30,
    ("stills", HEAD): 0.25,
    ("photos", HEAD): 0.10,
}

# Of inner faces alone, of which it is asked whether they were altered. Where many people were filmed alike
# and altered in many ways, a head learns the alterations; from a few clips of each place, the places.
ALTERED_SHARES = {
    ("ffpp", INNER): 0.45,
    ("dfdc", INNER): 0.45,
    ("aligned", INNER): 0.04,
    ("lips", INNER): 0.04,
    ("deepfacelive", INNER): 0.02,
}

_Files = dict[str, list[Patch]]  # by file
_Places = dict[str, _Files]  # by generator, or by origin of what is unmanipulated


@dataclass(frozen=True)
class Example:
    """A patch of role ``train``, how it is framed, and the seed of its jitter and degradation.

    Raises :class:`~detector.training.second_look.examples.patches.RoleError` for a patch of another role.
    """

    patch: Patch
    framing: int
    seed: int

    def __post_init__(self) -> None:
        require_training([self.patch], None)

    @property
    def where(self) -> None:
        """Nobody knows which places a generator altered."""

    @property
    def targets(self) -> tuple[int, ...]:
        return targets(self.patch.generator, self.patch.fake)

    def crop(self, size: int) -> Image:
        """The crop, jittered and degraded."""
        return augmented_crop(self.patch, self.framing, size, np.random.default_rng(self.seed))


class Sampler:
    """Draws lists of one or two examples from ``patches``, all of role ``train``.

    A pool without patches is left out of ``shares``.
    """

    def __init__(
        self,
        patches: Iterable[Patch],
        shares: Mapping[tuple[str, int], float] = SHARES,
    ) -> None:
        pools: dict[str, dict[bool, _Places]] = defaultdict(lambda: {False: {}, True: {}})
        self._aligned: dict[tuple[str, int], _Files] = defaultdict(lambda: defaultdict(list))
        for patch in patches:
            require_training([patch], None)
            file = patch.file if patch.source in {"clips", "videos"} else ""
            for pool in _pools(patch):
                place = pools[pool][patch.fake].setdefault(place_of(patch), {})
                place.setdefault(file, []).append(patch)
            if patch.aligned:
                self._aligned[patch.aligned, patch.frame][patch.generator].append(patch)
        self._pools = pools
        self._kinds = [kind for kind in shares if kind[0] in pools]
        weights = np.array([shares[kind] for kind in self._kinds])
        self._weights = weights / weights.sum()

    def counts(self) -> dict[str, tuple[int, int]]:
        """Patches (real, fake) of each pool."""
        return {name: (_count(by[False]), _count(by[True])) for name, by in self._pools.items()}

    def batch(self, rng: np.random.Generator, count: int) -> list[Example]:
        """So many examples."""
        out: list[Example] = []
        while len(out) < count:
            out += self.draw(rng)
        return out[:count]

    def draw(self, rng: np.random.Generator) -> list[Example]:
        """One example; of aligned clips also the same frame of the other class, framed and degraded alike."""
        pool, framing = self._kinds[rng.choice(len(self._kinds), p=self._weights)]
        seed = int(rng.integers(2**31))
        by_class = self._pools[pool]
        fake = bool(rng.random() < 0.5) and bool(by_class[True])
        patch = _one(by_class[fake or not by_class[False]], rng)
        if framing == HEAD and patch.source == "utkface":
            framing = INNER  # these are cut too tightly to show a head
        examples = [Example(patch, framing, seed)]
        if patch.aligned:
            others = self._aligned[patch.aligned, patch.frame]
            names = [name for name in others if (name != "none") != patch.fake]
            if names:
                other = others[names[rng.integers(len(names))]]
                examples.append(Example(other[0], framing, seed))
        return examples


def _pools(patch: Patch) -> list[str]:
    """The pools a training patch belongs to; footage of no particular set stands against two of them."""
    if patch.source in {"ffpp", "dfdc", "stills"}:
        return [patch.source]
    if patch.source in {"lfw", "utkface"}:
        return ["photos"]
    if patch.group.startswith("ffpp"):
        return ["aligned"]
    if patch.group == "deepfacelive":
        return ["deepfacelive"]
    if patch.family == LIP_SYNC:
        return ["lips"]
    if patch.family in {TALKING_HEAD, PICTURE}:
        return ["talking"]
    return ["aligned"] if patch.family in {SWAP, REENACTMENT} else ["lips", "talking"]


def place_of(patch: Patch) -> str:
    """The generator, or where unmanipulated footage is from: of each place as much is drawn as of others."""
    if patch.fake:
        return patch.generator
    return {"clips": patch.origin, "stills": patch.generator}.get(patch.source, patch.source)


def _one(places: _Places, rng: np.random.Generator) -> Patch:
    names = list(places)
    # Between every generator alike and every clip alike: the square root of the number of clips.
    weights = np.sqrt([len(places[name]) for name in names])
    files = places[names[rng.choice(len(names), p=weights / weights.sum())]]
    patches = files[list(files)[rng.integers(len(files))]]
    return patches[rng.integers(len(patches))]


def _count(places: _Places) -> int:
    return sum(len(patches) for files in places.values() for patches in files.values())
