"""Check whether an analysis or an installed model is the one that was validated."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from detector.models.card import Card, deciding_sha256
from detector.models.model_files import load_card, read_second_look
from detector.schema.analysis import Analysis, MediaKind, Parameters
from detector.schema.formatting import N_
from detector.schema.laboratory import (
    Laboratory,
    Subject,
    ValidatedModel,
    ValidatedVoiceModel,
    Validation,
)
from detector.schema.method import (
    LATER_PARAMETERS,
    PHOTO_PARAMETERS,
    SECOND_LOOK_PARAMETERS,
    VIDEO_PARAMETERS,
    zero_values,
)
from detector.schema.model import SecondLookModel
from detector.schema.voice import Voice
from detector.voice.card import read_voice_card

SHIPPED = Parameters()


def validated_model(model: str | Path | None, parameters: Parameters = SHIPPED) -> ValidatedModel:
    """Describe the named model, with its second look if ``parameters`` use one.

    Raises :class:`~detector.errors.ModelError` as loading does.
    """
    card, weights = load_card(model)
    if not parameters.second_look:
        return model_of_card(card.alone)
    return model_of_card(card.model_copy(update={"second_look": read_second_look(card, weights)}))


def model_of_card(card: Card) -> ValidatedModel:
    """Describe the model of a card, with its second look."""
    own = {
        name: getattr(card, name) for name in ValidatedModel.model_fields.keys() & Card.model_fields.keys()
    }
    own |= {"second_look": card.as_model().second_look, "card_sha256": deciding_sha256(card)}
    return ValidatedModel(**own)


def validated_voice_model() -> ValidatedVoiceModel:
    """Describe the shipped network of voices; raise :class:`~detector.errors.ModelError` without its card."""
    card = read_voice_card()
    own = {name: getattr(card, name) for name in ValidatedVoiceModel.model_fields if name != "card_sha256"}
    return ValidatedVoiceModel(**own, card_sha256=card.deciding_sha256)


def difference_to_models(
    validation: Validation | Laboratory, now: ValidatedModel, voices: ValidatedVoiceModel
) -> str:
    """Return why a validation does not apply to the current models; empty if it does."""
    then = validation.voice_model
    if then is not None and not validates_faces(validation):
        return difference_to_voice_model(then, voices)
    return difference_to_model(validation, now) or (
        "" if then is None else difference_to_voice_model(then, voices)
    )


def validates_faces(validation: Validation | Laboratory) -> bool:
    """Return whether faces were measured."""
    return any(level.kind is not Subject.VOICE for level in validation.levels)


def difference_to_voice_model(then: ValidatedVoiceModel, now: ValidatedVoiceModel) -> str:
    """Return why rates of voices do not apply to the network ``now``; empty if they do."""
    if then.sha256 != now.sha256:
        return N_("its rates of voices were made with other weights than those of %(model)s") % {
            "model": now.title
        }
    if then.card_sha256 != now.card_sha256:
        return N_("the calibration or the thresholds of %(model)s have changed since") % {"model": now.title}
    return ""


def difference_to_voice(then: ValidatedVoiceModel, voice: Voice) -> str:
    """Return why rates of voices do not apply to the finding of an analysis; empty if they do."""
    model, scores = voice.model, voice.scores
    if model.sha256 != then.sha256:
        return N_("its voices were examined with other weights (%(model)s)") % {"model": model.title}
    if (scores.enter, scores.leave) != (then.enter, then.leave) or model.card_sha256 not in (
        None,  # not recorded
        then.card_sha256,
    ):
        return N_("its voices were examined with another calibration or other thresholds")
    return ""


def difference_to_model(validation: Validation | Laboratory, now: ValidatedModel) -> str:
    """Return why rates of faces do not apply to the current model; empty if they do."""
    then = validation.model
    if then.sha256 != now.sha256:
        return N_("it was made with other weights than those of %(model)s") % {"model": now.title}
    if then.card_sha256 != now.card_sha256:
        return N_("the calibration or the second look of %(model)s has changed since") % {"model": now.title}
    return ""


def difference_to_validation(validation: Validation, now: ValidatedModel, parameters: Parameters) -> str:
    """Return why results may differ from a validation on any machine; empty if they should not."""
    if why := difference_to_models(validation, now, validated_voice_model()):
        return why
    kinds = {MediaKind(level.kind) for level in validation.levels if level.kind is not Subject.VOICE}
    if other := _other_parameters(validation.parameters, parameters, kinds):
        return f"it was made with other parameters ({', '.join(other)})"
    return ""


def difference_to_analysis(validation: Validation | Laboratory, analysis: Analysis) -> str:
    """Return why rates of faces do not apply to an analysis; empty if they do."""
    return difference_to_parameters(validation.model, validation.parameters, analysis)


def difference_to_parameters(then: ValidatedModel, parameters: Parameters, analysis: Analysis) -> str:
    """Return why an analysis was not made with this model and these parameters; empty if it was."""
    model = analysis.model
    if model.sha256 != then.sha256:
        return N_("the analysis was made with other weights (%(model)s)") % {"model": model.title}
    if _is_another(model.second_look, then.second_look):
        return N_("the analysis was made with another second look")
    own = (then.temperature, then.segment, then.exhibit)
    if (model.temperature, model.segment, model.exhibit) not in (
        [own, (1.0, None, None)] if then.second_look else [own]
    ):
        return N_("the analysis was made with another calibration")
    if other := _other_parameters(parameters, analysis.parameters, {analysis.media.kind}):
        return N_("the analysis was made with other parameters (%(names)s)") % {"names": ", ".join(other)}
    return ""


def unmeasured_parameters(analysis: Analysis) -> list[str]:
    """Return the parameters for which the model card has no measured error rates.

    Error rates were measured with the parameters shipped at the time. Without a second look its parameters do
    not matter.
    """
    without = (name for name, versions in LATER_PARAMETERS.items() if analysis.schema_version in versions)
    shipped = SHIPPED.model_copy(update=zero_values(without))
    other = _other_parameters(shipped, analysis.parameters, {analysis.media.kind})
    return (
        other
        if analysis.model.second_look
        else [name for name in other if name not in SECOND_LOOK_PARAMETERS]
    )


def _is_another(first: SecondLookModel | None, second: SecondLookModel | None) -> bool:
    """Check whether two second looks differ; their cards count only if both were recorded."""
    if first is None or second is None:
        return first is not second
    cards = {first.card_sha256, second.card_sha256} - {None}
    return first.sha256 != second.sha256 or len(cards) > 1


# The seed of random areas, decoding of frames that are not used, and sound, which changes nothing for faces
_NO_RESULT = frozenset({"seed", "skip_unreferenced", "sound"})


def _other_parameters(then: Parameters, now: Parameters, kinds: Set[MediaKind]) -> list[str]:
    """Return the names of different parameters that influence exhibits of these kinds."""
    without = _NO_RESULT
    if MediaKind.VIDEO not in kinds:
        without |= VIDEO_PARAMETERS
    if MediaKind.IMAGE not in kinds:
        without |= PHOTO_PARAMETERS
    names = [name for name in Parameters.model_fields if name not in without]
    return [name for name in names if getattr(then, name) != getattr(now, name)]
