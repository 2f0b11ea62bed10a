"""Check whether an analysis or an installed model is the one that was validated."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from detector.models.card import Card, deciding_sha256
from detector.models.model_files import load_card, read_second_look
from detector.schema.analysis import Analysis, MediaKind, Parameters
from detector.schema.formatting import N_
from detector.schema.laboratory import Laboratory, ValidatedModel, Validation
from detector.schema.method import (
    LATER_PARAMETERS,
    PHOTO_PARAMETERS,
    SECOND_LOOK_PARAMETERS,
    VIDEO_PARAMETERS,
    zero_values,
)
from detector.schema.model import Platt, SecondLookModel

SHIPPED = Parameters()


def validated_model(model: str | Path | None, parameters: Parameters = SHIPPED) -> ValidatedModel:
    """The model named, with its second look where ``parameters`` ask for one.

    Raises :class:`~detector.errors.ModelError` as loading does.
    """
    card, weights = load_card(model)
    if not parameters.second_look:
        return of_card(card.alone)
    return of_card(card.model_copy(update={"second_look": read_second_look(card, weights)}))


def of_card(card: Card) -> ValidatedModel:
    """The same of a card with its second look."""
    told = card.as_model()
    return ValidatedModel(
        name=card.name,
        title=card.title,
        architecture=card.architecture,
        sha256=card.sha256,
        temperature=card.temperature,
        segment=card.segment,
        exhibit=card.exhibit,
        second_look=told.second_look,
        card_sha256=deciding_sha256(card),
    )


def why_not_of_model(validation: Validation | Laboratory, now: ValidatedModel) -> str:
    """Why a validation says nothing of a model as it is now; empty where it applies."""
    then = validation.model
    if then.sha256 != now.sha256:
        return N_("it was made with other weights than those of %(model)s") % {"model": now.title}
    if then.card_sha256 != now.card_sha256:
        return N_("the calibration or the second look of %(model)s has changed since") % {"model": now.title}
    return ""


def why_not_comparable(validation: Validation, now: ValidatedModel, parameters: Parameters) -> str:
    """Why files come out otherwise than in a validation whatever the machine; empty where they should not."""
    if why := why_not_of_model(validation, now):
        return why
    kinds = {level.kind for level in validation.levels}
    if other := _other_parameters(validation.parameters, parameters, kinds):
        return f"it was made with other parameters ({', '.join(other)})"
    return ""


def why_not_of_analysis(validation: Validation | Laboratory, analysis: Analysis) -> str:
    """Why a validation does not speak for an analysis; empty where it does."""
    return why_not_the_same(validation.model, validation.parameters, analysis)


def why_not_the_same(then: ValidatedModel, parameters: Parameters, analysis: Analysis) -> str:
    """Why an analysis was not made with this model and these parameters; empty where it was."""
    model = analysis.model
    if model.sha256 != then.sha256:
        return N_("the analysis was made with other weights (%(model)s)") % {"model": model.title}
    if _is_another(model.second_look, then.second_look):
        return N_("the analysis was made with another second look")
    if (model.temperature, model.segment, model.exhibit) not in _calibrations(then):
        return N_("the analysis was made with another calibration")
    if other := _other_parameters(parameters, analysis.parameters, {analysis.media.kind}):
        return N_("the analysis was made with other parameters (%(names)s)") % {"names": ", ".join(other)}
    return ""


def not_as_measured(analysis: Analysis) -> list[str]:
    """Parameters of an analysis with which the figures on its model's card were not measured.

    Measured were those shipped at the time: what a version did not have yet is in its analyses as before it.
    Without a second look nothing that concerns it plays a part.
    """
    without = (name for name, versions in LATER_PARAMETERS.items() if analysis.schema_version in versions)
    shipped = SHIPPED.model_copy(update=zero_values(without))
    other = _other_parameters(shipped, analysis.parameters, {analysis.media.kind})
    return (
        other
        if analysis.model.second_look
        else [name for name in other if name not in SECOND_LOOK_PARAMETERS]
    )


def _calibrations(then: ValidatedModel) -> list[tuple[float, Platt | None, Platt | None]]:
    """What an analysis by the model may state: where its second look was taken, that of fused logits.

    Without it (nobody was seen well enough) an analysis states the scan's own.
    """
    own = (then.temperature, then.segment, then.exhibit)
    return [own, (1.0, None, None)] if then.second_look else [own]


def _is_another(one: SecondLookModel | None, other: SecondLookModel | None) -> bool:
    """Whether two second looks differ; by their cards only where both were recorded."""
    if one is None or other is None:
        return one is not other
    cards = {one.card_sha256, other.card_sha256} - {None}
    return one.sha256 != other.sha256 or len(cards) > 1


# Where random areas lie, and what is decoded although nothing is made of it
_NO_RESULT = frozenset({"seed", "skip_unreferenced"})


def _other_parameters(then: Parameters, now: Parameters, kinds: Set[MediaKind]) -> list[str]:
    """Names of those that differ and change a result of exhibits of these kinds."""
    without = _NO_RESULT
    if MediaKind.VIDEO not in kinds:
        without |= VIDEO_PARAMETERS
    if MediaKind.IMAGE not in kinds:
        without |= PHOTO_PARAMETERS
    names = [name for name in Parameters.model_fields if name not in without]
    return [name for name in names if getattr(then, name) != getattr(now, name)]
