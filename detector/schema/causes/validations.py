"""What a validation states: remarks on its material, limits, and how analyses were repeated."""

from __future__ import annotations

from collections.abc import Sequence
from enum import member

from detector.schema.causes.anomalies import decimals, one
from detector.schema.causes.cause import PARAMETERS, CauseCode, Parameter, Words
from detector.schema.formatting import N_


def _term(words: Words, text: str) -> str:
    return words.message(text)


def _terms(words: Words, texts: Sequence[str]) -> str:
    return ", ".join(map(words.message, texts))


def _first_term(words: Words, text: str) -> str:
    term = words.message(text)
    return term[:1].upper() + term[1:]


def _unit(words: Words, unit: str) -> str:
    return f" {words.message(unit)}" if unit else ""


def _rate(words: Words, rate: float) -> str:
    return words.number(f"{100 * rate:.0f} %")


def _chosen_rate(words: Words, rate: float) -> str:
    """Write a rate with all its decimals."""
    return words.number(f"{100 * rate:.10g} %")


PARAMETERS |= {
    "backends": Parameter(tuple, "names of back ends", form=lambda _words, names: ", ".join(names)),
    "all_rate": Parameter(float, "the rate over all", form=_rate),
    "cllr": Parameter(float, "log-likelihood-ratio cost", form=decimals(".2f")),
    "cost": Parameter(float, "how many false negatives a false positive counts", form=decimals("g")),
    "columns": Parameter(tuple, "names of columns", form=lambda _words, names: ", ".join(names)),
    "copies": Parameter(int, "number of files"),
    "events": Parameter(int, "number of errors"),
    "failed": Parameter(int, "number of files", form=decimals(",")),
    "figure": Parameter(str, "name of a figure", form=_term),
    "files": Parameter(int, "number of files", form=decimals(",")),
    "from_value": Parameter(float, "lower end of a range", form=decimals("g")),
    "groups": Parameter(int, "number of groups"),
    "highest_rate": Parameter(float, "highest rate that was asked for", form=_chosen_rate),
    "items": Parameter(int, "number of files or voices", form=decimals(",")),
    "label": Parameter(str, "a label of the laboratory"),
    "lacking": Parameter(tuple, "what is not labelled", form=_terms),
    "least_items": Parameter(int, "least number of files or voices of either label"),
    "level": Parameter(tuple, "part of the material", form=one),
    "material": Parameter(str, "kind of files or voices, such as `human voices`", form=_term),
    "own_rate": Parameter(float, "the rate over a part of the material", form=_rate),
    "prior": Parameter(float, "expected share of manipulated exhibits", form=_chosen_rate),
    "processor": Parameter(str, "name of a processor"),
    "property": Parameter(str, "name of a property", form=_term),
    "repetition": Parameter(tuple, "how analyses were repeated", form=one),
    "subjects": Parameter(str, "`clips`, `photographs` or `voices`", form=_term),
    "subjects_first": Parameter(str, "`clips`, `photographs` or `voices`", form=_first_term),
    "unit": Parameter(str, "unit of a property; empty: none", form=_unit),
    "up_to_value": Parameter(float, "upper end of a range, which it does not include", form=decimals("g")),
    "version": Parameter(str, "version of Reelproof"),
    "versions": Parameter(int, "number of versions"),
}


def _labelled_as(_words: Words, label: str) -> str:
    """%(label)s"""
    return label


class LevelCode(CauseCode):
    """A part of the material."""

    LABELLED_AS = member(_labelled_as)
    BELOW = N_("below %(up_to_value)s%(unit)s")
    AND_MORE = N_("%(from_value)s and more%(unit)s")
    IN_RANGE = N_("%(from_value)s to %(up_to_value)s%(unit)s")


class RepetitionCode(CauseCode):
    """How analyses were repeated."""

    SAME_BACKEND = N_("again, the same back end (%(backends)s)")
    OTHER_BACKEND = N_("again, another back end (%(backends)s)")
    OTHER_MACHINE = N_("on another machine (%(processor)s, Reelproof %(version)s)")
    VOICES_AGAIN = N_("voices, again")
    VOICES_ON_OTHER_MACHINE = N_("voices, on another machine (%(processor)s, Reelproof %(version)s)")


