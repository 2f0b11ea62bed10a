"""Measure how well copies are recognised: the tables of docs/copies.md except database timings."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from detector.fingerprint.fingerprint import Fingerprint
from detector.fingerprint.index import Entries, search_index
from detector.fingerprint.match import Match, find_matches
from training.command import run_step
from training.evaluation import copies as evaluation_copies
from training.evaluation.copies import (
    COPIES,
    HashStore,
    ResearchClip,
    StoredHashes,
    clips,
    hash_photo,
    photo_copy,
    photos,
)

_FALSE = 1e-4  # of unrelated pairs that may match
_FILMS, _CLIPS_A_FILM, _PARTS_A_FILM, _PART = 6, 40, 16, 5.0
_SHARES = 10  # among which clips are divided; films are made of the first of these
_PHOTOS = 400  # that copies are made of


class FingerprintLibrary:
    """Fingerprints that are looked through, each with the scenes it may show."""

    def __init__(self, kept: Sequence[tuple[Fingerprint, frozenset[str]]]) -> None:
        self._kept = kept
        self._entries = Entries.joined([Entries.of(number, each) for number, (each, _) in enumerate(kept)])

    def __len__(self) -> int:
        return len(self._kept)

    def related(self, scenes: frozenset[str]) -> int:
        """How many may show one of these."""
        return sum(bool(scenes & own) for _, own in self._kept)

    def found(self, wanted: Fingerprint) -> dict[int, Match]:
        """What is found, by number."""
        candidates = ((number, self._kept[number][0]) for number in search_index(self._entries, wanted))
        return dict(find_matches(wanted, candidates))

    def scenes(self, number: int) -> frozenset[str]:
        """The scenes of one."""
        return self._kept[number][1]


class CopyTally:
    """What was found, and what should have been."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._own: dict[str, list[bool]] = defaultdict(list)
        self._told: dict[str, list[bool]] = defaultdict(list)
        self._kin = self._false = self._pairs = 0
        self._names: Counter[tuple[str, str]] = Counter()

    def add(
        self, variant: str, library: FingerprintLibrary, number: int, name: str, found: dict[int, Match]
    ) -> None:
        """Take down what was found for a copy of ``number``."""
        self._own[variant].append(number in found)
        if number in found:
            self._told[variant].append(_as_made(variant, found[number]))
        scenes = library.scenes(number)
        others = [each for each in found if each != number]
        kin = [each for each in others if scenes & library.scenes(each)]
        self._kin += len(kin)
        self._false += len(others) - len(kin)
        self._pairs += len(library) - library.related(scenes)
        for each in set(others) - set(kin):
            self._names[name, "/".join(sorted(library.scenes(each)))] += 1

    def figures(self) -> dict[str, float]:
        """The table's numbers."""
        out = {}
        for variant, own in self._own.items():
            out[f"{self._what}, {variant}: found (of {len(own)})"] = _share(own)
            out[f"{self._what}, {variant}: said to be what it is"] = _share(self._told[variant])
        every = [each for own in self._own.values() for each in own]
        out[f"{self._what}: found (of {len(every)})"] = _share(every)
        out[f"{self._what}: false matches (of {self._pairs} pairs)"] = float(self._false)
        out[f"{self._what}: matches with another version of the same scene"] = float(self._kin)
        for (one, other), count in self._names.most_common(10):
            print(f"false, {count} times: {one} with {other}", file=sys.stderr)
        return out


def _as_made(variant: str, found: Match) -> bool:
    """Whether what is told of a copy is how it was made."""
    cropped = not (found.own.whole and found.other.whole)
    told = (found.mirrored, cropped, found.differs == "bottom")
    return told == (variant == "mirrored", variant.startswith("crop"), variant == "caption bar")


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else float("nan")


def measure_clips(
    maker: HashStore, every: Sequence[ResearchClip], most: int | None = None
) -> dict[str, float]:
    """Copies of clips of role ``develop``, the first ``most`` of them, among all clips."""
    kept = [maker.original(clip) for clip in every]
    library = FingerprintLibrary(
        [(seen.fingerprint, clip.scenes) for seen, clip in zip(kept, every, strict=True)]
    )
    tally, copies = CopyTally("clips"), []
    chosen = [number for number, clip in enumerate(every) if clip.role == "develop"][:most]
    for number in chosen:
        clip = every[number]
        print(number, clip.path.name, file=sys.stderr, flush=True)
        for variant in COPIES:
            copy = maker.copy(clip, variant)
            copies.append((variant.name, number, copy))
            tally.add(variant.name, library, number, clip.path.name, library.found(copy.fingerprint))
    size = sum(len(seen.fingerprint.to_bytes()) for seen in kept)
    a_second = size / sum(seen.fingerprint.duration for seen in kept)
    told = {"clips: bytes of a fingerprint a second": a_second} | tally.figures()
    return told | _of_libraries("clips", kept, [clip.scenes for clip in every], copies)


