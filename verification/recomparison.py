"""Repeat a comparison with the recorded settings, and compare the results."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.files import hash_file
from detector.schema.analysis import Box
from detector.schema.comparison import (
    ComparedFile,
    ComparedSegment,
    Comparison,
    Region,
    Transform,
    UnmatchedInterval,
)
from detector.schema.formatting import timecode
from verification.checks import CheckResults
from verification.reanalysis import ReanalysisError

CONFIDENCE = 0.01  # of a segment
_TIME = 1e-3  # seconds: an edge is a sampled frame, which is the same one or the next
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
        return
    if bool(recorded.persons) is not bool(made.persons):
        yield "faces were compared in one of both only"
    for side in ("exhibit", "reference"):
        if not _same_file(getattr(recorded, side), getattr(made, side)):
            yield f"of the {side}, other facts are found"
    frame = 1 / recorded.parameters.sample_rate + _TIME
    yield from _of_stretches(recorded, made, frame)
    if recorded.transform and made.transform:
        yield from _of_transform(recorded.transform, made.transform)
    elif recorded.transform or made.transform:
        yield "how the picture lies in the reference's is told in one of both only"
    if [region.id for region in recorded.regions] != [region.id for region in made.regions]:
        yield f"{len(made.regions)} other parts of the picture differ, not {len(recorded.regions)}"
    else:
        for old_region, new_region in zip(recorded.regions, made.regions, strict=True):
            yield from _of_region(old_region, new_region, frame)
    if [region.id for region in recorded.segments] != [region.id for region in made.segments]:
        yield f"{len(made.segments)} segments differ, not {len(recorded.segments)}"
        return
    uncertainty = max((region.uncertainty for region in (*recorded.time_map, *made.time_map)), default=0.0)
    for before, after in zip(recorded.segments, made.segments, strict=True):
        yield from _of_segment(before, after, frame, uncertainty)


def _same_file(old: ComparedFile, new: ComparedFile) -> bool:
    facts = {"bytes", "sha256", "kind", "width", "height"}
    return old.model_dump(include=facts) == new.model_dump(include=facts) and (
        abs(old.duration - new.duration) <= _TIME
    )


def _of_stretches(recorded: Comparison, made: Comparison, frame: float) -> Iterator[str]:
    """Yield differences between the matching parts, and between the parts found in only one file."""
    if len(recorded.time_map) != len(made.time_map):
        yield f"the exhibit shows {len(made.time_map)} stretches, not {len(recorded.time_map)}"
    for old, new in zip(recorded.time_map, made.time_map, strict=False):
        off = max(abs(old.reference.start - new.reference.start), abs(old.reference.end - new.reference.end))
        if off > old.uncertainty + new.uncertainty + _TIME:
            yield f"a stretch lies {off:.3f} s elsewhere in the reference"
        off = max(abs(old.exhibit.start - new.exhibit.start), abs(old.exhibit.end - new.exhibit.end))
        if off > frame:
            yield f"a stretch lies {off:.3f} s elsewhere in the exhibit"
    for gaps, others, word in (
        (recorded.gaps, made.gaps, "not found"),
        (made.gaps, recorded.gaps, "not recorded"),
    ):
        for gap in gaps:
            if gap.end - gap.start > 2 * frame and not any(
                _same_gap(gap, candidate, 2 * frame) for candidate in others
            ):
                yield f"that the {gap.file} {gap.reason} from {timecode(gap.start)} on is {word}"


def _same_gap(gap: UnmatchedInterval, other: UnmatchedInterval, room: float) -> bool:
    is_same_kind = (gap.file, gap.reason) == (other.file, other.reason)
    return is_same_kind and max(abs(gap.start - other.start), abs(gap.end - other.end)) <= room


def _of_transform(old: Transform, new: Transform) -> Iterator[str]:
    distance = max(abs(value - other) for value, other in zip(old.crop, new.crop, strict=True))
    room = _PIXELS + (old.uncertainty + new.uncertainty) / min(old.scale, new.scale)
    if (
        old.mirror is not new.mirror
        or abs(old.scale / new.scale - 1) > _SCALE
        or abs(old.stretch / new.stretch - 1) > _SCALE
        or abs((old.rotation - new.rotation + 180) % 360 - 180) > _DEGREES
        or distance > room
    ):
        yield "the picture lies otherwise in the reference's"


def _of_region(old: Region, new: Region, frame: float) -> Iterator[str]:
    edge = max(abs(old.start - new.start), abs(old.end - new.end))
    if edge > frame:
        yield f"an edge of {old.id} lies {edge:.3f} s elsewhere"
    if not _same_place(old.box, new.box):
        yield f"{old.id} lies elsewhere in the picture"
    if abs(old.difference - new.difference) > _allowed(edge, old.difference, min(old.frames, new.frames)):
        yield f"the difference of {old.id} is {new.difference:.2f}, not {old.difference:.2f}"


def _same_place(old: Box, new: Box) -> bool:
    sizes = (old[2] - old[0], old[3] - old[1]) * 2
    pairs = zip(old, new, sizes, strict=True)
    return all(abs(value - other) <= max(_PIXELS, _SPREAD * size) for value, other, size in pairs)


def _allowed(edge: float, difference: float, frames: int) -> float:
    """Return the allowed difference of a mean: a moved edge exchanges one frame at each end."""
    return _DIFFERENCE + (2 * abs(difference) / frames if edge > _TIME else 0.0)


def _of_segment(
    old: ComparedSegment, new: ComparedSegment, frame: float, uncertainty: float
) -> Iterator[str]:
    edge = max(abs(old.start - new.start), abs(old.end - new.end))
    if edge > frame:
        yield f"an edge of {old.id} lies {edge:.3f} s elsewhere"
    distance = max(abs(old.reference_start - new.reference_start), abs(old.reference_end - new.reference_end))
    if distance > 2 * frame + uncertainty:
        yield f"an edge of {old.id} lies {distance:.3f} s elsewhere in the reference"
    if abs(old.frames - new.frames) > 2:
        yield f"{old.id} has {new.frames} frames, not {old.frames}"
    if abs(old.confidence - new.confidence) > CONFIDENCE:
        yield f"the confidence of {old.id} is {new.confidence:.3f}, not {old.confidence:.3f}"
    for field_name in ("difference", "surroundings"):
        old_value, new_value = getattr(old, field_name), getattr(new, field_name)
        if abs(old_value - new_value) > _allowed(edge, old_value, min(old.frames, new.frames)):
            yield f"the {field_name} of {old.id} is {new_value:.2f}, not {old_value:.2f}"


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
