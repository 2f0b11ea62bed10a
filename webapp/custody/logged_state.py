"""What the custody log says is kept: its entries taken together, for :mod:`webapp.custody.audit`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Literal, assert_never, cast, get_args

from reports.custody.format import Action, Entry
from webapp.custody.records import account_records, job_records, result_records
from webapp.custody.records.comparison_records import FinishedComparison

_OfJob = Literal[
    "analysis queued",
    "analysis finished",
    "comparison queued",
    "comparison finished",
    "annotation",
    "second review",
    "case details",
    "deletion",
]
"""Entries about one analysis or comparison that its rows and files are compared with."""


class LoggedState:
    """What is there, according to the entries given to :meth:`note` in order.

    Analyses and comparisons are named by their id, exhibits by their SHA-256, cases by their number.
    """

    def __init__(self) -> None:
        self.before: Mapping[str, int] = {}  # how many analyses and exhibits there were when the log began
        self.jobs: dict[str, job_records.LoggedJob] = defaultdict(job_records.LoggedJob)
        self.exhibits: set[str] = set()  # taken in since the log began
        self.deleted_exhibits: set[str] = set()
        self.older_exhibits = 0  # of those, that were not taken in since the log began
        self.analyses: set[str] = set()  # queued since the log began, and not deleted
        self.finished_analyses: dict[str, result_records.FinishedAnalysis] = {}
        self.comparisons: set[str] = set()
        self.finished_comparisons: dict[str, FinishedComparison] = {}
        # By analysis, the checksums of each by id; None where its entry has none.
        self.annotations: dict[str, dict[str, str | None]] = defaultdict(dict)
        self.reviews: dict[str, dict[str, str]] = defaultdict(dict)
        self.case_details: dict[str, dict[str, str | int]] = defaultdict(dict)  # by analysis
        self.reviewers: dict[int, str] = {}  # by case
        self.purged: dict[int, str] = {}  # the same of purged ones, of which an interrupted purge leaves it
        self.accounts = account_records.Accounts()

    def note(self, entry: Entry) -> None:
        """Take in the next entry; of a newer version's actions only what they say of exhibit and job."""
        if entry.exhibit is not None:
            self._note_exhibit(entry, entry.exhibit)
        if entry.analysis is not None:
            self.jobs[entry.analysis].note(entry)
        if entry.action in get_args(Action):
            self._note_action(cast(Action, entry.action), entry)

    def _note_exhibit(self, entry: Entry, sha256: str) -> None:
        if entry.action == "intake":
            self.exhibits.add(sha256)
            self.deleted_exhibits.discard(sha256)
        elif entry.action == "deletion" and entry.details.get("exhibit") == "deleted with it":
            self.older_exhibits += sha256 not in self.exhibits
            self.deleted_exhibits.add(sha256)

    def _note_action(self, action: Action, entry: Entry) -> None:
        match action:
            case "log begun":
                self.before = {name: int(entry.details.get(name, 0)) for name in ("analyses", "exhibits")}
            case "account":
                self.accounts.note(entry)
            case "reviewers named":
                self.reviewers[int(entry.details.get("case", 0))] = str(entry.details.get("named"))
            case "purge":
                if (case := int(entry.details.get("case", 0))) in self.reviewers:
                    self.purged[case] = self.reviewers.pop(case)
            case (
                "analysis queued"
                | "analysis finished"
                | "comparison queued"
                | "comparison finished"
                | "annotation"
                | "second review"
                | "case details"
                | "deletion"
            ):
                if entry.analysis is not None:
                    self._note_job(action, entry.analysis, entry)
            case "intake":
                pass  # noted with its exhibit
            case (
                "intake again"
                | "analysis started"
                | "analysis failed"
                | "analysis cancelled"
                | "analysis retried"
                | "analysis paused"
                | "analysis resumed"
                | "analysis prioritised"
                | "comparison started"
                | "comparison failed"
                | "comparison cancelled"
                | "view"
                | "import"
                | "export"
                | "configuration"
                | "integrity check"
                | "backup"
                | "restore"
            ):
                pass  # told, and compared with no row here
            case _:
                assert_never(action)

    def _note_job(self, action: _OfJob, about: str, entry: Entry) -> None:
        match action:
            case "analysis queued":
                self.analyses.add(about)
            case "analysis finished":
                self.finished_analyses[about] = result_records.FinishedAnalysis.of(entry)
            case "comparison queued":
                self.comparisons.add(about)
            case "comparison finished":
                self.finished_comparisons[about] = FinishedComparison.of(entry)
            case "annotation":
                sha256 = entry.details.get("sha256")
                own = self.annotations[about]
                own[str(entry.details.get("id"))] = None if sha256 is None else str(sha256)
            case "second review":
                self.reviews[about][str(entry.details.get("id"))] = str(entry.details.get("sha256"))
            case "case details":
                self.case_details[about] |= entry.details
            case "deletion":
                self.analyses.discard(about)
                self.comparisons.discard(about)
                self.finished_analyses.pop(about, None)
                self.finished_comparisons.pop(about, None)
                self.annotations.pop(about, None)
                self.reviews.pop(about, None)
                self.case_details.pop(about, None)
            case _:
                assert_never(action)
