"""Measure comparisons with a reference: the table of docs/comparison.md.

python -m training.evaluation.comparison --data DATA --out out/comparison
"""

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
from typing import Self

import numpy as np

from detector.comparison.compare import compare
from detector.schema.comparison import ComparedSegment, Comparison
from detector.statistics.error_rates import clopper_pearson
from detector.statistics.temporal_metrics import Timed, average_precision
from training.command import run_step
from training.evaluation.comparison.pairs import KnownPair, clip_spans, known_pairs

_OUTCOMES = "outcomes.jsonl"  # one line per pair, so that an interrupted run can be resumed


@dataclass(frozen=True)
class PairOutcome:
    """The result of one comparison beside the truth."""

    name: str
    kind: str
    variant: str
    related: bool
    truth: tuple[tuple[float, float], ...]
    found: tuple[tuple[float, float, float], ...]  # start, end, confidence of the right person's segments
    others: int  # segments of other persons
    regions: int
    time_error: float | None  # frames of the reference, mean over the exhibit; None without any match
    uncertainty: float | None  # as stated, in the same unit
    seconds: float  # of processor time

    @property
    def flagged(self) -> bool:
        return bool(self.found)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.name, self.kind, self.variant


def measure_pair(pair: KnownPair) -> PairOutcome:
    """Compare one pair."""
    with tempfile.TemporaryDirectory() as folder:
        exhibit, reference = pair.write(Path(folder)), pair.reference(Path(folder))
        start = time.process_time()
        comparison = compare(exhibit, reference)
        seconds = time.process_time() - start
    people = {person.id: person for person in comparison.persons}

    def is_right(segment: ComparedSegment) -> bool:
        x0, _, x1, _ = people[segment.person].median_box
        return not pair.side or ((x0 + x1) / 2 > comparison.exhibit.width / 2) == (pair.side == "right")

    right = [segment for segment in comparison.segments if is_right(segment)]
    return PairOutcome(
        pair.name,
        pair.kind,
        pair.variant,
        comparison.related,
        clip_spans(pair.spans, comparison.exhibit.duration),
        tuple((segment.start, segment.end, segment.confidence) for segment in right),
        len(comparison.segments) - len(right),
        len(comparison.regions),
        None if pair.shift is None else time_error(comparison, pair.shift, pair.speed),
        max((piece.uncertainty * _rate(comparison) for piece in comparison.time_map), default=None),
        seconds,
    )


def _rate(comparison: Comparison) -> float:
    over, under = (comparison.reference.frame_rate or "25/1").split("/")
    return int(over) / int(under)


def time_error(comparison: Comparison, shift: float, speed: float) -> float | None:
    """Return the mean error of the time map in frames of the reference (``speed * time + shift``)."""
    errors = []
    for piece in comparison.time_map:
        for share in np.linspace(0, 1, 20):
            here = piece.exhibit.start + share * (piece.exhibit.end - piece.exhibit.start)
            there = piece.reference.start + share * (piece.reference.end - piece.reference.start)
            errors.append(abs(there - speed * here - shift) * _rate(comparison))
    return float(np.mean(errors)) if errors else None


@dataclass(frozen=True)
class TableFigure:
    """One number of the table; a share also has its number of pairs and its exact 95 % interval."""

    value: float
    pairs: int | None = None
    interval: tuple[float, float] | None = None

    @classmethod
    def share(cls, values: Iterable[bool]) -> Self:
        flags = list(values)
        if not flags:
            return cls(float("nan"), 0)
        return cls(sum(flags) / len(flags), len(flags), clopper_pearson(sum(flags), len(flags)))

    def __str__(self) -> str:
        if self.interval is None:
            return f"{self.value:.3f}" + (f" of {self.pairs}" if self.pairs else "")
        low, high = self.interval
        return f"{self.value:.3f} of {self.pairs} ({low:.3f} to {high:.3f})"


def figures(outcomes: Iterable[PairOutcome]) -> dict[str, TableFigure]:
    """Return the numbers of the table."""
    every, share = list(outcomes), TableFigure.share

    def of(*kinds: str) -> list[PairOutcome]:
        return [outcome for outcome in every if outcome.kind in kinds]

    out: dict[str, TableFigure] = {}
    fakes, originals, duos = of("fake"), of("original", "control"), of("two people")
    for variant in sorted({fake.variant for fake in fakes}):
        out[f"fake flagged, {variant}"] = share(o.flagged for o in fakes if o.variant == variant)
        out[f"original flagged, {variant}"] = share(o.flagged for o in originals if o.variant == variant)
    out["fake flagged"] = share(o.flagged for o in fakes)
    out["original flagged"] = share(o.flagged for o in originals)
    out["two people: right person alone"] = share(o.flagged and not o.others for o in duos)
    spliced = of("splice")
    if spliced:
        timed = [Timed(f"{number}", o.truth, o.found) for number, o in enumerate(spliced)]
        for least in (0.5, 0.75):
            out[f"splices, AP at tIoU {least:g}"] = TableFigure(average_precision(timed, least), len(spliced))
    related = [o for o in every if o.kind != "unrelated"]
    errors = [o.time_error for o in related if o.time_error is not None]
    if errors:
        out["time map, mean error in frames"] = TableFigure(float(np.mean(errors)), len(errors))
        out["time map, largest error in frames"] = TableFigure(float(np.max(errors)), len(errors))
        out["time map, error of at most half a frame"] = share(error <= 0.5 for error in errors)
    out["unrelated, said to be"] = share(not o.related for o in of("unrelated"))
    out["related, said to be"] = share(o.related for o in related)
    out["original with a region that differs"] = share(
        o.regions > 0 for o in originals if o.variant != "caption bar"
    )
    out["caption bar: one region"] = share(
        o.regions == 1 for o in every if o.variant == "caption bar" and o.related
    )
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare all pairs of a role and write the table to ``figures.json``; return 2 if that fails."""
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
    path = options.out / _OUTCOMES
    done = {outcome.key: outcome for outcome in _read_outcomes(path)}
    pairs = list(known_pairs(options.data, options.role, options.each))
    # Mixed, so that an interrupted run has seen all kinds.
    pairs.sort(key=lambda pair: sha256(f"{pair.kind} {pair.name} {pair.variant}".encode()).digest())
    for number, pair in enumerate(pairs, start=1):
        key = (pair.name, pair.kind, pair.variant)
        if key not in done:
            print(f"{number} of {len(pairs)}:", *key, file=sys.stderr, flush=True)
            done[key] = measure_pair(pair)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(done[key])) + "\n")
    table = figures(done.values())
    text = json.dumps({name: asdict(figure) for name, figure in table.items()}, indent=2)
    (options.out / "figures.json").write_text(text + "\n", encoding="utf-8")
    for name, figure in table.items():
        print(f"{name:45} {figure}")


def _read_outcomes(path: Path) -> list[PairOutcome]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    outcomes = []
    for line in lines:
        fields = json.loads(line)
        spans = {name: tuple(map(tuple, fields[name])) for name in ("truth", "found")}
        outcomes.append(PairOutcome(**{**fields, **spans}))
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
