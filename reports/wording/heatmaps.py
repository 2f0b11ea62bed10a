"""Heatmaps in words: how they are made, and when the occlusion check confirms one."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import USUAL_AREAS, HideAndRescore, Model
from detector.schema.voice import VoiceCheck
from language.formatting import probability, shown, signed
from language.translation import gettext, ngettext

SEQUENCES = frozenset({"efficientnet_b3_transformer", "efficientnet_lstm"})
"""Architectures that judge several frames at once, and no mirror image of a photograph."""

# Second networks that are transformers (`gives_tokens` of the network, which takes torch to ask).
WINDOW_READERS = frozenset({"vit_small_14_windows"})
FORMER_TRANSFORMERS = frozenset({"vit_small_14_branch"})
"""Those of earlier analyses, which cannot be run any more."""
TRANSFORMERS = WINDOW_READERS | FORMER_TRANSFORMERS | {"vit_small_14", "vit_small_14_patch_heads"}


def is_joined(model: Model) -> bool:
    """Return whether maps come from both networks, one of them a transformer, or from what both share."""
    second = model.second_look
    return model.onnx is None and second is not None and second.architecture in TRANSFORMERS


def maps_of(model: Model, *, hides_parts: bool = True) -> str:
    """Name the method of a model's heatmaps, as the subject of "shows".

    ``hides_parts`` is false for analyses before 0.3.
    """
    if model.onnx is not None:
        return gettext(
            "an occlusion map (the face is scored repeatedly, each time with a different part hidden)"
        )
    if is_joined(model) and hides_parts:
        return gettext(
            "a map of hidden parts (how far the score would fall if a part of the face were left out, for "
            "the networks that raised it; Grad-CAM is stored beside it)"
        )
    if is_joined(model):
        return gettext(
            "a map of the network whose answer raised the score (Grad-CAM for the first network; "
            "HiResCAM, summed over several blocks, for the second; the geometric mean of both maps if "
            "both networks raised it)"
        )
    return "Grad-CAM"


def check_words(check: HideAndRescore, *, alone: bool = False) -> str:
    """Describe the effect of hiding the hottest area, and what follows from it.

    ``alone``: neighbouring faces contributed to the frame score, but not to the check.
    """
    figures = gettext(
        "Without the hottest %(area)s of the face the logit changes by %(change)s, without random areas "
        "of the same size by %(random)s on average.",
        area=shown(check.area, ".0%"),
        change=signed(-check.drop_highlight),
        random=signed(-check.drop_random),
    )
    if check.areas < USUAL_AREAS:
        figures = ngettext(
            "%(figures)s This average is rough: it covers only %(areas)s random area instead of "
            "%(usual)s, because many faces of this photograph share the time for such checks.",
            "%(figures)s This average is rough: it covers only %(areas)s random areas instead of "
            "%(usual)s, because many faces of this photograph share the time for such checks.",
            check.areas,
            figures=figures,
            areas=check.areas,
            usual=USUAL_AREAS,
        )
    if alone:
        figures = gettext(
            "%(figures)s For this test, the face is scored alone, without the faces before and after it "
            "that contributed to its frame score. The two scores therefore differ even if nothing is "
            "hidden.",
            figures=figures,
        )
    if check.confirmed:
        return gettext(
            "%(figures)s That is clearly more than chance: the map shows what the model used.",
            figures=figures,
        )
    return gettext(
        "%(figures)s That is not clearly more than chance: this map should not be relied upon.",
        figures=figures,
    )


_LEAST_SCALE = 1.0  # of the logit: smaller changes look small


@dataclass(frozen=True)
class HiddenArea:
    """What was hidden, the score then, and the change of the logit with its bar in shares of the width."""

    what: str
    score: str
    change: str
    start: float
    length: float


@dataclass(frozen=True)
class HidingView:
    """The effect of hiding areas, as bars on the scale of logits.

    A bar runs from ``zero`` to the right if the logit fell. A map that falls short of ``least`` is not
    confirmed.
    """

    rows: tuple[HiddenArea, ...]
    zero: float
    least: float


def hiding_view(check: HideAndRescore | VoiceCheck) -> HidingView:
    """Return what hiding areas of a face or a spectrogram changed."""
    area = shown(check.area, ".0%")
    hidden = [
        (gettext("Nothing"), check.probability, 0.0),
        (gettext("Hottest %(area)s", area=area), check.hidden_highlight, check.drop_highlight),
        (gettext("Random %(area)s", area=area), check.hidden_random, check.drop_random),
    ]
    if (
        isinstance(check, HideAndRescore)
        and check.hidden_middle is not None
        and check.drop_middle is not None
    ):
        hidden.append((gettext("Middle %(area)s", area=area), check.hidden_middle, check.drop_middle))
    low = min(0.0, *(drop for _, _, drop in hidden))
    width = max(_LEAST_SCALE, check.least_drop, *(drop for _, _, drop in hidden)) - low

    def place(drop: float) -> float:
        return round((drop - low) / width, 4)

    return HidingView(
        rows=tuple(
            HiddenArea(
                what,
                probability(score),
                signed(-drop) if number else "–",
                place(min(0.0, drop)),
                round(abs(drop) / width, 4),
            )
            for number, (what, score, drop) in enumerate(hidden)
        ),
        zero=place(0.0),
        least=place(check.least_drop),
    )
