"""Measure how well copies are recognised: the tables of docs/copies.md except database timings.

    python -m training.evaluation.fingerprints --data DATA --out out/fingerprints

Every copy is searched in an index of all clips, or all photographs, and then compared, as the web app does.
"""

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
from training.evaluation.copies import (
    COPIES,
    HashStore,
    ResearchClip,
    StoredHashes,
    available,
    clips,
    distance,
    hash_photo,
    photo_copy,
    photos,
)

_FALSE_RATE = 1e-4  # of unrelated pairs that may match
_FILMS, _CLIPS_A_FILM, _PARTS_A_FILM, _PART = 6, 40, 16, 5.0
_SHARES = 10  # into which clips are divided; films are made of the first of these
_PHOTOS = 400  # photographs that are copied


class FingerprintLibrary:
    """Fingerprints to search, each with the scenes it may show."""

    def __init__(self, entries: Sequence[tuple[Fingerprint, frozenset[str]]]) -> None:
        self._fingerprints = [fingerprint for fingerprint, _ in entries]
        self.scenes = [scenes for _, scenes in entries]
        self._index = Entries.joined([Entries.of(n, f) for n, f in enumerate(self._fingerprints)])

    def __len__(self) -> int:
        return len(self.scenes)

    def search(self, fingerprint: Fingerprint) -> dict[int, Match]:
        """Return the matches by number."""
        numbers = search_index(self._index, fingerprint)
        return dict(find_matches(fingerprint, ((n, self._fingerprints[n]) for n in numbers)))


