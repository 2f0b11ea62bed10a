"""REST routes of animated heatmaps."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, url_for

from webapp.accounts.permissions import Permission
from webapp.casework.blinding import Disclosure
from webapp.exhibits.results import get_finished, record_view
from webapp.rest.operation import Answer, operation
from webapp.review import heatmaps as animated_heatmaps
from webapp.review.heatmaps import AnimatedHeatmap
from webapp.storage.tables import AnalysisRow

blueprint = Blueprint("api_heatmaps", __name__)
_HEATMAPS = "/analyses/<analysis_id>/segments/<segment>/heatmaps"


@operation(
    blueprint,
    "GET",
    _HEATMAPS,
    permission=Permission.READ,
    answers={200: Answer("The heatmaps, or how far they are.", AnimatedHeatmap, headers=("ETag",))},
    errors=(404, 409),
)
def heatmaps(analysis_id: str, segment: str) -> AnimatedHeatmap:
    """Get the heatmaps of all sampled frames of a video's segment, once they are computed."""
    row, folder = get_finished(analysis_id, Disclosure.FINDINGS)
    record_view(row)
    return _heatmaps_of(row, folder, segment)


@operation(
    blueprint,
    "POST",
    _HEATMAPS,
    permission=Permission.EXPORT,
    answers={202: Answer("They are being computed, or are there.", AnimatedHeatmap)},
    errors=(404, 409, 503),
)
def animate(analysis_id: str, segment: str) -> tuple[AnimatedHeatmap, int]:
    """Have the heatmaps of all sampled frames of a video's segment computed.

    It takes about a second for each frame, one segment at a time; at most two of an account wait. Those that
    exist are listed meanwhile, and after a failure. They are kept until the analysis is deleted.
    """
    row, folder = get_finished(analysis_id, Disclosure.FINDINGS)
    animated_heatmaps.request_heatmaps(row, folder, segment)
    return _heatmaps_of(row, folder, segment), 202


@operation(
    blueprint,
    "POST",
    "/analyses/<analysis_id>/segments/<segment>/cancel-heatmaps",
    permission=Permission.EXPORT,
    answers={200: Answer("The heatmaps that exist.", AnimatedHeatmap)},
    errors=(404, 409),
)
def cancel_heatmaps(analysis_id: str, segment: str) -> AnimatedHeatmap:
    """Stop computing the heatmaps of a segment.

    Those that exist stay. If they are requested again, all are computed anew.
    """
    row, folder = get_finished(analysis_id, Disclosure.FINDINGS)
    animated_heatmaps.cancel_heatmaps(row, folder, segment)
    return _heatmaps_of(row, folder, segment)


@operation(
    blueprint,
    "GET",
    f"{_HEATMAPS}/<heatmap_name>",
    permission=Permission.READ,
    answers={200: Answer("The picture.", media=("image/jpeg", "image/png"), headers=("ETag",))},
    errors=(404, 409),
)
def heatmap_picture(analysis_id: str, segment: str, heatmap_name: str) -> Response:
    """Get one picture of a segment's heatmaps."""
    row, folder = get_finished(analysis_id, Disclosure.FINDINGS)
    return animated_heatmaps.picture_response(row, folder, segment, heatmap_name)


def _heatmaps_of(row: AnalysisRow, folder: Path, segment: str) -> AnimatedHeatmap:
    def address(name: str) -> str:
        return url_for("api_heatmaps.heatmap_picture", analysis_id=row.id, segment=segment, heatmap_name=name)

    return animated_heatmaps.animated_heatmap(row, folder, segment, address)
