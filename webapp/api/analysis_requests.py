"""What operations about an analysis share: how one is asked for, where it stands, and that it is finished.

:mod:`~webapp.api.analyses`, :mod:`~webapp.api.uploads` and :mod:`~webapp.api.exhibits` have analyses made;
:mod:`~webapp.api.findings` and :mod:`~webapp.api.downloads` are about finished ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import url_for
from werkzeug.wrappers import Response

from detector.schema.joint_rule import JointRule
from detector.schema.summary import NOTHING_TOLD
from webapp import this_app
from webapp.api.contract.operation import Answer
from webapp.api.contract.schemas.analyses import Again, AnalysisStatus, NewAnalysis
from webapp.api.contract.schemas.uploads import OfUpload
from webapp.downloads import report_lock
from webapp.errors import UserError
from webapp.http.problem_details import FieldProblem, FieldsError
from webapp.queries import analyses as analysis_queries
from webapp.queries import cases as case_queries
from webapp.queries import copies as copy_queries
from webapp.queries.analyses import status_json
from webapp.queries.results import get_finished
from webapp.security.access.blinding import Discloses
from webapp.security.access.permissions import current
from webapp.services import analyses as analysis_service
from webapp.services.analyses import AskedAnalysis
from webapp.storage.tables import AnalysisRow, State

NOTHING_FOUND: dict[str, Any] = {"verdict": None, "probability": None, **NOTHING_TOLD}
QUEUED = Answer("It waits to be analysed.", AnalysisStatus, headers=("Location",))


def asked_analysis(body: NewAnalysis | OfUpload | Again, wanted_id: str | None) -> AskedAnalysis:
    """How a request has an exhibit analysed; ``wanted_id`` is the id the analysis is to have.

    Raises :class:`FieldsError` for fields that contradict each other, :class:`UserError` for models or a
    priority that there are not.
    """
    where = "form" if isinstance(body, NewAnalysis) else "body"
    if body.joint != JointRule.FIRST and not body.also:
        problem = "It is for several models: “also” names them."
        raise FieldsError((FieldProblem(where=f"{where}.joint", problem=problem),))
    if body.parameters and body.parameters.crossed:
        name, other = body.parameters.crossed
        problem = f"It must not be above {other}, {getattr(body.parameters, other):g}."
        raise FieldsError((FieldProblem(where=f"{where}.parameters.{name}", problem=problem),))
    given = body.parameters.model_dump(exclude_unset=True) if body.parameters else {}
    changes = given | analysis_service.asked_others(body.also, body.model, body.joint)
    return AskedAnalysis(body.model, changes, analysis_service.priority_of(body.priority), wanted_id)


def asked_case(asked: NewAnalysis | OfUpload) -> int | None:
    """Id of the case a request names, if it does; raises :class:`UserError` for one they are not in.

    With 400, not 404: what is wrong with the request must not look like a missing address.
    """
    if asked.case is None:
        return None
    try:
        with this_app.database().begin() as session:
            return case_queries.find_or_404(session, current(), asked.case).id
    except UserError:
        raise UserError(400, "There is no such case, or you are not in it.", "Name one you are in.") from None


def accepted_response(row: AnalysisRow) -> Response:
    """202 with where the new analysis stands and its address.

    A request that is sent again may find it done; a second reviewer is not told what is hidden from them.
    """
    status = to_status(row)
    if analysis_queries.are_findings_hidden(row):
        status = status.model_copy(update=NOTHING_FOUND)
    response = Response(
        status.model_dump_json(exclude_unset=True) + "\n", status=202, content_type="application/json"
    )
    response.headers["Location"] = url_for("api_analyses.get", analysis_id=row.id)
    return response


def to_status(row: AnalysisRow, *, ahead: bool = True) -> AnalysisStatus:
    """A row as the API tells of it; without ``ahead``, what takes a question to the database is left out."""
    known = status_json(row, ahead=ahead) | {"case": row.case_id}
    if ahead:
        known["copies"] = copy_queries.count(row.exhibit_id)
        known["report"] = report_lock.status(this_app.folders(), row)
    return AnalysisStatus.model_validate(known)


def require_finished(
    analysis_id: str, discloses: Discloses = Discloses.JUDGEMENTS
) -> tuple[AnalysisRow, Path]:
    """The row of a finished analysis and the folder of its result; 409 where there is none (yet)."""
    row = analysis_queries.get_or_404(analysis_id, discloses)
    if row.state in (State.FAILED, State.CANCELLED):
        ended = "failed" if row.state == State.FAILED else "was cancelled"
        raise UserError(409, f"This analysis {ended}, so it has no result.", "Retry it.")
    return get_finished(analysis_id, discloses)
