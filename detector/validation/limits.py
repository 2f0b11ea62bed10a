"""State the limits of a validation: where its material is thin and where the model does worse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product

from detector.schema.causes.cause import Cause, CauseParameter
from detector.schema.causes.validations import ValidationLimitCode
from detector.schema.formatting import N_
from detector.schema.laboratory import Level, LikelihoodRatios, Repetition, Subject, ValidationItem
from detector.statistics.likelihood_ratios import LEAST_OF_A_CLASS, has_single_group_class
from detector.validation.rates import UNITS, items_of, part_of, scored_items
from detector.verdict.validated_domain import OTHER_CODECS, STILL_AS_VIDEO

FEW = 30  # files or groups of a class; with fewer, zero errors are compatible with a rate above one in ten
_MOST_NAMED = 5
_MANIPULATED = {
    Subject.VIDEO: N_("manipulated clips"),
    Subject.IMAGE: N_("manipulated photographs"),
    Subject.VOICE: N_("synthetic voices"),
}
_UNMANIPULATED = {
    Subject.VIDEO: N_("unmanipulated clips"),
    Subject.IMAGE: N_("unmanipulated photographs"),
    Subject.VOICE: N_("human voices"),
}
# Of one, and of several; a property that an exhibit has or lacks has no range.
_WITHOUT_RANGE = {
    OTHER_CODECS: (ValidationLimitCode.ONE_IN_OTHER_CODEC, ValidationLimitCode.IN_OTHER_CODECS),
    STILL_AS_VIDEO: (ValidationLimitCode.ONE_STILL, ValidationLimitCode.STILLS),
}


def find_limits(
    items: Sequence[ValidationItem],
    levels: Sequence[Level],
    ratios: Sequence[LikelihoodRatios],
    repetitions: Sequence[Repetition],
    labelled: Sequence[str],
    *,
    voices: bool = False,
) -> tuple[Cause, ...]:
    """Return the limits of faces, or of voices, most serious first."""
    items = [item for item in items if (item.kind is Subject.VOICE) == voices]
    if not items:
        return ()
    levels = [level for level in levels if (level.kind is Subject.VOICE) == voices]
    ratios = [ratio for ratio in ratios if (ratio.kind is Subject.VOICE) == voices]
    repetitions = [repetition for repetition in repetitions if repetition.voices == voices]
    return (
        *_failed(items),
        *_few(levels),
        *_few_groups(items),
        *_worse(levels),
        *_outside(items),
        *_without_ratios(items, levels, ratios),
        *_not_repeatable(repetitions),
        *_not_labelled(labelled, _VOICE_LABELS if voices else _LABELS),
    )


def _failed(items: Sequence[ValidationItem]) -> Iterator[Cause]:
    failed = {item.sha256 for item in items if item.error is not None}
    files = {item.sha256 for item in items}
    if failed:
        code = ValidationLimitCode.FILE_FAILED if len(failed) == 1 else ValidationLimitCode.FILES_FAILED
        yield code.cause(failed=len(failed), files=len(files))


def _few(levels: Sequence[Level]) -> Iterator[Cause]:
    for level in levels:
        if level.attribute:
            continue
        for noun, outcomes in (
            (_MANIPULATED[level.kind], level.manipulated),
            (_UNMANIPULATED[level.kind], level.unmanipulated),
        ):
            if outcomes.total == 1:
                yield ValidationLimitCode.ONE_MEASURED.cause(material=noun)
            elif outcomes.total < FEW:
                yield ValidationLimitCode.FEW_MEASURED.cause(items=outcomes.total, material=noun)
            silent = outcomes.inconclusive + outcomes.not_judged
            if outcomes.total and silent / outcomes.total > 0.1:
                about: dict[str, CauseParameter] = {"items": outcomes.total, "material": noun}
                if silent == 1:
                    yield ValidationLimitCode.ONE_INCONCLUSIVE.cause(**about)
                else:
                    yield ValidationLimitCode.MANY_INCONCLUSIVE.cause(events=silent, **about)


def _few_groups(items: Sequence[ValidationItem]) -> Iterator[Cause]:
    """Report that dependent files count as one for each group."""
    for kind, manipulated in product(_MANIPULATED, (True, False)):
        of_class = [item for item in items_of(kind, items) if item.manipulated is manipulated]
        groups = len({item.group for item in of_class})
        if groups == len(of_class) or groups >= FEW:
            continue
        noun = (_MANIPULATED if manipulated else _UNMANIPULATED)[kind]
        if groups == 1:
            yield ValidationLimitCode.ONE_GROUP.cause(items=len(of_class), material=noun)
        else:
            yield ValidationLimitCode.FEW_GROUPS.cause(items=len(of_class), material=noun, groups=groups)


def _worse(levels: Sequence[Level]) -> Iterator[Cause]:
    """Report subgroups whose whole interval lies above the overall rate."""
    for level in levels:
        overall = next(other for other in levels if other.kind is level.kind and not other.attribute)
        if not level.attribute:
            continue
        for figure in (N_("false positive rate"), N_("false negative rate")):
            # A generator has no unmanipulated files of its own.
            if level.attribute == "generator" and figure == "false positive rate":
                continue
            all_of, own = overall.rate_of(figure), level.rate_of(figure)
            if all_of and own and own.low is not None and own.low > all_of.value:
                yield ValidationLimitCode.WORSE.cause(
                    subjects_first=UNITS[level.kind],
                    property=level.attribute,
                    level=(part_of(level),),
                    figure=figure,
                    own_rate=own.value,
                    events=own.events or 0,
                    items=own.items,
                    all_rate=all_of.value,
                )


def _outside(items: Sequence[ValidationItem]) -> Iterator[Cause]:
    for kind in Subject:
        of_kind = items_of(kind, items)
        counts = Counter(name for item in of_kind for name in item.outside)
        for name, count in counts.most_common(_MOST_NAMED):
            about: dict[str, CauseParameter] = {"items": len(of_kind), "subjects": UNITS[kind]}
            if name not in _WITHOUT_RANGE:
                yield ValidationLimitCode.OUTSIDE_RANGE.cause(events=count, property=name, **about)
                continue
            one, several = _WITHOUT_RANGE[name]
            yield one.cause(**about) if count == 1 else several.cause(events=count, **about)


def _without_ratios(
    items: Sequence[ValidationItem], levels: Sequence[Level], ratios: Sequence[LikelihoodRatios]
) -> Iterator[Cause]:
    there = {ratio.kind for ratio in ratios}
    for level in levels:
        if not level.attribute and level.kind not in there:
            scored = scored_items(items_of(level.kind, items))
            if scored.has_both and has_single_group_class(scored):
                yield ValidationLimitCode.NO_RATIOS_OF_ONE_GROUP.cause(subjects=UNITS[level.kind])
            else:
                yield ValidationLimitCode.NO_RATIOS.cause(
                    subjects=UNITS[level.kind], least_items=LEAST_OF_A_CLASS
                )
    for ratio in ratios:
        cost = round(ratio.systems[1].cllr, 2)
        if cost >= 1:
            code = ValidationLimitCode.RATIOS_WORSE_THAN_NOTHING
            if cost == 1:
                code = ValidationLimitCode.RATIOS_AS_NOTHING
            yield code.cause(subjects=UNITS[ratio.kind], cllr=cost)


def _not_repeatable(repetitions: Sequence[Repetition]) -> Iterator[Cause]:
    if not repetitions:
        yield ValidationLimitCode.NOT_REPEATED.cause()
    for repetition in repetitions:
        if repetition.verdicts_changed and repetition.cause is not None:
            yield ValidationLimitCode.NOT_REPEATABLE.cause(
                events=repetition.verdicts_changed, items=repetition.items, repetition=(repetition.cause,)
            )


_LABELS = N_("generator"), N_("group"), N_("segments"), N_("persons"), N_("skin tone"), N_("sex")
_VOICE_LABELS = (
    N_("voice generator"), "group", N_("voice segments"), "persons", "sex", N_("language")
)  # fmt: skip


def _not_labelled(labelled: Sequence[str], attributes: Sequence[str]) -> Iterator[Cause]:
    lacking = [name for name in attributes if name not in labelled]
    if lacking:
        yield ValidationLimitCode.NOT_LABELLED.cause(lacking=tuple(lacking))
    if "group" in lacking and "persons" in lacking:
        yield ValidationLimitCode.WITHOUT_GROUPS.cause()
