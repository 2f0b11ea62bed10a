"""Which of the figures on a model's card are of exhibits like this one."""

from __future__ import annotations

from detector.schema.analysis import Model

PHOTOGRAPHS = "photographs"  # unit of a rate
_ATTACKED = "100 faces"  # beginning of a figure's name
_CROPS = "crops"  # part of one of ready-made crops, which the scan alone scores


def concerns(model: Model, name: str, still: bool) -> bool:
    """Whether a figure or a set of data called ``name`` is of exhibits like this one: photos, or videos.

    All are where the card tells nothing of photos. Faces under attack stand on the card alone.
    """
    sets = {rate.data for rate in model.rates if rate.unit == PHOTOGRAPHS}
    if name.startswith(_ATTACKED):
        return False
    return not sets or still == any(name.startswith(each) for each in sets)


def calibration_error(model: Model, still: bool) -> float | None:
    """By how much probabilities of exhibits like this one were off, on average: the largest figure stated.

    None where none was measured. Beside a second look those of crops say nothing: the scan alone made them,
    by another calibration.
    """
    stated = [
        value
        for name, value in model.figures.items()
        if name.replace("_", " ").casefold().endswith("calibration error")
        and 0 <= value <= 1
        and concerns(model, name, still)
        and not (model.second_look is not None and _CROPS in name)
    ]
    return max(stated, default=None)
