"""The page of models: list, add, choose the default, remove."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from detector.errors import ModelError
from detector.models.loaded import CARD_LIMIT, refuse_long_card
from detector.models.onnx_file import FILE_LIMIT
from language.translation import N_, gettext, translated
from webapp import context
from webapp.accounts.permissions import Permission, require
from webapp.errors import IntakeError, UserError
from webapp.exhibits.uploads.exhibits import clean_file_name
from webapp.http.error_responses import error_response, wants_json
from webapp.http.uploads import FORM_OVERHEAD, Incoming, UploadLimit, current_request
from webapp.installed_models import service as model_service

blueprint = Blueprint("models", __name__, url_prefix="/models")

_PAIR = UploadLimit(
    files=2,
    bytes=FILE_LIMIT,
    fewer=N_("Upload one card and its weights."),
    smaller=N_("Store the weights in half precision."),
)


@blueprint.get("")
@require(Permission.READ)
def listing() -> str:
    """List the models with their figures, and the form to add one."""
    return _page(added=request.args.get("added"))


@blueprint.post("")
@require(Permission.CONFIGURE, takes_files=True)
def add() -> Answer:
    """Check and add a card with its weights; redirect to the list."""
    form_request = current_request()
    form_request.upload_limit = _PAIR
    form_request.max_content_length = FILE_LIMIT + CARD_LIMIT + FORM_OVERHEAD
    parts = {field: form_request.files.get(field) for field in ("card", "weights")}
    streams = {field: part.stream for field, part in parts.items() if part is not None and part.filename}
    card, weights = streams.get("card"), streams.get("weights")
    if not isinstance(card, Incoming) or not isinstance(weights, Incoming):
        raise IntakeError(
            400,
            gettext("A model consists of two files, but only one was sent.")
            if streams
            else gettext("No file came with the form."),
            gettext("Choose the card (JSON) and the weights (safetensors), or the network (ONNX)."),
        )
    file = clean_file_name(parts["weights"].filename if parts["weights"] else None)
    refuse_long_card(card.bytes)
    name = model_service.add_model(context.folders(), card.content(), weights, file).name
    return redirect(url_for("models.listing", added=name, _anchor=f"model-{name}"), 303)


@blueprint.post("/<name>/default")
@require(Permission.CONFIGURE)
def choose(name: str) -> Answer:
    """Make a model the default."""
    with context.database().alone() as session:
        model_service.choose_default(session, context.folders(), name)
    return redirect(url_for("models.listing", _anchor=f"model-{name}"), 303)


@blueprint.post("/<name>/remove")
@require(Permission.CONFIGURE)
def remove(name: str) -> Answer:
    """Remove an added model."""
    with context.database().alone() as session:
        model_service.remove_model(session, context.folders(), name)
    return redirect(url_for("models.listing"), 303)


@blueprint.errorhandler(ModelError)
@blueprint.errorhandler(UserError)
def refused(problem: ModelError | UserError) -> Response:
    """Show the reason of a refusal on the page itself."""
    if isinstance(problem, ModelError):
        problem = UserError(400, translated(str(problem)), "")
    if wants_json():
        return error_response(problem.status, problem.error, problem.remedy)
    return make_response(_page(problem=problem.error, remedy=problem.remedy), problem.status)


def _page(*, added: str | None = None, problem: str = "", remedy: str = "") -> str:
    return render_template(
        "models/models.html",
        models=sorted(model_service.list_models(), key=lambda model: not model.default),
        added=added,
        problem=problem,
        remedy=remedy,
        weights_limit=FILE_LIMIT,
    )
