"""Filters and globals of all templates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, assert_never

from flask import Flask, url_for
from markupsafe import Markup

from detector.files import FILES
from language import formatting, translation
from language.formatting import shown
from language.headlines import headline
from language.names import actor_name, model_title
from language.translation import N_, failure_texts, gettext, ngettext
from reports import fonts
from reports.custody.custody_section import details_in_words
from reports.inputs.case_fields import ASKED, PAPERS, STATED
from reports.review.second_review import PART_NAMES
from reports.wording.verbal_scale import flagged_phrase
from reports.wording.verdict_sentence import MARKS, mark_of
from webapp import context
from webapp.accounts import permissions
from webapp.casework import reviews
from webapp.jobs import parameters, recovery
from webapp.live import sessions
from webapp.storage.data_folder import Folders
from webapp.storage.finding_columns import row_verdicts
from webapp.storage.tables import AnalysisRow, Condition, Exhibit, Priority, State, now

_HIDDEN_PARTS = {
    "judgements": N_("what others said about an exhibit"),
    "findings": N_("what the machine found, and what others said about an exhibit"),
}
_ICONS = FILES / "static" / "icons"


def install(app: Flask) -> None:
    """Add filters and globals to the templates."""
    icons = {path.stem: Markup(path.read_text()) for path in sorted(_ICONS.glob("*.svg"))}
    app.jinja_env.globals.update(icon=icons.__getitem__, most_attempts=recovery.MAX_ATTEMPTS)
    app.jinja_env.globals["priorities"] = [priority.words for priority in Priority]
    filters: dict[str, Callable[..., Any]] = dict(
        size=short_size,
        moment=moment,
        ago=time_ago,
        file_name=formatting.file_name,
        actor_name=actor_name,
        model_title=model_title,
        details_in_words=details_in_words,
        shortened=formatting.shortened,
        probability=formatting.probability,
        flagged_phrase=flagged_phrase,
        figure=formatting.number,
        in_parts=translation.in_parts,
        grouped=formatting.grouped,
        verdict_class=verdict_class,
        verdicts=row_verdicts,
        picture_failure=picture_failure,
        verdicts_mark=mark_of,
        headline=headline,
        status_words=status_words,
        priority=priority,
        timecode=formatting.timecode,
        shown=formatting.shown,
        day=formatting.day,
        short_day=formatting.short_day,
        parameters_in_words=parameters.describe_parameters,
        damage=describe_damage,
    )
    app.jinja_env.filters.update(
        {name: translation.at_each_rendering(template_filter) for name, template_filter in filters.items()}
    )
    place = Folders.local(app.extensions["settings"].data).live
    app.jinja_env.globals["live_sessions"] = lambda: sessions.has_sessions(place)
    app.jinja_env.globals["figure_fonts"] = fonts.FIGURES
    app.jinja_env.globals.update(case_labels=STATED, case_asked=ASKED, papers=PAPERS)
    app.jinja_env.globals.update(review_hides=_HIDDEN_PARTS, part_names=PART_NAMES)

    def reviews_waiting() -> int | None:
        """Count the second reviews that wait for the caller; None for somebody who reviews nothing."""
        with context.database().begin() as session:
            return reviews.count_review_tasks(session, permissions.current_or_none())

    app.jinja_env.globals["reviews_waiting"] = reviews_waiting

    def asset(name: str) -> str:
        """Address of a static file, which never shows an old one: :mod:`webapp.http.responses`."""
        return url_for("static", filename=name)

    app.jinja_env.globals["asset"] = asset


def short_size(count: int) -> str:
    """Format a size in decimal units, without the exact number."""
    return formatting.size(count).partition(" (")[0]


def moment(value: datetime | None) -> str:
    """Format a moment in UTC to the second."""
    return formatting.moment(value) if value else ""


def time_ago(value: datetime) -> str:
    """Format roughly how long ago a moment was."""
    seconds = max(0, int((now() - value).total_seconds()))
    if seconds >= 86400:
        return ngettext("%(num)s day ago", "%(num)s days ago", seconds // 86400)
    if seconds >= 3600:
        return ngettext("%(num)s hour ago", "%(num)s hours ago", seconds // 3600)
    if seconds >= 60:
        return ngettext("%(num)s minute ago", "%(num)s minutes ago", seconds // 60)
    return gettext("just now")


def verdict_class(verdict: str | None) -> str:
    """Return the CSS class and icon of a verdict."""
    return MARKS.get(verdict or "", "none")


def status_words(row: AnalysisRow) -> str:
    """Describe the state of an analysis for the list."""
    if row.shown_state is State.EXPLAINING:
        return gettext("Pictures follow")
    if row.state == State.RUNNING:
        return gettext("Running, %(progress)s", progress=shown(row.progress, ".0%"))
    words = gettext(row.state.capitalize())
    if row.state in (State.QUEUED, State.PAUSED) and row.priority != Priority.NORMAL:
        words += gettext(", %(priority)s priority", priority=gettext(priority(row)))
    return words


def picture_failure(row: AnalysisRow) -> str:
    """Return why a finished analysis has no heatmaps, and what to do; empty if it was not recorded."""
    return " ".join(failure_texts(row.failure, None, None)).strip() if row.failure else ""


def priority(row: AnalysisRow) -> str:
    """Return the name of the analysis's priority."""
    return Priority(row.priority).words


def describe_damage(exhibit: Exhibit) -> str:
    """Describe the damage of an exhibit's file; empty if none is known."""
    condition = Condition(exhibit.condition) if exhibit.condition else None
    match condition:
        case None | Condition.FITS:
            return ""
        case Condition.CHANGED:
            return gettext("The stored file no longer has the bytes that were uploaded.")
        case Condition.MISSING:
            return gettext("The kept file is missing.")
        case Condition.UNREADABLE:
            return gettext("The kept file cannot be read.")
        case _:
            assert_never(condition)
