"""The review bundle of an analysis: which files it holds, and the zip that is sent.

``docs/evidence-format.md`` defines it; :mod:`reports.bundle.packing` writes the zip.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from werkzeug.wrappers import Response

from detector.files import is_disk_full
from detector.timestamps import iso_milliseconds
from reports.bundle import manifest, packing
from reports.file_names import ANNOTATIONS, CASE, CUSTODY, LABORATORY, MANIFEST, SECOND_REVIEW
from reports.review.annotation_file import file_text
from reports.text.translation import language
from reports.text.translation.language import DEFAULT, N_, gettext
from webapp import this_app
from webapp.custody.records.comparison_records import RESULT, SUMS
from webapp.downloads import custody_access, kept_reports, offline_page, signing
from webapp.downloads.bundle_readme import readme
from webapp.downloads.download_record import record_download
from webapp.downloads.exhibits import sound_exhibit
from webapp.downloads.kept_reports import RenderedFrom
from webapp.downloads.reports import current_report
from webapp.errors import UserError
from webapp.http.range_responses import send_and_forget
from webapp.media import playback
from webapp.media.playback import SUFFIXES, Playback
from webapp.queries import reference_comparisons, review_data
from webapp.queries.reference_comparisons import ComparisonResult
from webapp.queries.results import LoadedResult, download_name, load, refuse_altered_files
from webapp.security.access.permissions import current
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, now

_WITHOUT = {
    False: N_("This bundle was made without the video; its kept frames are shown."),
    True: N_("This bundle was made without the photo; its kept pictures are shown."),
}
"""Why nothing plays in a bundle without the video; without the photo, where it is ``True``."""
# What index.html leads to, and the words for it.
_LINKED = {
    "report.pdf": N_("PDF report"),
    "report.html": N_("HTML report"),
    "analysis.json": "analysis.json",
    ANNOTATIONS: "annotations.json",
    SECOND_REVIEW: N_("Second review"),
    CUSTODY: N_("Custody log"),
    MANIFEST: N_("Manifest"),
    "README.txt": N_("Read me"),
}
_NOT_ALWAYS = (CUSTODY, SECOND_REVIEW)
_MEDIA = "media/"  # the folder of what plays of the exhibit


@dataclass(frozen=True)
class _Bundle:
    """A bundle that is to be made, and of what.

    All that was said is as its reports have it: somebody may add to it while they are rendered.
    """

    row: AnalysisRow
    result: LoadedResult
    reports: Path  # the folder of reports that are handed out
    said: RenderedFrom
    made: datetime
    video: bool  # whether what plays of the exhibit comes along
    with_log: bool  # whether its custody log does


def _contents(database: Database, folders: Folders, bundle: _Bundle) -> dict[str, bytes | Path]:
    """The files of a bundle by name, small ones as bytes, large ones as where they lie.

    Needs an application context. The reports and the page of the bundle speak the language spoken now, in
    which its result has to be.
    """
    row, result = bundle.row, bundle.result
    files = _kept_files(database, folders, bundle)
    compared = [
        reference_comparisons.result(reference_comparisons.get_or_404(each)) for each in bundle.said.compared
    ]
    for each in compared:
        below = each.folder.relative_to(folders.data)
        files |= {f"{below}/{name}": each.folder / name for name in (*each.sums, SUMS)}
    files[ANNOTATIONS] = file_text(
        bundle.said.annotations,
        analysis=row.id,
        analysis_sha256=result.sha256,
        exhibit_sha256=row.exhibit.sha256,
        saved=bundle.made,
    ).encode()
    view = result.view
    if bundle.video:
        media = _media(database, folders, row)
    else:
        media = _Media(Playback("none", "", 0.0, 0, 0, _WITHOUT[view.still]))
    if media.name and media.path:
        files[media.name] = media.path
    files["index.html"] = _index_page(folders, bundle, compared, media, files)
    files["README.txt"] = readme(view, row.exhibit.sha256, bundle.made, media.name, files).encode()
    return files


def _kept_files(database: Database, folders: Folders, bundle: _Bundle) -> dict[str, bytes | Path]:
    """The pictures and records of the analysis, its reports, and what is known of its case."""
    row, reports = bundle.row, bundle.reports
    folder = folders.result(row.id)
    files: dict[str, bytes | Path] = {path: folder / path for path in bundle.result.view.kept}
    files |= {name: reports / name for name in ("report.pdf", "report.html")}
    files["analysis.json"] = folder / "analysis.json"
    for name in (LABORATORY, SECOND_REVIEW):
        if (reports / name).is_file():
            files[name] = reports / name
    files[CASE] = bundle.said.case.with_time_zone().to_json().encode()
    if bundle.with_log:
        with database.begin() as session:
            files[CUSTODY] = kept_reports.log_beside(session, row.exhibit.sha256, reports)
    return files


@dataclass(frozen=True)
class _Media:
    """What plays of the exhibit: ``name`` is its file in the bundle, ``path`` where that lies now."""

    plays: Playback | None
    name: str | None = None
    path: Path | None = None


def _media(database: Database, folders: Folders, row: AnalysisRow) -> _Media:
    """What plays of the exhibit, which is checked against its SHA-256 first where it plays itself."""
    found = playback.media(folders, row)
    if found is None:
        return _Media(playback.playback(folders, row))
    path, plays = found
    if plays.source == "exhibit":
        # The report's check may be an old one, or about the store's copy.
        path = sound_exhibit(database, folders, row)
    return _Media(plays, f"{_MEDIA}{plays.source}.{SUFFIXES[plays.mimetype]}", path)


def _index_page(
    folders: Folders,
    bundle: _Bundle,
    compared: Sequence[ComparisonResult],
    media: _Media,
    files: Container[str],
) -> bytes:
    """``index.html``, which links to those of :data:`_LINKED` that are among ``files``."""
    from reports.view.comparisons.view import comparison_view  # brings OpenCV, as the report's view does

    where = review_data.Addresses(media=media.name)
    data = review_data.document(bundle.row.id, bundle.result, media.plays, where)
    references = [
        comparison_view(each.comparison, folders.data, each.sums[RESULT], f"comparisons/{each.folder.name}/")
        for each in compared
    ]
    linked = {
        name: gettext(words) for name, words in _LINKED.items() if name in files or name not in _NOT_ALWAYS
    }
    return offline_page.page(bundle.result.view, data, bundle.said.annotations, linked, references).encode()


def _packed(settings: Settings, bundle: _Bundle, files: dict[str, bytes | Path]) -> Path:
    """Where the zip of a bundle lies, among what is on its way; raises :class:`UserError` without room."""
    incoming = Folders.local(settings.data).incoming
    size, room = _size(files), shutil.disk_usage(incoming).free - settings.spare
    if size > room:
        without = {name: each for name, each in files.items() if not name.startswith(_MEDIA)}
        raise _no_room(may_fit_without_video=_size(without) <= room)
    about = manifest.new_manifest(
        bundle.result.analysis, "bundle", made=iso_milliseconds(bundle.made), analysis_id=bundle.row.id
    )
    place = incoming / f"{secrets.token_hex(16)}.zip"
    try:
        with signing.signed(settings, files, place.with_suffix(".pdf")) as (whole, key):
            packing.write(place, whole, about, key)
    except BaseException as problem:
        place.unlink(missing_ok=True)
        if is_disk_full(problem):
            raise _no_room(may_fit_without_video=any(name.startswith(_MEDIA) for name in files)) from problem
        raise
    return place


def _size(files: Mapping[str, bytes | Path]) -> int:
    """Bytes of all files, about what the zip of a bundle takes: pictures and video are compressed already."""
    return sum(len(each) if isinstance(each, bytes) else each.stat().st_size for each in files.values())


def _no_room(*, may_fit_without_video: bool) -> UserError:
    remedy = gettext("Free some space on the disk that holds Reelproof's data, then try again.")
    if may_fit_without_video:
        remedy = gettext(
            "Free some space on the disk that holds Reelproof's data, or take the bundle without the video."
        )
    return UserError(507, gettext("There is not enough free disk space to make the bundle."), remedy)


def make(row: AnalysisRow, folder: Path, *, video: bool, language_code: str, in_line: bool = True) -> Path:
    """The bundle of a finished analysis, with what reviewers said until now; where its zip lies.

    ``folder`` is that of its result, ``in_line`` as of :func:`~webapp.downloads.reports.current_report`. That
    it is handed out is recorded. Whoever asks removes the zip.
    """
    settings, database, folders = this_app.settings(), this_app.database(), this_app.folders()
    refuse_altered_files(folder)
    with database.begin() as session:
        with_log = not custody_access.hidden_analyses(session, current(), row.exhibit.sha256)
    reports = current_report(
        database, folders, row, with_log=with_log, language_code=language_code, in_line=in_line
    )
    with language.speaking(language_code):
        said = kept_reports.rendered_from(reports)
        bundle = _Bundle(row, load(folder), reports, said, now(), video, with_log)
        files = _contents(database, folders, bundle)
    place = _packed(settings, bundle, files)
    try:
        log = files.get(CUSTODY)
        assert log is None or isinstance(log, bytes)
        record_download(row, "bundle.zip", place, log=log)
    except BaseException:
        place.unlink(missing_ok=True)
        raise
    return place


def send(row: AnalysisRow, folder: Path, *, video: bool, language_code: str = DEFAULT) -> Response:
    """The bundle of a finished analysis as a download; parameters as of :func:`make`."""
    place = make(row, folder, video=video, language_code=language_code)
    try:
        response = send_and_forget(place, "application/zip")
    finally:
        place.unlink(missing_ok=True)
    response.headers.set("Content-Disposition", "attachment", filename=download_name(row, "bundle.zip"))
    return response
