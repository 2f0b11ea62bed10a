"""Measure comparisons with a reference: the table of docs/comparison.md."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np

from detector.comparison.compare import compare
from detector.schema.comparison import ComparedPerson, ComparedSegment, Comparison
from detector.statistics.error_rates import clopper_pearson
from detector.statistics.temporal_metrics import Timed, average_precision
from training.command import run_step
from training.evaluation.comparison.pairs import KnownPair, clip_spans, known_pairs

_LINES = "outcomes.jsonl"


@dataclass(frozen=True)
class PairOutcome:
    """What one comparison said, beside what is true."""

    name: str
    kind: str
    variant: str
    related: bool
    truth: tuple[tuple[float, float], ...]
    found: tuple[tuple[float, float, float], ...]  # start, end, confidence of the right person's segments
    others: int  # segments of other persons
    regions: int
    time_error: float | None  # frames of the reference, mean over the exhibit; None where nothing is matched
    uncertainty: float | None  # likewise, as stated
    seconds: float  # of processor time

    @property
    def flagged(self) -> bool:
        return bool(self.found)


def measure_pair(pair: KnownPair) -> PairOutcome:
    """One pair, compared."""
    with tempfile.TemporaryDirectory() as folder:
        exhibit, reference = pair.write(Path(folder)), pair.reference(Path(folder))
        began = time.process_time()
        found = compare(exhibit, reference)
        seconds = time.process_time() - began
    right, others = _by_person(found, pair.side)
    return PairOutcome(
        pair.name,
        pair.kind,
        pair.variant,
        found.related,
        clip_spans(pair.spans, found.exhibit.duration),
        tuple((one.start, one.end, one.confidence) for one in right),
        len(others),
        len(found.regions),
        None if pair.shift is None else time_error(found, pair.shift, pair.speed),
        max((piece.uncertainty * _rate(found) for piece in found.time_map), default=None),
        seconds,
    )


def _by_person(found: Comparison, side: str) -> tuple[list[ComparedSegment], list[ComparedSegment]]:
    """Segments of whoever is on ``side``, of anybody for "", and those of others."""
    people = {person.id: person for person in found.persons}

    def meant(person: ComparedPerson) -> bool:
        middle = (person.median_box[0] + person.median_box[2]) / 2
        return not side or (middle > found.exhibit.width / 2) == (side == "right")

    right = [one for one in found.segments if meant(people[one.person])]
    return right, [one for one in found.segments if one not in right]


def _rate(found: Comparison) -> float:
    over, under = (found.reference.frame_rate or "25/1").split("/")
    return int(over) / int(under)


def time_error(found: Comparison, shift: float, speed: float) -> float | None:
    """Mean error of the time map in frames of the reference, which shows ``speed * time + shift``."""
    errors = []
    for piece in found.time_map:
        for share in np.linspace(0, 1, 20):
            here = piece.exhibit.start + share * (piece.exhibit.end - piece.exhibit.start)
            there = piece.reference.start + share * (piece.reference.end - piece.reference.start)
            errors.append(abs(there - speed * here - shift) * _rate(found))
    return float(np.mean(errors)) if errors else None


@dataclass(frozen=True)
class TableFigure:
    """One number of the table; of a share also how many pairs, and its exact interval of 95 %."""

    value: float
    pairs: int | None = None
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        if self.interval is None:
            return f"{self.value:.3f}" + (f" of {self.pairs}" if self.pairs else "")
        low, high = self.interval
        return f"{self.value:.3f} of {self.pairs} ({low:.3f} to {high:.3f})"


def figures(outcomes: Iterable[PairOutcome]) -> dict[str, TableFigure]:
    """The table's numbers."""
    every = list(outcomes)

    def of(*kinds: str) -> list[PairOutcome]:
        return [one for one in every if one.kind in kinds]

    out: dict[str, TableFigure] = {}
    fakes, originals, duos = of("fake"), of("original", "control"), of("two people")
    for variant in sorted({one.variant for one in fakes}):
        own = [one for one in fakes if one.variant == variant]
        out[f"fake flagged, {variant}"] = _share(one.flagged for one in own)
        own = [one for one in originals if one.variant == variant]
        out[f"original flagged, {variant}"] = _share(one.flagged for one in own)
    out["fake flagged"] = _share(one.flagged for one in fakes)
    out["original flagged"] = _share(one.flagged for one in originals)
    out["two people: right person alone"] = _share(one.flagged and not one.others for one in duos)
    spliced = of("splice")
    if spliced:
        timed = [Timed(f"{n}", one.truth, one.found) for n, one in enumerate(spliced)]
        for least in (0.5, 0.75):
            out[f"splices, AP at tIoU {least:g}"] = TableFigure(average_precision(timed, least), len(spliced))
    errors = [one.time_error for one in every if one.time_error is not None and one.kind != "unrelated"]
    if errors:
        out["time map, mean error in frames"] = TableFigure(float(np.mean(errors)), len(errors))
        out["time map, largest error in frames"] = TableFigure(float(np.max(errors)), len(errors))
        out["time map, error of at most half a frame"] = _share(error <= 0.5 for error in errors)
    out["unrelated, said to be"] = _share(not one.related for one in of("unrelated"))
    related = [one for one in every if one.kind != "unrelated"]
    out["related, said to be"] = _share(one.related for one in related)
    plain = [one for one in originals if one.variant != "caption bar"]
    out["original with a region that differs"] = _share(one.regions > 0 for one in plain)
    captioned = [one for one in every if one.variant == "caption bar" and one.related]
    out["caption bar: one region"] = _share(one.regions == 1 for one in captioned)
    return out


