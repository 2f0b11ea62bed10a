"""The rows: exhibits, analyses, what was said, done and chosen. Alembic's migrations make them.

A module for each subject, on a common :mod:`~webapp.storage.tables.base`:
:mod:`~webapp.storage.tables.exhibits` and their :mod:`~webapp.storage.tables.fingerprints`;
:mod:`~webapp.storage.tables.jobs`, which are analyses and comparisons; :mod:`~webapp.storage.tables.cases`
and :mod:`~webapp.storage.tables.reviews`; :mod:`~webapp.storage.tables.custody` log;
:mod:`~webapp.storage.tables.accounts`; :mod:`~webapp.storage.tables.requests` that come twice or in parts;
:mod:`~webapp.storage.tables.webhooks`; and what is chosen for the whole
:mod:`~webapp.storage.tables.data_folder`. Whoever reads or writes rows imports them from here, where all
tables are known.
"""

from __future__ import annotations

from webapp.storage.tables.accounts import ApiToken, RecoveryCode, SessionRow, SignInFailure, User
from webapp.storage.tables.base import AHEAD, Base, UtcDateTime, now
from webapp.storage.tables.cases import CaseDetailsRow, CaseMember, CaseRow
from webapp.storage.tables.custody import CustodyRow
from webapp.storage.tables.data_folder import Choice, Milestone
from webapp.storage.tables.exhibits import Condition, Exhibit
from webapp.storage.tables.fingerprints import FingerprintBlock, FingerprintRow, MatchRow
from webapp.storage.tables.jobs import JOBS, AnalysisRow, ComparisonRow, JobRow, Priority, State, WorkerRow
from webapp.storage.tables.requests import KeyedRequest, UploadRow
from webapp.storage.tables.reviews import AnnotationRow, CaseReview, ReviewStatement
from webapp.storage.tables.webhooks import Delivery, WebhookRow

__all__ = [
    "AHEAD",
    "AnalysisRow",
    "AnnotationRow",
    "ApiToken",
    "Base",
    "CaseDetailsRow",
    "CaseMember",
    "CaseReview",
    "CaseRow",
    "Choice",
    "ComparisonRow",
    "Condition",
    "CustodyRow",
    "Delivery",
    "Exhibit",
    "FingerprintBlock",
    "FingerprintRow",
    "JOBS",
    "JobRow",
    "KeyedRequest",
    "MatchRow",
    "Milestone",
    "Priority",
    "RecoveryCode",
    "ReviewStatement",
    "SessionRow",
    "SignInFailure",
    "State",
    "UploadRow",
    "User",
    "UtcDateTime",
    "WebhookRow",
    "WorkerRow",
    "now",
]
