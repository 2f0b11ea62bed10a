"""Times written in a file that contradict each other or cannot be true."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from detector import timestamps
from detector.schema.metadata import Anomaly, Moment
from detector.schema.translatable import N_

# Clocks are set by hand, and zones forgotten: less than this is no disagreement.
_SAME_TIME = timedelta(hours=26)
_AHEAD = timedelta(hours=26)
_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
IN_THE_FUTURE = N_("time in the future")
_CREATIONS_DISAGREE = N_("creation times disagree")
_FILE_AND_STREAM = N_("file and stream times differ")
_CHANGED_LATER = N_("changed after it was made")
DEPEND_ON_NOW = frozenset({IN_THE_FUTURE, _CREATIONS_DISAGREE, _FILE_AND_STREAM, _CHANGED_LATER})
"""A time that lay in the future may lie in the past by now, and then tell of others."""
# A written time, and the moment it means.
_Dated = tuple[Moment, datetime]


def of_times(times: tuple[Moment, ...], now: datetime) -> Iterator[Anomaly]:
    """Anomalies of the times in a file that was analysed at ``now``."""
    dated = [(each, timestamps.parse(each.utc)) for each in times if each.utc]
    yield from _impossible(dated, now)
    sane = [(each, moment) for each, moment in dated if _OLDEST <= moment <= now + _AHEAD]
    made = [(each, moment) for each, moment in sane if "modif" not in each.name.lower()]
    modified = [(each, moment) for each, moment in sane if "modif" in each.name.lower()]
    if made:
        yield from _made_on_different_days(made)
        yield from _file_and_streams(made)
    if made and modified:
        yield from _changed_later(made, modified)
    yield from _unreadable(times)


def _impossible(dated: Sequence[_Dated], now: datetime) -> Iterator[Anomaly]:
    if ahead := [each for each, moment in dated if moment > now + _AHEAD]:
        yield Anomaly(
            kind=IN_THE_FUTURE,
            observation=N_("Written times lie after the analysis: %(moments)s.")
            % {"moments": _moments(ahead)},
            concern=N_("At least this written time is wrong, so others from the same clock may be too."),
            innocent=N_("A camera's clock set wrong, or reset after its battery was empty."),
        )
    if early := [each for each, moment in dated if moment < _OLDEST]:
        yield Anomaly(
            kind=N_("time before digital video"),
            observation=N_("Written times lie before 1990: %(moments)s.") % {"moments": _moments(early)},
            concern=N_("The written time cannot be that of the recording."),
            innocent=N_("A clock that was never set, or a program that writes its zero."),
        )


def _made_on_different_days(made: Sequence[_Dated]) -> Iterator[Anomaly]:
    first, last = min(made, key=lambda e: e[1]), max(made, key=lambda e: e[1])
    if last[1] - first[1] > _SAME_TIME:
        yield Anomaly(
            kind=_CREATIONS_DISAGREE,
            observation=N_("Written times of creation are %(span)s apart: %(moments)s.")
            % {"span": _span(last[1] - first[1]), "moments": _moments([first[0], last[0]])},
            concern=N_("Parts of the file, or the file and its pictures, were written on different days."),
            innocent=N_(
                "Editing, converting or copying by some programs dates the file anew and keeps "
                "the old date of its parts."
            ),
        )


def _file_and_streams(made: Sequence[_Dated]) -> Iterator[Anomaly]:
    places = {each.place for each, _ in made}
    files = [m for each, m in made if each.place == "file"]
    parts = [m for each, m in made if each.place != "file"]
    if files and parts and len(places) > 1:
        apart = min(abs(a - b) for a in files for b in parts)
        if timedelta(seconds=60) < apart <= _SAME_TIME:
            yield Anomaly(
                kind=_FILE_AND_STREAM,
                observation=N_("The time of the file and those of its streams differ by %(span)s.")
                % {"span": _span(apart)},
                concern=N_("The container was written at another moment than its streams, as remuxing does."),
                innocent=N_(
                    "Long recordings, whole hours between zones, and programs that date streams by "
                    "their source."
                ),
            )


def _changed_later(made: Sequence[_Dated], modified: Sequence[_Dated]) -> Iterator[Anomaly]:
    later = max(moment for _, moment in modified) - min(moment for _, moment in made)
    if later > _SAME_TIME:
        yield Anomaly(
            kind=_CHANGED_LATER,
            observation=N_("The file says it was changed %(span)s after it was made.")
            % {"span": _span(later)},
            concern=N_("Something of the file was written anew later."),
            innocent=N_(
                "Rotating, naming, tagging, trimming in a phone's gallery or copying by some programs."
            ),
        )


def _unreadable(times: Sequence[Moment]) -> Iterator[Anomaly]:
    unreadable = [e for e in times if e.utc is None and not any(c.isdigit() for c in e.written)]
    if unreadable:
        yield Anomaly(
            kind=N_("unreadable time"),
            observation=N_("A tag for a time holds none: %(moments)s.") % {"moments": _moments(unreadable)},
            concern=N_("No camera writes this; some program or person did."),
            innocent=N_("A program that fills tags with placeholders."),
        )


def _moments(times: Iterable[Moment]) -> str:
    told = list(dict.fromkeys(f"{(t.utc or t.written)[:40]} ({t.place}, {t.name})" for t in times))
    return ", ".join(told[:4]) + (N_(" and %(told)s more") % {"told": len(told) - 4} if len(told) > 4 else "")


def _span(length: timedelta) -> str:
    if length.days >= 2:
        return N_("%(days)s days") % {"days": f"{length.days:,}"}
    hours, rest = divmod(int(length.total_seconds()), 3600)
    return (
        N_("%(hours)s h %(rest)s min") % {"hours": hours, "rest": rest // 60}
        if hours
        else N_("%(rest)s min") % {"rest": rest // 60}
    )
