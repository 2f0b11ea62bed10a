"""The custody section of the report, from an exported ``custody.json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from language.formatting import exact_moment, in_utc, plural, shown
from language.names import actor_name, one_line
from language.translation import N_, UNTRANSLATED, failure_texts, gettext, ngettext, translated
from reports.custody.chain import check_export, export_clock, exported_too_early
from reports.custody.format import CustodyError, Entry, ExportedLog, read_export
from reports.wording.sections import Fact

NAMES = (
    # intake, export, deletion
    N_("name"), N_("bytes"), N_("first name"), "first handed in", N_("kept file"), N_("file"),
    N_("sha256"), N_("log count"), N_("log head"), N_("state"), N_("judgements"), N_("exhibit"), N_("what"),
    N_("reason"),
    # analyses and comparisons
    N_("model"), N_("settings"), N_("priority"), N_("before"), N_("attempt"), N_("worker"), N_("process"),
    N_("error"), N_("verdict"), N_("probability"), N_("voice"), N_("finding sha256"), N_("model sha256"),
    N_("manifest sha256"), N_("analysis sha256"), N_("reference"), N_("related"), N_("segments"),
    N_("outcome"), N_("comparison sha256"), N_("sha256sums sha256"),
    # annotations and second reviews
    N_("kind"), N_("id"), N_("about"), N_("said to be by"), N_("new"), N_("known"), N_("unverified"),
    N_("case"), N_("case name"), N_("first"), N_("second"), N_("third"), N_("hidden from the second"),
    N_("named"), N_("part"), N_("hidden until then"), N_("conclusion"),
    # case details
    N_("case number"), N_("exhibit number"), N_("examiner"), N_("organisation"), N_("paper"), N_("time zone"),
    # integrity checks
    N_("result"), N_("sha256 found"), N_("bytes found"), N_("problem"),
)  # fmt: skip
"""Names of details; ``reelproof``, the version, is not translated."""

_WORDS = (
    N_("its worker ended"), N_("the exhibit was deleted"), N_("the reference was deleted"),
    N_("deleted with it"), N_("kept, other analyses use it"),
    "was missing or damaged; put back from what was handed in now", N_("removed"), N_("comparison"),
    N_("segment"), N_("span"), N_("rename"), N_("merge"), N_("split"), N_("withdrawal"), N_("judgement"),
    N_("message"), N_("proposal"), N_("acceptance"), N_("decision"), N_("stretch"), N_("findings"),
    N_("unrelated"), N_("faces differ"), N_("shows more"), N_("no face compared"), N_("parts differ"),
    N_("no difference"), N_("fits"), N_("changed"), N_("missing"), N_("unreadable"), N_("nobody"),
)  # fmt: skip
"""What Reelproof itself says in a detail, beside :data:`language.stored_words.WORDS`."""

# What entries of the log call otherwise than pages.
_SHOWN_AS = {
    "first handed in": N_("first uploaded"),
    "was missing or damaged; put back from what was handed in now": N_(
        "was missing or damaged; replaced by the new upload"
    ),
}

# Whose values Reelproof gives; all others are names, numbers, checksums and what somebody wrote.
_IN_WORDS = frozenset(
    (
        "kept file", "state", "exhibit", "what", "reason", "priority", "before", "verdict",
        "voice", "related", "outcome", "kind", "about", "hidden from the second", "part",
        "hidden until then", "conclusion", "result", "named",
    )
)  # fmt: skip


def details_in_words(details: Mapping[str, str | int]) -> Iterator[tuple[str, str]]:
    """Return names and values of an entry's details in the current language, without empty ones.

    Reviewers appear by name; the log itself stores numbers of accounts.
    """
    for name, value in details.items():
        text = str(value)
        if name == "cause":  # says the same as the error, as code and parameters
            continue
        if name == "error":
            text = failure_texts(details.get("cause"), text, None)[0]
        if name == "named" and text != "nobody":
            continue
        if name in _IN_WORDS or text == "removed":  # the latter of case details
            text = translated(_SHOWN_AS.get(text, text))
        if text:
            yield translated(_SHOWN_AS.get(name, name)), text


MOST_ROWS = 300
_NOT_KEPT = (
    N_(
        "No log is available. This analysis was made on the command line or passed on without its log, so "
        "this report does not show who held the exhibit, and when."
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
    """The custody log in a report; ``problems`` are those of its own check, ``notes`` concern its times."""

    summary: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    facts: tuple[Fact, ...]
    rows: tuple[CustodyLine, ...]


def custody_view(data: bytes | None, exhibit_sha256: str) -> CustodyView:
    """Describe the log of an exhibit.

    A log that cannot be read, contradicts itself or is about another file is not hidden: the report states
    it.
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
    own = [entry for entry in log.entries if entry.exhibit in (None, exhibit_sha256)]
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
        rows=tuple(_custody_line(entry) for entry in own[-MOST_ROWS:]),
    )


def _summary(log: ExportedLog, own: list[Entry], wrong: bool) -> tuple[str, ...]:
    lines = [
        gettext(
            "The log contains %(entries)s about this exhibit, out of %(all)s in total when it was "
            "exported. Each entry contains the SHA-256 of the entry before it, so no entry can be "
            "changed, moved or removed from between others without detection. Removal of the last entries "
            "can be detected only with the log of the installation or a later export of it.",
            entries=plural(len(own), "entry", "entries"),
            all=shown(log.count, ","),
        )
    ]
    if not wrong:
        lines.append(gettext("When this report was created, the chain of its entries was intact."))
    if len(own) > MOST_ROWS:
        lines.append(
            gettext(
                "The newest %(most_rows)s follow; the enclosed custody.json contains all of them.",
                most_rows=MOST_ROWS,
            )
        )
    return tuple(lines)


def _notes(log: ExportedLog) -> Iterator[str]:
    clock = export_clock(log)
    for entry, before in clock.set_back:
        yield gettext(
            "Entry %(number)s, made on %(made)s, is older than the entry before it, %(before)s, made on "
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
            "According to the log it was exported on %(exported)s, before its last entry was made on "
            "%(made)s: a clock was set back, or the time of the export was changed.",
            exported=exact_moment(log.exported),
            made=exact_moment(last.made),
        )


def _custody_line(entry: Entry) -> CustodyLine:
    details = "; ".join(f"{name}: {value}" for name, value in details_in_words(entry.details))
    return CustodyLine(
        number=shown(entry.number, ","),
        made=exact_moment(entry.made),
        actor=actor_name(entry.actor),
        action=translated(entry.action),
        details=one_line(details),
    )
