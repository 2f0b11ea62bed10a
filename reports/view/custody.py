"""The custody log in words, from the bytes of an exported ``custody.json``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from reports.custody.chain import check_export, export_clock, exported_too_early
from reports.custody.format import CustodyError, Entry, ExportedLog, read_export
from reports.text.actors import actor_name
from reports.text.custody_details import details_in_words
from reports.text.dates import exact_moment, in_utc
from reports.text.free_text import one_line
from reports.text.numbers import plural, shown
from reports.text.translation.language import N_, UNTRANSLATED, gettext, ngettext, translated
from reports.view.facts import Fact

MOST_ROWS = 300
_NOT_KEPT = (
    N_(
        "Not kept. This analysis was made from a shell or handed on without its log, "
        "so this report says nothing about who held the exhibit, and when."
    ),
)


@dataclass(frozen=True)
class CustodyLine:
    """One entry as printed."""

    number: str
    made: str
    actor: str = field(metadata=UNTRANSLATED)
    action: str
    details: str = field(metadata=UNTRANSLATED)


@dataclass(frozen=True)
class CustodyView:
    """What a report shows of the log; without one all is empty.

    ``problems`` are those of its own check, ``notes`` say what its times show.
    """

    summary: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    facts: tuple[Fact, ...]
    rows: tuple[CustodyLine, ...]


def custody_view(data: bytes | None, exhibit_sha256: str) -> CustodyView:
    """The log of an exhibit put into words; None where there is none.

    A log that cannot be read, that contradicts itself or that is about another file is not
    hidden: the report says so.
    """
    if data is None:
        return CustodyView(_NOT_KEPT, (), (), (), ())
    try:
        log = read_export(data)
    except CustodyError as error:
        unreadable = gettext("A log was enclosed, but it cannot be read.")
        return CustodyView((unreadable,), (str(error),), (), (), ())
    problems = check_export(data)
    if log.exhibit not in (None, exhibit_sha256):
        problems.append(gettext("The log is about another exhibit."))
    own = [each for each in log.entries if each.exhibit in (None, exhibit_sha256)]
    return CustodyView(
        summary=_summary(log, own, bool(problems)),
        problems=tuple(problems),
        notes=tuple(_notes(log)),
        facts=(
            Fact(gettext("Exported"), in_utc(log.exported)[0]),
            Fact(gettext("Entries of the whole log"), shown(log.count, ",")),
            Fact(gettext("Head, SHA-256 of its last entry"), log.head, exact=True),
            Fact(gettext("MAC of the head"), log.head_mac, exact=True),
        ),
        rows=tuple(_line(each) for each in own[-MOST_ROWS:]),
    )


def _summary(log: ExportedLog, own: list[Entry], wrong: bool) -> tuple[str, ...]:
    lines = [
        gettext(
            "The log holds %(entries)s about this exhibit, of %(all)s in all when it was "
            "exported. Each entry holds the SHA-256 of the one before it, so that none can "
            "be changed, moved or taken out from between others unnoticed. Whether the last ones were "
            "taken out is shown by the installation's log or a later export of it.",
            entries=plural(len(own), "entry", "entries"),
            all=shown(log.count, ","),
        )
    ]
    if not wrong:
        lines.append(gettext("When this report was rendered, the chain of its entries fitted together."))
    if len(own) > MOST_ROWS:
        lines.append(
            gettext(
                "The newest %(most_rows)s follow; custody.json, enclosed, holds all of them.",
                most_rows=MOST_ROWS,
            )
        )
    return tuple(lines)


def _notes(log: ExportedLog) -> Iterator[str]:
    clock = export_clock(log)
    for entry, before in clock.set_back:
        yield gettext(
            "Entry %(number)s was made on %(made)s, before entry %(before)s, which precedes it, on "
            "%(earlier)s: a clock was set back, or clocks differed.",
            number=shown(entry.number, ","),
            made=exact_moment(entry.made),
            before=shown(before.number, ","),
            earlier=exact_moment(before.made),
        )
    if clock.more:
        yield ngettext(
            "%(num)s more entry was made before the one preceding it.",
            "%(num)s more entries were made before the one preceding them.",
            clock.more,
        )
    if (last := exported_too_early(log)) is not None:
        yield gettext(
            "The log says that it was exported on %(exported)s, before its last entry was made, on %(made)s: "
            "a clock was set back, or the moment of the export was changed.",
            exported=exact_moment(log.exported),
            made=exact_moment(last.made),
        )


def _line(entry: Entry) -> CustodyLine:
    details = "; ".join(f"{name}: {value}" for name, value in details_in_words(entry.details))
    return CustodyLine(
        number=shown(entry.number, ","),
        made=exact_moment(entry.made),
        actor=actor_name(entry.actor),
        action=translated(entry.action),
        details=one_line(details),
    )
