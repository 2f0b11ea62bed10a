"""Repeat a comparison with the recorded settings, and compare the results."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.files import hash_file
from detector.schema.analysis import Box
from detector.schema.comparison import Comparison, Interval, Transform, UnmatchedInterval
from detector.schema.formatting import timecode
from verification.checks import CheckResults
from verification.field_agreement import Field, FieldAgreement, in_one_only, is_not
from verification.reanalysis import ReanalysisError

_TIME = 1e-3  # seconds
_DIFFERENCE = 0.1  # of a log of how much more something differs, which is printed as exp(½ log)
_SCALE, _DEGREES, _PIXELS = 0.01, 0.3, 2.0  # of how the picture lies in the reference's
_SPREAD = 0.05  # of a region's size, on each of its sides


@dataclass(frozen=True)
class Recomparison:
    """One repeated comparison; ``problems`` are differences beyond the tolerance."""

    name: str
    reference: str
    problems: tuple[str, ...]

    def line(self) -> str:
        """Return the result as a line."""
        word = "differs" if self.problems else "agrees"
        return f"{self.name}, compared again with {self.reference}: it {word}."


def recompare(
    recorded: Mapping[str, Comparison], exhibit: Path, references: Sequence[Path], results: CheckResults
) -> list[Recomparison]:
    """Repeat the comparisons of ``exhibit`` with those of ``references`` that were compared, by SHA-256.

    Differences beyond the tolerance become problems of the comparison's file; an unknown reference is a
    problem of its own. Notes name comparisons whose reference was not given. Raise :class:`ReanalysisError`
    for a file that cannot be opened.
    """
    reference_paths = {_sha256(path): path for path in references}
    for sha256, path in reference_paths.items():
        if not any(comparison.reference.sha256 == sha256 for comparison in recorded.values()):
            results.add(path.name, "does not fit", f"its SHA-256 is {sha256}, that of no recorded reference")
    recomparisons = []
    for name, comparison in recorded.items():
        reference = reference_paths.get(comparison.reference.sha256)
        if reference is None:
            results.notes.append(
                f"{name} was not repeated: name its reference with --reference FILE, "
                f"SHA-256 {comparison.reference.sha256}."
            )
            continue
        problems = tuple(differences(comparison, _again(comparison, exhibit, reference)))
        for problem in problems:
            results.add(name, "does not fit", f"compared again, {problem}")
        recomparisons.append(Recomparison(name, reference.name, problems))
    return recomparisons


def differences(recorded: Comparison, made: Comparison) -> Iterator[str]:
    """Yield the differences beyond the tolerance of two comparisons of the same files."""
    if recorded.related != made.related:
        yield f"the files are {'related' if made.related else 'unrelated'}"
    else:
        yield from _ComparisonAgreement(recorded, made).differences(recorded, made)


class _ComparisonAgreement(FieldAgreement):
    """Two comparisons; its methods are comparisons that tolerances of the schema name."""

    def __init__(self, recorded: Comparison, made: Comparison) -> None:
        pieces = (*recorded.time_map, *made.time_map)
        self.uncertainty = max((piece.uncertainty for piece in pieces), default=0.0)
        self.frame = (
            1 / recorded.parameters.sample_rate + _TIME
        )  # an edge is the same sampled one or the next

    def _edge(self, old: float, new: float, field: Field) -> Iterator[str]:
        if abs(old - new) > self.frame:
            yield is_not(field.name, timecode(new), timecode(old))

    def _reference_edge(self, old: float, new: float, field: Field) -> Iterator[str]:
        if abs(old - new) > 2 * self.frame + self.uncertainty:
            yield is_not(field.name, timecode(new), timecode(old))

    def _stretch(self, old: Interval, new: Interval, field: Field) -> Iterator[str]:
        """Compare an interval of the exhibit, or one of the reference, whose times are uncertain."""
        in_reference = old is field.old.reference
        room = field.old.uncertainty + field.new.uncertainty + _TIME if in_reference else self.frame
        if (off := max(abs(old.start - new.start), abs(old.end - new.end))) > room:
            yield f"{field.name} lies {off:.3f} s elsewhere"

    def _mean(self, old: float, new: float, field: Field) -> Iterator[str]:
        """Compare means over frames, of which a moved edge exchanges one at each end."""
        first, second = field.old, field.new
        moved = max(abs(first.start - second.start), abs(first.end - second.end)) > _TIME
        exchanged = 2 * abs(old) / min(first.frames, second.frames) if moved else 0.0
        if abs(old - new) > _DIFFERENCE + exchanged:
            yield is_not(field.name, f"{new:.2f}", f"{old:.2f}")

    def _box(self, old: Box, new: Box, field: Field) -> Iterator[str]:
        sizes = (old[2] - old[0], old[3] - old[1]) * 2
        pairs = zip(old, new, sizes, strict=True)
        if any(abs(first - second) > max(_PIXELS, _SPREAD * size) for first, second, size in pairs):
            yield f"{field.name} lies elsewhere in the picture"

    def _gaps(self, old: Sequence[UnmatchedInterval], new: Any, _field: Field) -> Iterator[str]:
        room = 2 * self.frame
        for first, second, word in ((old, new, "not found"), (new, old, "not recorded")):
            for gap in first:
                if gap.end - gap.start > room and not any(
                    gap.file == other.file
                    and (not gap.cause or not other.cause or gap.cause.code == other.cause.code)  # before 0.3
                    and max(abs(gap.start - other.start), abs(gap.end - other.end)) <= room
                    for other in second
                ):
                    yield f"that the {gap.file} {gap.reason} from {timecode(gap.start)} on is {word}"

    def _transform(self, old: Transform | None, new: Transform | None, field: Field) -> Iterator[str]:
        if old is None or new is None:
            yield from in_one_only(old, new, field.name)
        elif (
            old.mirror is not new.mirror
            or abs(old.scale / new.scale - 1) > _SCALE
            or abs(old.stretch / new.stretch - 1) > _SCALE
            or abs((old.rotation - new.rotation + 180) % 360 - 180) > _DEGREES
            or max(abs(first - second) for first, second in zip(old.crop, new.crop, strict=True))
            > _PIXELS + (old.uncertainty + new.uncertainty) / min(old.scale, new.scale)
        ):
            yield "the picture lies otherwise in the reference's"

    def _persons(self, old: Sequence[object], new: Sequence[object], _field: Field) -> Iterator[str]:
        if bool(old) is not bool(new):
            yield "faces were compared in only one of the two"


def _again(recorded: Comparison, exhibit: Path, reference: Path) -> Comparison:
    from detector.comparison.compare import compare_confined  # brings the engine

    with tempfile.TemporaryDirectory() as folder:
        names = recorded.exhibit.file, recorded.reference.file
        return compare_confined(exhibit, reference, Path(folder), names=names, parameters=recorded.parameters)


def _sha256(path: Path) -> str:
    try:
        return hash_file(path)[1]
    except OSError as error:
        raise ReanalysisError(f"{path}: {error.strerror}. Name the reference that was compared.") from None
