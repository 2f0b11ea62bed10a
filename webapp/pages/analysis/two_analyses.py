"""Two analyses of one exhibit on one timeline."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for

from reports.text.translation.language import gettext
from webapp.errors import UserError
from webapp.queries import two_analyses
from webapp.queries.results import get_finished, load
from webapp.security.access.blinding import Discloses
from webapp.security.access.permissions import Permission, current, require
from webapp.storage.tables import AnalysisRow

blueprint = Blueprint("two_analyses", __name__)


class DifferentExhibits(UserError):
    """Two exhibits are compared another way: one as the reference of the other."""

    def __init__(self, row: AnalysisRow, other: AnalysisRow) -> None:
        may = current().may(Permission.ANALYSE)
        if other.duration == 0 and row.duration:
            # A photo can be compared with a video, and no video with a photo.
            row, other = other, row
        if may:
            address = url_for("comparisons.ask", analysis_id=row.id, q=other.exhibit.sha256)
            self.link = address, gettext("Compare with a reference")
        super().__init__(
            400,
            gettext("These are analyses of two different exhibits; here two of the same one are compared."),
            gettext("Compare one exhibit with the other as its reference.")
            if may
            else gettext("Choose two analyses of the same exhibit; its page lists them."),
        )


@blueprint.get("/compare")
@require(Permission.READ)
def show() -> str:
    """Analyses ``a`` and ``b``, which must be of the same exhibit."""
    ids = [request.args.get("a", ""), request.args.get("b", "")]
    if not all(ids) or ids[0] == ids[1]:
        raise UserError(
            400,
            gettext("A comparison needs two analyses."),
            gettext("Choose two analyses of one exhibit in the library."),
        )
    (row_a, folder_a), (row_b, folder_b) = (get_finished(one, Discloses.FINDINGS) for one in ids)
    if row_a.exhibit_id != row_b.exhibit_id:
        raise DifferentExhibits(row_a, row_b)
    first, second = load(folder_a), load(folder_b)
    return render_template(
        "pages/analysis/two_analyses.html",
        sides=({"row": row_a, "view": first.view}, {"row": row_b, "view": second.view}),
        pairs=two_analyses.persons(first.analysis, second.analysis),
        segments=two_analyses.segments(first.analysis, second.analysis),
        differences=two_analyses.differences(first.analysis, second.analysis),
    )
