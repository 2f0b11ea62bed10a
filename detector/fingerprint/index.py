"""Search a large collection of fingerprints for possible copies, by their codes alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.fingerprint.fingerprint import Codes, Fingerprint, compute_codes, mirror_codes
from detector.fingerprint.match import COARSE

MOST_FOUND = 40
MOST_ALIKE = 200  # nearly identical ones: one picture may have been submitted a hundred times
_SAME_LOOK_BITS = 30  # bits of 256 by which pictures of one look differ
_THOROUGH_LOOKS = 2  # looks whose parts and surroundings are searched as well
_COARSE_BITS, _COARSE_BITS_OF_PARTS = 18, 16  # largest difference of a coarse code, of 64 bits
_BITS = 84  # largest difference of a whole code, of 256 bits


@dataclass(frozen=True, eq=False)
class Entries:
    """The index: ``owners`` (n,) are ids of fingerprints, ``codes`` (4, n) belong to their looks."""

    owners: NDArray[np.int32]
    codes: NDArray[np.uint64]

    @classmethod
    def of(cls, owner: int, fingerprint: Fingerprint) -> Entries:
        """Return the entries of one fingerprint."""
        looks = fingerprint.codes[fingerprint.looks]
        return cls(np.full(len(looks), owner, np.int32), np.ascontiguousarray(looks.T))

    @classmethod
    def joined(cls, parts: Iterable[Entries]) -> Entries:
        """Join several indices."""
        every = [cls(np.zeros(0, np.int32), np.zeros((4, 0), np.uint64)), *parts]
        return cls(
            np.concatenate([part.owners for part in every]),
            np.concatenate([part.codes for part in every], axis=1),
        )


def search_index(entries: Entries, fingerprint: Fingerprint) -> list[int]:
    """Return the owners that may show the same as ``fingerprint``, the likeliest first.

    There are at most MOST_FOUND, or MOST_ALIKE if more look nearly identical.
    """
    nearest: dict[int, int] = defaultdict(lambda: _BITS + 1)
    coarse = np.ascontiguousarray(entries.codes[0])
    for code, most in _searched_codes(fingerprint):
        hits = np.flatnonzero(np.bitwise_count(coarse ^ code[0]) <= most)
        bits = np.bitwise_count(entries.codes[:, hits] ^ code[:, None]).sum(axis=0)
        near = bits <= _BITS
        for owner, count in zip(entries.owners[hits[near]].tolist(), bits[near].tolist(), strict=True):
            nearest[owner] = min(nearest[owner], count)
    nearly = sum(count <= _SAME_LOOK_BITS for count in nearest.values())
    most = max(MOST_FOUND, min(nearly, MOST_ALIKE))
    return sorted(nearest, key=lambda owner: nearest[owner])[:most]


def _searched_codes(fingerprint: Fingerprint) -> Iterator[tuple[Codes, int]]:
    """Yield codes of whole pictures and parts, with the coarse bits by which matches may differ."""
    looks = fingerprint.looks
    if not len(looks):
        return
    some = looks[np.linspace(0, len(looks) - 1, min(_THOROUGH_LOOKS, len(looks))).round().astype(int)]
    yield from _both_ways(fingerprint.codes[looks], _COARSE_BITS)
    for part in COARSE[1:]:
        yield from _both_ways(compute_codes(fingerprint.pictures[some], part), _COARSE_BITS_OF_PARTS)


def _both_ways(codes: Codes, most: int) -> Iterator[tuple[Codes, int]]:
    for code in (*codes, *mirror_codes(codes)):
        yield code, most