class ThresholdCode(CauseCode):
    """How a laboratory chose a threshold."""

    FALSE_POSITIVE_RATE = N_("a measured false positive rate of at most %(highest_rate)s")
    LEAST_COST = N_(
        "least cost, a false positive counting %(cost)s times a false negative and %(prior)s of all exhibits "
        "being manipulated"
    )


class MaterialCode(CauseCode):
    """Remarks on the material."""

    COLUMNS_NOT_USED = N_("Columns not used: %(columns)s.")
    COPY_LEFT_OUT = N_("1 file is a copy of another and was left out.")
    COPIES_LEFT_OUT = N_("%(copies)s files are copies of others and were left out.")
    SEVERAL_VERSIONS = N_(
        "The analyses were made by %(versions)s versions of the program; the libraries named are those "
        "of the newest."
    )


class ValidationLimitCode(CauseCode):
    """Limits of a validation: where its material is thin and where the model does worse."""

    FILE_FAILED = N_("%(failed)s of %(files)s files could not be analysed and is in none of the figures.")
    FILES_FAILED = N_("%(failed)s of %(files)s files could not be analysed and are in none of the figures.")
    ONE_MEASURED = N_("Only one item of %(material)s was measured: its rates are hardly known.")
    FEW_MEASURED = N_("Only %(items)s %(material)s were measured: their rates are hardly known.")
    ONE_INCONCLUSIVE = N_("1 of %(items)s %(material)s was left inconclusive.")
    MANY_INCONCLUSIVE = N_("%(events)s of %(items)s %(material)s were left inconclusive.")
    ONE_GROUP = N_("The %(items)s %(material)s belong to one group, and are worth little more than one file.")
    FEW_GROUPS = N_(
        "The %(items)s %(material)s belong to only %(groups)s groups, and are worth little more than "
        "as many files."
    )
    WORSE = N_(
        "%(subjects_first)s with %(property)s %(level)s: the %(figure)s is %(own_rate)s (%(events)s of "
        "%(items)s), against %(all_rate)s over all."
    )
    OUTSIDE_RANGE = N_(
        "%(events)s of %(items)s %(subjects)s lie outside the range of %(property)s that was measured "
        "for the model's card; they are included here."
    )
    ONE_IN_OTHER_CODEC = N_(
        "1 of %(items)s %(subjects)s uses a codec on which the model was not measured for its card; it "
        "is included here."
    )
    IN_OTHER_CODECS = N_(
        "%(events)s of %(items)s %(subjects)s use codecs on which the model was not measured for its "
        "card; they are included here."
    )
    ONE_STILL = N_(
        "1 of %(items)s %(subjects)s is a still shown as a video, which was not measured for the "
        "model's card; it is included here."
    )
    STILLS = N_(
        "%(events)s of %(items)s %(subjects)s are stills shown as videos, which were not measured for "
        "the model's card; they are included here."
    )
    NO_RATIOS = N_(
        "No likelihood ratios for %(subjects)s: at least %(least_items)s judged ones of each label are "
        "needed."
    )
    NO_RATIOS_OF_ONE_GROUP = N_(
        "No likelihood ratios for %(subjects)s: all of one label belong to one group, so ratios could "
        "not be tested on other groups than those they were made from."
    )
    RATIOS_AS_NOTHING = N_(
        "The likelihood ratios of %(subjects)s cost as much (Cllr %(cllr)s) as saying nothing (1): do not "
        "use them."
    )
    RATIOS_WORSE_THAN_NOTHING = N_(
        "The likelihood ratios of %(subjects)s cost more (Cllr %(cllr)s) than saying nothing (1): do not use "
        "them."
    )
    NOT_REPEATED = N_("Nothing was analysed twice, so nothing is known of repeatability.")
    NOT_REPEATABLE = N_("%(events)s of %(items)s verdicts changed when analysed %(repetition)s.")
    NOT_LABELLED = N_("Not labelled, so nothing is known of it: %(lacking)s.")
    WITHOUT_GROUPS = N_(
        "Without groups or persons each file counts as independent: where several show the same people or "
        "come from one source, intervals are too narrow."
    )
