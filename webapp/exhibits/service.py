"""Start, cancel, retry, pause and prioritise analyses, for pages and the REST API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from sqlalchemy.orm import Session

from detector.schema.causes.failures import FailureCode
from detector.schema.joint import MOST_OTHERS, JointRule
from language.translation import gettext
from reports.inputs.case import CaseDetails
from webapp import context
from webapp.accounts.permissions import current
from webapp.casework import access
from webapp.casework import details as case_details
from webapp.casework import reviewers as reviewer_service
from webapp.errors import UserError
from webapp.exhibits import deletion, findings
from webapp.exhibits import queries as analysis_queries
from webapp.exhibits.uploads import exhibits, resumable
from webapp.exhibits.uploads.exhibits import store_upload
from webapp.http.uploads import AssembledFile, Incoming
from webapp.installed_models import service as model_service
from webapp.jobs import parameters, states
from webapp.jobs.queue import tell_workers
from webapp.storage.tables import AnalysisRow, Exhibit, Priority, State

NO_CASE_DETAILS = CaseDetails()


@dataclass(frozen=True)
class AnalysisRequest:
    """Model, parameters and priority of a new analysis."""

    model: str | None = None  # None: the default
    # Parameters that differ from their defaults, and the changes of `changes_for_other_models`.
    changes: Mapping[str, Any] = field(default_factory=dict)
    priority: Priority = Priority.NORMAL
    wanted_id: str | None = None  # the id to use; if it exists, the request was repeated and does nothing


def refuse_unknown_model(name: str | None) -> None:
    """Raise :class:`UserError` for an unknown model; None means the default."""
    if name is not None and name not in {model.name for model in model_service.list_models()}:
        raise UserError(
            400,
            gettext("There is no model of this name."),
            gettext("Choose one that the models page lists."),
            field="model",
        )


def changes_for_other_models(names: Sequence[str], first: str | None, rule: str | None) -> dict[str, Any]:
    """Return the changes that request other models beside ``first``. Raises :class:`UserError`."""
    known = {model.name: model for model in model_service.list_models()}
    default = next((model.name for model in known.values() if model.default), None)
    chosen = [name for name in dict.fromkeys(names) if name and name != (first or default)]
    for name in chosen:
        refuse_unknown_model(name)
    if len(chosen) > MOST_OTHERS:
        raise UserError(
            400,
            gettext("At most %(most_others)s other models can be added.", most_others=MOST_OTHERS),
            gettext("Choose fewer."),
            field="also",
        )
    if rule and rule not in list(JointRule):
        raise UserError(
            400,
            gettext("There is no such rule."),
            gettext("Choose one of: %(names)s.", names=", ".join(JointRule)),
            field="joint",
        )
    if not chosen:
        if rule and rule != JointRule.FIRST:
            raise UserError(
                400,
                gettext("A rule for several models was chosen, but only one model is named."),
                gettext("Name another one beside the first, or let the first decide alone."),
                field="joint",
            )
        return {}
    return {parameters.ALSO: chosen} | ({parameters.JOINT: rule} if rule and rule != JointRule.FIRST else {})


def submit(
    stream: Incoming | AssembledFile,
    file: str,
    request: AnalysisRequest,
    *,
    case_id: int | None = None,
    details: CaseDetails = NO_CASE_DETAILS,
) -> AnalysisRow:
    """Turn a complete upload named ``file`` into an exhibit and queue its analysis."""
    exhibits.refuse_unsupported_kinds(stream.path)
    stream.send()

    def store(session: Session) -> tuple[Exhibit, CaseDetails]:
        # Other uploads of the same account may have arrived since this one's limit was set.
        resumable.refuse_over_quota(session, stream.sha256, stream.bytes, request.wanted_id)
        return store_upload(session, stream, file), details

    try:
        return _start(store, file, request, case_id)
    except BaseException:
        if stream.newly_kept:
            deletion.remove_exhibit_without_row(context.database(), context.folders(), stream.sha256)
        raise


def reanalyse(earlier: AnalysisRow, request: AnalysisRequest) -> AnalysisRow:
    """Queue a new analysis of the same exhibit; the earlier one stays as it is.

    Raises :class:`~webapp.errors.UserError` if that was deleted meanwhile.
    """

    def find(session: Session) -> tuple[Exhibit, CaseDetails]:
        row = session.get(AnalysisRow, earlier.id)
        if row is None:
            raise UserError(
                404, gettext("This analysis was deleted meanwhile."), gettext("Upload the file again.")
            )
        # The exhibit counts against the quota of everyone who analyses it.
        resumable.refuse_over_quota(session, row.exhibit.sha256, row.exhibit.bytes, request.wanted_id)
        return row.exhibit, case_details.read_details(session, earlier.id)

    return _start(find, earlier.file, request, earlier.case_id)


def _start(
    find: Callable[[Session], tuple[Exhibit, CaseDetails]],
    file: str,
    request: AnalysisRequest,
    case_id: int | None,
) -> AnalysisRow:
    """Queue an analysis of the exhibit and case details that ``find`` returns in an exclusive session.

    The caller becomes its owner.
    """
    folders = context.folders()
    with context.database().alone() as session:
        row = session.get(AnalysisRow, request.wanted_id) if request.wanted_id else None
        if row is None:
            access.refuse_changes(session, case_id)
            reviewer_service.refuse_from_second(session, case_id, current().user_id)
            model = request.model or model_service.default_model(session, folders)
            changes = ({} if context.settings().sound else {"sound": False}) | dict(request.changes)
            exhibit, details = find(session)
            row = states.create_analysis(
                session, exhibit, file, model, changes, request.wanted_id, request.priority
            )
            row.owner_id, row.case_id = current().user_id, case_id
            case_details.store_details(session, row, details)
    tell_workers(row.id)
    return row


def cancel(analysis_id: str) -> None:
    """Cancel an analysis; cancelling a cancelled one does nothing.

    One whose finding is published keeps it, without pictures.

    Raises :class:`~webapp.errors.UserError` if it has ended.
    """
    row = _of_own_case(analysis_id)
    database = context.database()
    if states.cancel(database, analysis_id):
        return
    row = analysis_queries.get_or_404(analysis_id)
    if row.shown_state is State.EXPLAINING and findings.keep_finding(
        database, context.folders(), analysis_id, FailureCode.PICTURES_CANCELLED.cause()
    ):
        return
    if row.state != State.CANCELLED:
        raise _ended(gettext("%(file)s has nothing left to cancel.", file=row.file))


def retry(analysis_id: str) -> None:
    """Queue a failed or cancelled analysis again; does nothing if it is queued or running.

    Raises :class:`~webapp.errors.UserError` if it is paused, done or in a closed case.
    """
    analysis_queries.get_or_404(analysis_id)
    with context.database().alone() as session:
        row = analysis_queries.reload_row(session, analysis_id)
        access.refuse_changes(session, row.case_id)
        queued = states.retry(session, analysis_id)
    if queued:
        tell_workers(analysis_id)
        return
    state = row.shown_state
    match state:
        case State.PAUSED:
            raise UserError(
                409, gettext("This analysis is paused, so there is nothing to retry."), gettext("Resume it.")
            )
        case State.DONE:
            raise UserError(
                409,
                gettext("This analysis is done, and a finished one is never changed."),
                gettext("To get another result, analyse the exhibit again."),
            )
        case State.QUEUED | State.RUNNING | State.EXPLAINING | State.FAILED | State.CANCELLED:
            pass  # somebody else retried it, or it has only just stopped
        case _:
            assert_never(state)


def pause(analysis_id: str) -> None:
    """Pause a queued or running analysis; pausing a paused one does nothing.

    Raises :class:`~webapp.errors.UserError` if it has ended.
    """
    row = _of_own_case(analysis_id)
    if states.pause(context.database(), analysis_id):
        return
    row = analysis_queries.get_or_404(analysis_id)
    if row.shown_state is State.EXPLAINING:
        raise UserError(
            409,
            gettext("The finding of this analysis is final, so there is nothing to pause."),
            gettext("Its heatmaps are being made. Cancel them if you do not need them."),
        )
    if row.state != State.PAUSED:
        raise _ended(gettext("%(file)s has nothing left to pause.", file=row.file))


def resume(analysis_id: str) -> None:
    """Queue a paused analysis again; does nothing if it is queued or running.

    Raises :class:`~webapp.errors.UserError` if it has ended.
    """
    row = _of_own_case(analysis_id)
    if states.resume(context.database(), analysis_id):
        tell_workers(analysis_id)
    elif analysis_queries.get_or_404(analysis_id).state not in states.UNFINISHED:
        raise _ended(gettext("%(file)s is not paused.", file=row.file))


def prioritise(analysis_id: str, priority: Priority) -> None:
    """Change the priority of a waiting analysis. Raises :class:`~webapp.errors.UserError` for others."""
    _of_own_case(analysis_id)
    if not states.prioritise(context.database(), analysis_id, priority):
        raise UserError(
            409,
            gettext("This analysis is no longer waiting."),
            gettext("Priorities apply to waiting analyses; this one has started."),
        )


def parse_priority(name: str | None) -> Priority:
    """Parse the name of a priority; None means normal. Raises :class:`UserError` for unknown names."""
    try:
        return Priority[name.upper()] if name else Priority.NORMAL
    except KeyError:
        raise UserError(
            400, gettext("There is no such priority."), gettext("Choose low, normal or high.")
        ) from None


def _of_own_case(analysis_id: str) -> AnalysisRow:
    """Return an analysis the caller may stop or move: it is in no case, or in one of theirs."""
    row = analysis_queries.get_or_404(analysis_id)
    with context.database().begin() as session:
        access.refuse_outsiders(session, row.case_id)
    return row


def _ended(remedy: str) -> UserError:
    return UserError(409, gettext("This analysis has ended already."), remedy)
