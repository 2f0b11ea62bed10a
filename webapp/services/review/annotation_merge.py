"""Annotations of a file, merged with those there are of an analysis.

A file names its authors, and anybody can write one. Where people sign in, an annotation of a file counts as
its author's only if the author is who imports it; every other one is kept as imported by them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from reports.review.annotation_file import SavedAnnotations, to_json
from reports.review.annotations import CLOCK_SKEW, Annotation, References, Withdrawal, verified
from reports.text import dates
from reports.text.numbers import grouped
from reports.text.translation.language import gettext, translated
from webapp.errors import UserError
from webapp.queries.results import LoadedResult
from webapp.services.review.annotations import MOST_ANNOTATIONS, annotation_row, listed
from webapp.storage.tables import AnalysisRow, now


@dataclass(frozen=True)
class Merged:
    """How many annotations of a file were new, and how many were there already.

    ``unverified`` of the new ones are not by who imported them; ``added`` are the new ones as they are kept.
    """

    new: int
    known: int
    unverified: int
    added: tuple[Annotation, ...]


# The annotations of a file, in order of time, each with why it speaks of nothing in the analysis
Checked = list[tuple[Annotation, str | None]]


def check(row: AnalysisRow, result: LoadedResult, saved: SavedAnnotations) -> Checked:
    """Check what does not depend on the annotations that are kept, before the session is alone.

    Raises :class:`UserError` for a file of another analysis.
    """
    _refuse_others(row.id, result, saved)
    known = References(result.analysis)  # the file's so far: what its page showed when the next one was made
    checked: Checked = []
    for annotation in saved.annotations:
        checked.append((annotation, known.rejection_reason(annotation)))
        known.add(annotation)
    return checked


def merge(session: Session, row: AnalysisRow, saved: Checked, importer: str | None) -> Merged:
    """Take in an annotation file, all of it or, with the reason as a :class:`UserError`, nothing.

    An annotation is there already if its id is, or one by the same author of the same moment about
    the same thing. ``importer`` is the name of who signed in to import it: other authors' annotations are
    marked with it. The session must be alone.
    """
    before = listed(session, row.id)
    fresh, ids = _sorted_out(saved, _Kept(before), row, importer)
    if len(before) + len(fresh) > MOST_ANNOTATIONS:
        raise _refused(
            gettext(
                "This would make more than %(most)s annotations of one analysis.",
                most=grouped(MOST_ANNOTATIONS),
            ),
            gettext("Check the file."),
        )
    added = tuple(
        each.model_copy(update={"about": ids.get(each.about, each.about)})
        if isinstance(each, Withdrawal)
        else each
        for each in fresh
    )
    session.add_all(annotation_row(row.id, each) for each in added)
    unverified = sum(not verified(each) for each in added)
    return Merged(len(added), len(saved) - len(added), unverified, added)


def _sorted_out(
    saved: Checked, kept: _Kept, row: AnalysisRow, importer: str | None
) -> tuple[list[Annotation], dict[str, str]]:
    """The annotations of a file that are not kept yet, and the ids here of those that have another in it."""
    ids: dict[str, str] = {}
    fresh: list[Annotation] = []
    for annotation, reason in saved:
        given = annotation if importer is None else _marked(annotation, importer)
        if (here := kept.same_as(given)) is not None:
            ids[annotation.id] = here.id
            continue
        _refuse_moment(annotation, row)
        if reason is not None:
            raise _refused(
                translated(reason),
                gettext("The file does not belong to this analysis, or was not saved by a bundle's page."),
            )
        if given.id in kept.by_id:  # somebody else imported it before the author did
            given = given.model_copy(update={"id": secrets.token_hex(16)})
            ids[annotation.id] = given.id
        fresh.append(given)
    return fresh, ids


def _marked(annotation: Annotation, importer: str) -> Annotation:
    """An annotation of a file as it is kept, whatever the file says of who imported it."""
    mark = None if annotation.author == importer else importer
    return annotation.model_copy(update={"imported_by": mark})


class _Kept:
    """The annotations there are, to be found by id or by author, moment and what they are about."""

    def __init__(self, there: Iterable[Annotation]) -> None:
        self.by_id: dict[str, Annotation] = {}
        self._verified: dict[str, Annotation] = {}
        self._all: dict[str, Annotation] = {}
        for each in there:
            self.by_id[each.id] = each
            self._all[_content(each)] = each
            if verified(each):
                self._verified[_content(each)] = each

    def same_as(self, given: Annotation) -> Annotation | None:
        """What is there already of an annotation. Raises :class:`UserError` where its id is another's.

        One that its author hands in is not there yet if only somebody else imported it so far.
        """
        here = self.by_id.get(given.id)
        if here is not None and _unmarked(here) != _unmarked(given):
            raise _refused(
                gettext(
                    "The annotation of %(made)s by %(author)s differs from the one kept here.",
                    made=dates.moment(here.made),
                    author=here.author,
                ),
                gettext("Annotations are never changed. Save the file again from the bundle's page."),
            )
        if verified(given):
            return here if here is not None and verified(here) else self._verified.get(_content(given))
        return here or self._all.get(_content(given))


def _unmarked(annotation: Annotation) -> dict[str, object]:
    return {name: value for name, value in to_json(annotation).items() if name != "imported_by"}


def _refuse_moment(annotation: Annotation, row: AnalysisRow) -> None:
    """Refuse an annotation that was made before there was anything to annotate, or is yet to be made."""
    ended = row.finished or row.created
    if ended - CLOCK_SKEW <= annotation.made <= now() + CLOCK_SKEW:
        return
    told = {"made": dates.moment(annotation.made), "author": annotation.author}
    if annotation.made < ended:
        error = gettext(
            "The annotation of %(made)s by %(author)s was made before this analysis ended, %(ended)s.",
            ended=dates.moment(ended),
            **told,
        )
    else:
        error = gettext("The annotation of %(made)s by %(author)s lies in the future.", **told)
    raise _refused(error, gettext("Set the clocks of both machines right, then annotate and save again."))


def _refuse_others(analysis_id: str, result: LoadedResult, saved: SavedAnnotations) -> None:
    """Raise :class:`UserError` for annotations of another exhibit, analysis, or ``analysis.json``."""
    if saved.exhibit_sha256 != result.analysis.media.sha256:
        raise _refused(
            gettext("These annotations are about another exhibit."),
            gettext("Import them on the page of its analysis."),
        )
    if saved.analysis != analysis_id:
        raise _refused(
            gettext("These annotations are about another analysis of this exhibit."),
            gettext(
                "Import them on its own page: another model or other settings may have flagged other "
                "segments."
            ),
        )
    if saved.analysis_sha256 != result.sha256:
        raise _refused(
            gettext(
                "These annotations are about an analysis.json unlike the one kept here: one of them "
                "was changed."
            ),
            gettext(
                "Compare its SHA-256 in the manifest of the bundle with the one in the manifest of this page."
            ),
        )


def _refused(error: str, remedy: str) -> UserError:
    return UserError(400, error, gettext("Nothing was imported. %(remedy)s", remedy=remedy))


def _content(annotation: Annotation) -> str:
    """Author, moment and what is spoken of, as one text."""
    values = to_json(annotation)
    others = ("id", "note", "verdict", "imported_by")
    return json.dumps([[name, values[name]] for name in sorted(values) if name not in others])
