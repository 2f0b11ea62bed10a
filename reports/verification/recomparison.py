"""The same comparison once more: from exhibit and reference, with the recorded settings."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.files import hashed
from detector.schema.comparison import ComparedSegment, Comparison
from reports.verification.problems import CheckResults
from reports.verification.reanalysis import ReanalysisError

CONFIDENCE = 0.01  # of a segment
_TIME = 1e-3  # seconds: an edge is a sampled frame, which is the same one or the next


@dataclass(frozen=True)
class Recomparison:
    """One comparison made again; ``problems`` are where it differs beyond the tolerance."""

    name: str
    reference: str
    problems: tuple[str, ...]

    def line(self) -> str:
        """In words."""
        word = "differs" if self.problems else "agrees"
        return f"{self.name}, compared again with {self.reference}: it {word}."


def recompare(
    recorded: Mapping[str, Comparison], exhibit: Path, references: Sequence[Path], results: CheckResults
) -> list[Recomparison]:
    """Compare ``exhibit`` again with those of ``references`` that were compared with it, by SHA-256.

    Differences beyond the tolerance become problems of the comparison's file, a reference that is none of
    the recorded ones a problem of its own. Notes name comparisons whose reference was not given. Raises
    :class:`~detector.errors.MediaError`, and :class:`ReanalysisError` for a file that cannot be opened.
    """
    given = {_sha256(path): path for path in references}
    for sha256, path in given.items():
        if not any(one.reference.sha256 == sha256 for one in recorded.values()):
            results.add(path.name, "does not fit", f"its SHA-256 is {sha256}, that of no recorded reference")
    done = []
    for name, one in recorded.items():
        reference = given.get(one.reference.sha256)
        if reference is None:
            results.notes.append(
                f"{name} was not repeated: name its reference with --reference FILE, "
                f"SHA-256 {one.reference.sha256}."
            )
            continue
        problems = tuple(differences(one, _again(one, exhibit, reference)))
        for problem in problems:
            results.add(name, "does not fit", f"compared again, {problem}")
        done.append(Recomparison(name, reference.name, problems))
    return done


def differences(recorded: Comparison, made: Comparison) -> Iterator[str]:
    """How two comparisons of the same files differ beyond the tolerance, in words."""
    if recorded.related != made.related:
        yield f"the files are {'related' if made.related else 'unrelated'}"
        return
    frame = 1 / recorded.parameters.sample_rate + _TIME
    if len(recorded.time_map) != len(made.time_map):
        yield f"the exhibit shows {len(made.time_map)} stretches, not {len(recorded.time_map)}"
    for old, new in zip(recorded.time_map, made.time_map, strict=False):
        off = max(abs(old.reference.start - new.reference.start), abs(old.reference.end - new.reference.end))
        if off > old.uncertainty + new.uncertainty + _TIME:
            yield f"a stretch lies {off:.3f} s elsewhere in the reference"
    if [one.id for one in recorded.regions] != [one.id for one in made.regions]:
        yield f"{len(made.regions)} other parts of the picture differ, not {len(recorded.regions)}"
    if [one.id for one in recorded.segments] != [one.id for one in made.segments]:
        yield f"{len(made.segments)} segments differ, not {len(recorded.segments)}"
        return
    for before, after in zip(recorded.segments, made.segments, strict=True):
        yield from _of_segment(before, after, frame)


def _of_segment(old: ComparedSegment, new: ComparedSegment, frame: float) -> Iterator[str]:
    edge = max(abs(old.start - new.start), abs(old.end - new.end))
    if edge > frame:
        yield f"an edge of {old.id} lies {edge:.3f} s elsewhere"
    if abs(old.confidence - new.confidence) > CONFIDENCE:
        yield f"the confidence of {old.id} is {new.confidence:.3f}, not {old.confidence:.3f}"


def _again(recorded: Comparison, exhibit: Path, reference: Path) -> Comparison:
    from detector.comparison.sandboxed import compare_confined  # brings the engine

    with tempfile.TemporaryDirectory() as folder:
        names = recorded.exhibit.file, recorded.reference.file
        return compare_confined(exhibit, reference, Path(folder), names=names, parameters=recorded.parameters)


def _sha256(path: Path) -> str:
    try:
        return hashed(path)[1]
    except OSError as error:
        raise ReanalysisError(f"{path}: {error.strerror}. Name the reference that was compared.") from None