def _share(values: Iterable[bool]) -> TableFigure:
    listed = list(values)
    if not listed:
        return TableFigure(float("nan"), 0)
    return TableFigure(sum(listed) / len(listed), len(listed), clopper_pearson(sum(listed), len(listed)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare all pairs of a role, print the table and write it to ``figures.json``; 2 where it cannot."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluation.comparison",
        description="Measure comparisons on aligned research clips.",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="research folder")
    parser.add_argument("--out", type=Path, default=Path("out/comparison"), metavar="DIR")
    parser.add_argument("--role", choices=["develop", "train"], default="develop")
    parser.add_argument("--each", type=int, default=9, metavar="N", help="variants of each clip, in turn")
    options = parser.parse_args(arguments)
    return run_step(partial(_measure, options), options.data)


def _measure(options: argparse.Namespace) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    lines = options.out / _LINES
    done = {_key(one): one for one in _kept(lines)}
    pairs = list(known_pairs(options.data, options.role, options.each))
    # Mixed, so that a run that was stopped has met all kinds.
    pairs.sort(key=lambda pair: sha256(f"{pair.kind} {pair.name} {pair.variant}".encode()).digest())
    for number, pair in enumerate(pairs, start=1):
        key = (pair.name, pair.kind, pair.variant)
        if key not in done:
            print(f"{number} of {len(pairs)}:", *key, file=sys.stderr, flush=True)
            done[key] = measure_pair(pair)
            with lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(done[key])) + "\n")
    table = figures(done.values())
    told = json.dumps({name: asdict(one) for name, one in table.items()}, indent=2)
    (options.out / "figures.json").write_text(told + "\n", encoding="utf-8")
    for name, value in table.items():
        print(f"{name:45} {value}")


def _key(one: PairOutcome) -> tuple[str, str, str]:
    return one.name, one.kind, one.variant


def _kept(lines: Path) -> list[PairOutcome]:
    if not lines.exists():
        return []
    read = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    return [
        PairOutcome(
            **{**one, "truth": tuple(map(tuple, one["truth"])), "found": tuple(map(tuple, one["found"]))}
        )
        for one in read
    ]


if __name__ == "__main__":
    sys.exit(main())
