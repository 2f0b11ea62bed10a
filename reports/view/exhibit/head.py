"""What stands at the head of a report: which case and exhibit it is about, and when it was analysed."""

from __future__ import annotations

from dataclasses import dataclass, field

from detector.schema.analysis import Analysis
from reports.inputs.case import NOT_STATED, CaseDetails
from reports.inputs.case_fields import STATED
from reports.text import dates, numbers
from reports.text.translation.language import UNTRANSLATED, Quoted, gettext, translated
from reports.view.facts import Fact


@dataclass(frozen=True)
class HeadView:
    """By what a reader knows the report, and each of its pages. ``created_iso`` is for programs."""

    case: tuple[Fact, ...]
    running: str = field(metadata=UNTRANSLATED)  # at the head of every page
    file: str = field(metadata=UNTRANSLATED)
    file_short: str = field(metadata=UNTRANSLATED)
    exhibit_sha256: str = field(metadata=UNTRANSLATED)
    created: str
    created_iso: str = field(metadata=UNTRANSLATED)
    created_local: str
    zone: str = field(metadata=UNTRANSLATED)
    reelproof: str = field(metadata=UNTRANSLATED)


def head_view(analysis: Analysis, case: CaseDetails) -> HeadView:
    """Case, exhibit and moment of an analysis in words."""
    media, software = analysis.media, analysis.software
    created, created_iso = dates.in_utc(software.created)
    file = numbers.file_name(media.file)
    return HeadView(
        case=case_facts(case),
        running=_running(case),
        file=file,
        file_short=numbers.shortened(file),
        exhibit_sha256=media.sha256,
        created=created,
        created_iso=created_iso,
        created_local=dates.in_zone(software.created, case.time_zone),
        zone=case.time_zone,
        reelproof=software.reelproof,
    )


def case_facts(details: CaseDetails) -> tuple[Fact, ...]:
    """Numbers of case and exhibit, examiner, organisation; what was not given is said to be so."""
    given = details.model_dump()
    return tuple(
        Fact(translated(label), Quoted(numbers.file_name(given[name])) or gettext(NOT_STATED))
        for name, label in STATED.items()
    )


def _running(case: CaseDetails) -> str:
    """What the head of every page says of the case."""
    number = numbers.shortened(numbers.file_name(case.case_number), 28) or gettext(
        "number %(not_stated)s", not_stated=gettext(NOT_STATED)
    )
    exhibit = numbers.shortened(numbers.file_name(case.exhibit_number), 20)
    return gettext(
        "Case %(number)s%(exhibit)s",
        number=number,
        exhibit=(gettext(" · Exhibit %(exhibit)s", exhibit=exhibit) if exhibit else ""),
    )