def measure_photos(data: Path) -> dict[str, float]:
    """Copies of photographs among all photographs."""
    every = photos(data)
    kept = [hash_photo(photo.read()) for photo in every]
    library = FingerprintLibrary(
        [(seen.fingerprint, photo.scenes) for seen, photo in zip(kept, every, strict=True)]
    )
    tally, copies = CopyTally("photographs"), []
    for number in np.random.default_rng(1).choice(len(every), _PHOTOS, replace=False).tolist():
        picture = every[number].read()
        for variant in COPIES:
            copy = hash_photo(photo_copy(picture, variant))
            copies.append((variant.name, number, copy))
            tally.add(variant.name, library, number, every[number].name, library.found(copy.fingerprint))
    return tally.figures() | _of_libraries("photographs", kept, [photo.scenes for photo in every], copies)


def measure_parts(maker: HashStore, every: Sequence[ResearchClip]) -> dict[str, float]:
    """Five seconds of films that last minutes, found in these among all clips."""
    rng = np.random.default_rng(2)
    order = rng.permutation(len(every)).tolist()[: _SHARES * _CLIPS_A_FILM]
    films = []
    for number in range(_FILMS):
        chosen = [every[each] for each in order[number::_SHARES]]
        films.append(maker.film(number, chosen))
        print("film", number, films[-1][0].fingerprint.duration, "s", file=sys.stderr, flush=True)
    kept = [(seen.fingerprint, frozenset({path.name})) for seen, path in films]
    kept += [(maker.original(clip).fingerprint, clip.scenes) for clip in every]
    library, found, timed = FingerprintLibrary(kept), [], []
    for number, (film, path) in enumerate(films):
        for turn in range(_PARTS_A_FILM):
            start = float(rng.uniform(0, film.fingerprint.duration - _PART))
            part = maker.part(path, start, _PART, COPIES[(number + turn) % len(COPIES)])
            told = library.found(part.fingerprint).get(number)
            found.append(told is not None)
            if told is not None:
                first = told.pieces[0]
                timed.append(abs(first.other_start - first.start - start) <= 1.0)
    length = sum(film.fingerprint.duration for film, _ in films) / len(films)
    return {
        f"parts of {_PART:g} s in films of {length:.0f} s: found (of {len(found)})": _share(found),
        "parts: found at the right second": _share(timed),
    }


def _of_libraries(
    what: str,
    kept: Sequence[StoredHashes],
    scenes: Sequence[frozenset[str]],
    copies: Sequence[tuple[str, int, StoredHashes]],
) -> dict[str, float]:
    """The same of hashes of kept libraries, at thresholds that let through one unrelated pair in 10,000."""
    out: dict[str, float] = {}
    if not evaluation_copies.available():
        return out
    rng = np.random.default_rng(3)
    strangers = [
        (number, int(other))
        for number in rng.choice(len(kept), min(len(kept), 250), replace=False).tolist()
        for other in rng.choice(len(kept), min(len(kept), 200), replace=False)
        if not scenes[number] & scenes[int(other)]
    ]
    for name in ("PDQ", "pHash 64", "pHash 256"):
        apart = sorted(evaluation_copies.distance(name, kept[a].hashes, kept[b].hashes) for a, b in strangers)
        least = apart[int(_FALSE * len(apart))]
        for variant in COPIES:
            near = [
                evaluation_copies.distance(name, copy.hashes, kept[number].hashes) < least
                for told, number, copy in copies
                if told == variant.name
            ]
            out[f"{what}, {variant.name}: found by {name}"] = _share(near)
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables and write them to ``figures.json``; 2 where that cannot be done."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluation.fin",
        description="Measure how well copies are found again.",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="research folder")
    parser.add_argument("--out", type=Path, default=Path("out/fingerprints"), metavar="DIR")
    parser.add_argument("--only", choices=["photographs", "parts", "clips"], help="one of the three tables")
    parser.add_argument("--clips", type=int, metavar="N", help="copies of the first N clips alone")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    return run_step(partial(_measure, options), options.data)


def _measure(options: argparse.Namespace) -> None:
    maker, every = HashStore(options.out / "made"), clips(options.data)
    kept = options.out / "figures.json"
    table: dict[str, float] = {}
    tables = {
        "photographs": lambda: measure_photos(options.data),
        "parts": lambda: measure_parts(maker, every),
        "clips": lambda: measure_clips(maker, every, options.clips),
    }
    for part, figures in tables.items():
        if options.only in (None, part):
            found = figures()
            table |= found
            for name, value in found.items():
                print(f"{name:70} {value:.4g}", flush=True)
    if options.only and kept.exists():
        table = json.loads(kept.read_text()) | table
    kept.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