class CopyTally:
    """Counts of matches that were found and that should have been found."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._found: dict[str, list[bool]] = defaultdict(list)
        self._described: dict[str, list[bool]] = defaultdict(list)
        self._kin = self._false = self._pairs = 0
        self._names: Counter[tuple[str, str]] = Counter()

    def add(
        self, variant: str, library: FingerprintLibrary, number: int, name: str, matches: dict[int, Match]
    ) -> None:
        """Count the matches of a copy of ``number``."""
        self._found[variant].append(number in matches)
        if number in matches:
            match = matches[number]
            cropped = not (match.own.whole and match.other.whole)
            description = (match.mirrored, cropped, match.differs == "bottom")
            truth = (variant == "mirrored", variant.startswith("crop"), variant == "caption bar")
            self._described[variant].append(description == truth)
        scenes = library.scenes[number]
        others = [other for other in matches if other != number]
        strangers = [other for other in others if not scenes & library.scenes[other]]
        self._kin += len(others) - len(strangers)
        self._false += len(strangers)
        self._pairs += sum(not scenes & other for other in library.scenes)
        for other in set(strangers):
            self._names[name, "/".join(sorted(library.scenes[other]))] += 1

    def figures(self) -> dict[str, float]:
        """Return the numbers of the table."""
        kind, out = self._kind, {}
        for variant, matches in self._found.items():
            out[f"{kind}, {variant}: found (of {len(matches)})"] = _share(matches)
            out[f"{kind}, {variant}: said to be what it is"] = _share(self._described[variant])
        every = [match for of_variant in self._found.values() for match in of_variant]
        out[f"{kind}: found (of {len(every)})"] = _share(every)
        out[f"{kind}: false matches (of {self._pairs} pairs)"] = float(self._false)
        out[f"{kind}: matches with another version of the same scene"] = float(self._kin)
        for (name, other), count in self._names.most_common(10):
            print(f"false, {count} times: {name} with {other}", file=sys.stderr)
        return out


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else float("nan")


def measure_clips(
    store: HashStore, every: Sequence[ResearchClip], most: int | None = None
) -> dict[str, float]:
    """Search copies of the first ``most`` clips of role ``develop`` among all clips."""
    originals = [store.original(clip) for clip in every]
    scenes = [clip.scenes for clip in every]
    library = FingerprintLibrary([(o.fingerprint, s) for o, s in zip(originals, scenes, strict=True)])
    tally, copies = CopyTally("clips"), []
    for number in [number for number, clip in enumerate(every) if clip.role == "develop"][:most]:
        clip = every[number]
        print(number, clip.path.name, file=sys.stderr, flush=True)
        for variant in COPIES:
            copy = store.copy(clip, variant)
            copies.append((variant.name, number, copy))
            tally.add(variant.name, library, number, clip.path.name, library.search(copy.fingerprint))
    size = sum(len(original.fingerprint.to_bytes()) for original in originals)
    rate = size / sum(original.fingerprint.duration for original in originals)
    figures = {"clips: bytes of a fingerprint a second": rate} | tally.figures()
    return figures | _measure_libraries("clips", originals, scenes, copies)


def measure_photos(data: Path) -> dict[str, float]:
    """Search copies of photographs among all photographs."""
    every = photos(data)
    originals = [hash_photo(photo.read()) for photo in every]
    scenes = [photo.scenes for photo in every]
    library = FingerprintLibrary([(o.fingerprint, s) for o, s in zip(originals, scenes, strict=True)])
    tally, copies = CopyTally("photographs"), []
    for number in np.random.default_rng(1).choice(len(every), _PHOTOS, replace=False).tolist():
        picture = every[number].read()
        for variant in COPIES:
            copy = hash_photo(photo_copy(picture, variant))
            copies.append((variant.name, number, copy))
            tally.add(variant.name, library, number, every[number].name, library.search(copy.fingerprint))
    return tally.figures() | _measure_libraries("photographs", originals, scenes, copies)


def measure_parts(store: HashStore, every: Sequence[ResearchClip]) -> dict[str, float]:
    """Search five seconds of films that last minutes, among these films and all clips."""
    rng = np.random.default_rng(2)
    order = rng.permutation(len(every)).tolist()[: _SHARES * _CLIPS_A_FILM]
    films = []
    for number in range(_FILMS):
        films.append(store.film(number, [every[clip] for clip in order[number::_SHARES]]))
        print("film", number, films[-1][0].fingerprint.duration, "s", file=sys.stderr, flush=True)
    entries = [(hashes.fingerprint, frozenset({path.name})) for hashes, path in films]
    entries += [(store.original(clip).fingerprint, clip.scenes) for clip in every]
    library, matches, timed = FingerprintLibrary(entries), [], []
    for number, (film, path) in enumerate(films):
        for turn in range(_PARTS_A_FILM):
            start = float(rng.uniform(0, film.fingerprint.duration - _PART))
            part = store.part(path, start, _PART, COPIES[(number + turn) % len(COPIES)])
            match = library.search(part.fingerprint).get(number)
            matches.append(match is not None)
            if match is not None:
                first = match.pieces[0]
                timed.append(abs(first.other_start - first.start - start) <= 1.0)
    length = sum(film.fingerprint.duration for film, _ in films) / len(films)
    return {
        f"parts of {_PART:g} s in films of {length:.0f} s: found (of {len(matches)})": _share(matches),
        "parts: found at the right second": _share(timed),
    }


def _measure_libraries(
    kind: str,
    originals: Sequence[StoredHashes],
    scenes: Sequence[frozenset[str]],
    copies: Sequence[tuple[str, int, StoredHashes]],
) -> dict[str, float]:
    """Measure other libraries' hashes at thresholds that pass one unrelated pair in 10,000."""
    out: dict[str, float] = {}
    if not available():
        return out
    rng = np.random.default_rng(3)
    count = len(originals)
    strangers = [
        (number, int(other))
        for number in rng.choice(count, min(count, 250), replace=False).tolist()
        for other in rng.choice(count, min(count, 200), replace=False)
        if not scenes[number] & scenes[int(other)]
    ]
    for name in ("PDQ", "pHash 64", "pHash 256"):
        apart = sorted(distance(name, originals[a].hashes, originals[b].hashes) for a, b in strangers)
        threshold = apart[int(_FALSE_RATE * len(apart))]
        for variant in COPIES:
            near = [
                distance(name, copy.hashes, originals[number].hashes) < threshold
                for of_variant, number, copy in copies
                if of_variant == variant.name
            ]
            out[f"{kind}, {variant.name}: found by {name}"] = _share(near)
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables and write them to ``figures.json``; return 2 if that fails."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluation.fingerprints",
        description="Measure how well copies are recognised.",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="research folder")
    parser.add_argument("--out", type=Path, default=Path("out/fingerprints"), metavar="DIR")
    parser.add_argument("--only", choices=["photographs", "parts", "clips"], help="one of the three tables")
    parser.add_argument("--clips", type=int, metavar="N", help="copies of the first N clips only")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    return run_step(partial(_measure, options), options.data)


def _measure(options: argparse.Namespace) -> None:
    store, every = HashStore(options.out / "made"), clips(options.data)
    path = options.out / "figures.json"
    table: dict[str, float] = {}
    tables = {
        "photographs": lambda: measure_photos(options.data),
        "parts": lambda: measure_parts(store, every),
        "clips": lambda: measure_clips(store, every, options.clips),
    }
    for part, measure in tables.items():
        if options.only in (None, part):
            figures = measure()
            table |= figures
            for name, value in figures.items():
                print(f"{name:70} {value:.4g}", flush=True)
    if options.only and path.exists():
        table = json.loads(path.read_text()) | table
    path.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
