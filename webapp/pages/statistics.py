"""The library in figures."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from reports.review.second_review import CONCLUSIONS
from webapp.pages import charts
from webapp.queries import statistics as library_statistics
from webapp.security.access.permissions import Permission, require
from webapp.security.access.visibility import visible_session
from webapp.storage.tables import State, now

blueprint = Blueprint("statistics", __name__)

_BAR, _COLUMN, _CLOUD = 300.0, 150.0, 220.0  # lengths of axes, in units of the figures
_STATES = tuple(str(state) for state in State)


@blueprint.get("/statistics")
@require(Permission.READ)
def show() -> str:
    """Counts, speed and agreement, each as a picture and a table; ``per`` is ``day`` or ``week``."""
    weekly = request.args.get("per") == "week"
    with visible_session() as session:
        seen = library_statistics.overview(session)
        over_time = library_statistics.over_time(session, weekly, now().date())
    kinds = (*library_statistics.VERDICTS, library_statistics.UNFINISHED)
    opinions = (*seen.agreement.exhibits, seen.agreement.segments)
    return render_template(
        "pages/statistics.html",
        seen=seen,
        weekly=weekly,
        verdicts=charts.split(seen.verdicts, library_statistics.VERDICTS, _BAR),
        states=charts.split(seen.states, _STATES, _BAR),
        over_time=charts.stack(over_time, kinds, _COLUMN),
        models=charts.stack(seen.models, library_statistics.VERDICTS, _BAR),
        opinions=charts.stack(opinions, library_statistics.OPINIONS, _BAR),
        reviewers=charts.stack(seen.agreement.reviewers, library_statistics.OPINIONS, _BAR),
        conclusions=CONCLUSIONS,
        cloud=charts.cloud(seen.points, _CLOUD),
    )
