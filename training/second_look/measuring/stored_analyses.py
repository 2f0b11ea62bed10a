"""Analyses by the whole program, kept on disk, and what leaves their verdicts open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.engine import analyze
from detector.files import write_atomically
from detector.models.card import deciding_sha256
from detector.models.loaded import LoadedModel
from detector.progress import ReportText
from detector.schema.analysis import Analysis, Person, Verdict
from detector.verdict.judged_persons import is_unstable
from detector.verdict.left_open import cause_of
from training.second_look.fitting.exhibits import develop_clips

# Clips of the second collection belong to groups of this prefix (README of the research folder).
_SECOND_COLLECTION = "t3-"


@dataclass(frozen=True)
class StoredAnalysis:
    """The analysis of a develop clip, and its row of the label file."""

    file: str
    row: Mapping[str, str]
    analysis: Analysis

    @property
    def fake(self) -> bool:
        """Whether the clip is manipulated."""
        return self.row["label"] == "fake"

    @property
    def in_second_collection(self) -> bool:
        """Whether the clip is one of the second collection of clips."""
        return self.row["group"].startswith(_SECOND_COLLECTION)


def analyses_folder(model: LoadedModel, folder: Path) -> Path:
    """Create and return the folder below ``folder`` for analyses with these weights and this fusion."""
    path = folder / deciding_sha256(model.card)[:12]
    path.mkdir(parents=True, exist_ok=True)
    return path


def stored_analysis(path: Path, model: LoadedModel, folder: Path) -> Analysis:
    """Analyse the clip at ``path``, or read its analysis from ``folder``.

    The file's name is the key, so an engine that changed needs an empty folder.
    """
    stored = folder / f"{path.name}.json"
    if not stored.exists():
        write_atomically(stored, analyze(path, model=model, explain=False).model_dump_json().encode())
    return Analysis.model_validate_json(stored.read_bytes())


def develop_analyses(
    data: Path, model: LoadedModel, folder: Path, share: tuple[int, int] = (0, 1)
) -> list[StoredAnalysis]:
    """Return the analyses of every n-th develop clip below ``data`` from the k-th on, ``share`` (k, n)."""
    folder = analyses_folder(model, folder)
    first, every = share
    return [
        StoredAnalysis(path.name, row, stored_analysis(path, model, folder))
        for path, row in develop_clips(data)[first::every]
    ]


def cause_in_words(analysis: Analysis) -> str:
    """Name what decided the verdict, and where views disagree, which check found it."""
    if analysis.verdict is Verdict.MANIPULATED:
        return "flagged"
    if analysis.verdict is Verdict.NOT_FOUND:
        return "cleared"
    cause = cause_of(analysis)
    if cause is None:
        return "threshold reached in too few frames"
    name = cause.name.lower().replace("_", " ")
    checks = {_check(person) for person in analysis.persons if is_unstable(person)}
    return f"{name}: {', '.join(sorted(checks))}" if "UN" in cause.name and checks else name


def _check(person: Person) -> str:
    """Name the check by which a person is unstable (docs/engine.md#views-and-stability)."""
    look = person.second_look
    assert look is not None
    if look.contradiction:
        return "networks contradict each other"
    return "a stretch stands out in some views" if look.contrasts else "views disagree"


def report_causes(stored: Sequence[StoredAnalysis], report: ReportText) -> dict[tuple[bool, str], int]:
    """Report how many clips each cause concerns, by truth, and which clips; return the counts."""
    counts = Counter((clip.fake, cause_in_words(clip.analysis)) for clip in stored)
    for (fake, cause), count in sorted(counts.items(), key=lambda item: (item[0][0], -item[1])):
        report(f"{'manipulated' if fake else 'unmanipulated'}, {cause}: {count}")
        if cause in ("flagged", "cleared") and cause == ("flagged" if fake else "cleared"):
            continue
        for clip in stored:
            if (clip.fake, cause_in_words(clip.analysis)) == (fake, cause):
                report(f"    {clip.file} ({clip.row['generator']}), {clip.analysis.probability or 0:.3f}")
    return dict(counts)
