"""State the limits of a validation: where its material is thin and where the model does worse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product

from detector.schema.formatting import N_
from detector.schema.laboratory import Level, LikelihoodRatios, Repetition, Subject, ValidationItem
from detector.statistics.likelihood_ratios import LEAST_OF_A_CLASS, has_single_group_class
from detector.validation.rates import UNITS, items_of, scored_items
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
# Singular and plural; a property that an exhibit has or lacks has no range.
_WITHOUT_RANGE = {
    OTHER_CODECS: (
        N_(
            "%(count)s of %(all)s %(clips)s is in a codec that the model's card was not measured in; here it "
            "was measured all the same."
        ),
        N_(
            "%(count)s of %(all)s %(clips)s are in codecs that the model's card was not measured in; here "
            "they were measured all the same."
        ),
    ),
    STILL_AS_VIDEO: (
        N_(
            "%(count)s of %(all)s %(clips)s is a still shown as a video, of which the model's card measured "
            "none; here it was measured all the same."
        ),
        N_(
            "%(count)s of %(all)s %(clips)s are stills shown as videos, of which the model's card measured "
            "none; here they were measured all the same."
        ),
    ),
}


def find_limits(
    items: Sequence[ValidationItem],
    levels: Sequence[Level],
    ratios: Sequence[LikelihoodRatios],
    repetitions: Sequence[Repetition],
    labelled: Sequence[str],
    *,
    voices: bool = False,
) -> tuple[str, ...]:
    """Return the limits of faces, or of voices, one sentence each, most serious first."""
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


def _failed(items: Sequence[ValidationItem]) -> Iterator[str]:
    failed = {item.sha256 for item in items if item.error is not None}
    if failed:
        words = N_("%(failed)s of %(items)s files could not be analysed and are in none of the figures.")
        if len(failed) == 1:
            words = N_("%(failed)s of %(items)s files could not be analysed and is in none of the figures.")
        yield words % {"failed": f"{len(failed):,}", "items": f"{len({item.sha256 for item in items}):,}"}


def _few(levels: Sequence[Level]) -> Iterator[str]:
    for level in levels:
        if level.attribute:
            continue
        for noun, outcomes in (
            (_MANIPULATED[level.kind], level.manipulated),
            (_UNMANIPULATED[level.kind], level.unmanipulated),
        ):
            if outcomes.total < FEW:
                words = (
                    N_("Of %(what)s only one was measured: rates over them are hardly known.")
                    if outcomes.total == 1
                    else N_("Only %(count)s %(what)s were measured: rates over them are hardly known.")
                )
                yield words % {"count": f"{outcomes.total:,}", "what": noun}
            silent = outcomes.inconclusive + outcomes.not_judged
            if outcomes.total and silent / outcomes.total > 0.1:
                words = (
                    N_("%(silent)s of %(total)s %(what)s was left inconclusive.")
                    if silent == 1
                    else N_("%(silent)s of %(total)s %(what)s were left inconclusive.")
                )
                yield words % {
                    "silent": f"{silent:,}",
                    "total": f"{outcomes.total:,}",
                    "what": noun,
                }


def _few_groups(items: Sequence[ValidationItem]) -> Iterator[str]:
    """Report that dependent files count as one for each group."""
    for kind, manipulated in product(_MANIPULATED, (True, False)):
        of_class = [item for item in items_of(kind, items) if item.manipulated is manipulated]
        groups = len({item.group for item in of_class})
        if groups == len(of_class) or groups >= FEW:
            continue
        words = N_(
            "The %(count)s %(what)s belong to %(groups)s groups only and tell little more than as many files."
        )
        if groups == 1:
            words = N_("The %(count)s %(what)s belong to one group, and tell little more than one file.")
        yield words % {
            "count": f"{len(of_class):,}",
            "what": (_MANIPULATED if manipulated else _UNMANIPULATED)[kind],
            "groups": groups,
        }


def _worse(levels: Sequence[Level]) -> Iterator[str]:
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
                words = N_(
                    "%(clips)s with %(property)s %(name)s: the %(figure)s is %(own)s "
                    "(%(events)s of %(items)s), against %(all)s over all."
                )
                yield words % {
                    "clips": UNITS[level.kind].capitalize(),
                    "property": level.attribute,
                    "name": level.name,
                    "figure": figure,
                    "own": f"{100 * own.value:.0f} %",
                    "events": own.events,
                    "items": own.items,
                    "all": f"{100 * all_of.value:.0f} %",
                }


def _outside(items: Sequence[ValidationItem]) -> Iterator[str]:
    for kind in Subject:
        of_kind = items_of(kind, items)
        counts = Counter(name for item in of_kind for name in item.outside)
        for name, count in counts.most_common(_MOST_NAMED):
            words = N_(
                "%(count)s of %(all)s %(clips)s lie outside the range of %(property)s that the model's card "
                "was measured in; here they were measured all the same."
            )
            if name in _WITHOUT_RANGE:
                words = _WITHOUT_RANGE[name][count > 1]
            yield words % {
                "count": f"{count:,}",
                "all": f"{len(of_kind):,}",
                "clips": UNITS[kind],
                "property": name,
            }


def _without_ratios(
    items: Sequence[ValidationItem], levels: Sequence[Level], ratios: Sequence[LikelihoodRatios]
) -> Iterator[str]:
    there = {ratio.kind for ratio in ratios}
    for level in levels:
        if not level.attribute and level.kind not in there:
            scored = scored_items(items_of(level.kind, items))
            words = N_(
                "No likelihood ratios for %(clips)s: that takes at least %(least)s judged ones of either "
                "label."
            )
            if scored.has_both and has_single_group_class(scored):
                words = N_(
                    "No likelihood ratios for %(clips)s: all of one label belong to one group, so ratios "
                    "could not be tried on others than they were made of."
                )
            yield words % {"clips": UNITS[level.kind], "least": LEAST_OF_A_CLASS}
    for ratio in ratios:
        cost = round(ratio.systems[1].cllr, 2)
        if cost >= 1:
            words = N_(
                "The likelihood ratios of %(clips)s cost more (Cllr %(cllr)s) than saying nothing (1): do "
                "not use them."
            )
            if cost == 1:
                words = N_(
                    "The likelihood ratios of %(clips)s cost as much (Cllr %(cllr)s) as saying nothing (1): "
                    "do not use them."
                )
            yield words % {"clips": UNITS[ratio.kind], "cllr": f"{cost:.2f}"}


def _not_repeatable(repetitions: Sequence[Repetition]) -> Iterator[str]:
    if not repetitions:
        yield N_("Nothing was analysed twice, so nothing is known of repeatability.")
    for repetition in repetitions:
        if repetition.verdicts_changed:
            words = N_("%(changed)s of %(items)s verdicts changed when analysed %(how)s.")
            yield words % {
                "changed": repetition.verdicts_changed,
                "items": repetition.items,
                "how": repetition.how,
            }


_LABELS = N_("generator"), N_("group"), N_("segments"), N_("persons"), N_("skin tone"), N_("sex")
_VOICE_LABELS = (
    N_("voice generator"), "group", N_("voice segments"), "persons", "sex", N_("language")
)  # fmt: skip


def _not_labelled(labelled: Sequence[str], attributes: Sequence[str]) -> Iterator[str]:
    lacking = [name for name in attributes if name not in labelled]
    if lacking:
        yield N_("Not labelled, so nothing is known of it: %(lacking)s.") % {"lacking": ", ".join(lacking)}
    if "group" in lacking and "persons" in lacking:
        yield N_(
            "Without groups or persons each file counts as independent: where several show the same people "
            "or come from one source, intervals are too narrow."
        )
