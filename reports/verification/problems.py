"""What a verification found, collected as it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

ProblemKind = Literal["changed", "missing", "not listed", "cannot be read", "does not fit", "not repeated"]


@dataclass(frozen=True)
class FileProblem:
    """One file, what is wrong with it in a word or three, and why that is said."""

    file: str
    kind: ProblemKind
    why: str

    def __str__(self) -> str:
        return f"{self.file}: {self.kind}: {self.why}"


@dataclass
class CheckResults:
    """All that a verification has to say; it fits when there are no problems."""

    problems: list[FileProblem] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)  # by name, in the order they were learnt
    notes: list[str] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)  # names of files with a signature that holds
    files: int = 0  # whose SHA-256 was compared

    def add(self, file: str, kind: ProblemKind, why: str) -> None:
        """Record a problem, once."""
        problem = FileProblem(file, kind, why)
        if problem not in self.problems:
            self.problems.append(problem)

    @property
    def only_not_repeated(self) -> bool:
        """Whether nothing else speaks against it than what another engine or other arithmetic found."""
        return all(problem.kind == "not repeated" for problem in self.problems)

    def wrong(self, file: str) -> bool:
        """Whether anything is wrong with a file so far."""
        return any(problem.file == file for problem in self.problems)

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "fits": not self.problems,
            "files": self.files,
            "problems": [{"file": p.file, "kind": p.kind, "why": p.why} for p in self.problems],
            "facts": self.facts,
            "signed": self.signed,
            "notes": self.notes,
        }
