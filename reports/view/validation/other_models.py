"""Models side by side in a validation, and all of them together by each rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from detector.schema.analysis import MediaKind
from detector.schema.joint_rule import JointRule
from detector.schema.laboratory.validation import ByOther, ByRule, Level
from reports.text.model_titles import model_title
from reports.text.translation.language import N_, Quoted, gettext
from reports.view.validation.levels import KINDS, LevelRow, level_row

_RULES = {
    JointRule.ANY: N_("manipulated if any model says so"),
    JointRule.MAJORITY: N_("what more than half of the models say"),
    JointRule.ALL: N_("what all models say"),
}


@dataclass(frozen=True)
class OtherModelsTable:
    """One kind of media: a row for each model, then one for each rule."""

    title: str
    models: tuple[LevelRow, ...]
    together: tuple[LevelRow, ...]


def other_models_tables(
    first: str, levels: Sequence[Level], others: Sequence[ByOther], joint: Sequence[ByRule]
) -> tuple[OtherModelsTable, ...]:
    """A table for each kind; none where one model was validated alone. ``first`` is its title."""
    if not others:
        return ()
    return tuple(
        OtherModelsTable(
            KINDS[kind],
            (
                *_rows(kind, gettext("%(model)s, validated here", model=first), levels),
                *(
                    row
                    for each in others
                    for row in _rows(kind, Quoted(model_title(each.model.title)), each.levels)
                ),
            ),
            tuple(row for each in joint for row in _rows(kind, gettext(_RULES[each.rule]), each.levels)),
        )
        for kind in KINDS
        if any(level.kind is kind for level in levels)
    )


def _rows(kind: MediaKind, name: str, levels: Iterable[Level]) -> Iterable[LevelRow]:
    return (level_row(each, name) for each in levels if each.kind is kind and not each.attribute)
