"""The review bundle of an analysis: its files, README, offline review desk, and the zip archive."""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
import secrets
import shutil
import textwrap
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import render_template
from markupsafe import Markup
from werkzeug.wrappers import Response

from detector.files import FILES, is_disk_full
from detector.schema.formatting import escape_directions
from detector.timestamps import iso_milliseconds
from detector.version import __version__
from language import translation
from language.translation import DEFAULT, N_, gettext
from reports.bundle import manifest, review_bundle
from reports.file_names import ANNOTATIONS, CASE, CUSTODY, LABORATORY, MANIFEST, SECOND_REVIEW
from reports.review.annotation_file import file_text
from reports.wording.lengths import FULL, Length
from webapp import context
from webapp.accounts.permissions import current
from webapp.custody import signing
from webapp.custody.job_records import COMPARISON_FILE, COMPARISON_SUMS_FILE
from webapp.downloads import desk_data, kept_reports
from webapp.downloads.kept_reports import RenderedFrom
from webapp.downloads.reports import current_report
from webapp.errors import UserError
from webapp.exhibits import disclosure, reference_comparisons
from webapp.exhibits.disclosure import record_download
from webapp.exhibits.media import playback
from webapp.exhibits.media.playback import SUFFIXES, Playback
from webapp.exhibits.reference_comparisons import ComparisonResult
from webapp.exhibits.results import LoadedResult, download_name, load_result, refuse_altered_files
from webapp.exhibits.uploads.exhibits import verified_exhibit
from webapp.http.responses import send_and_forget
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, now

if TYPE_CHECKING:
    from reports.comparison.comparison_section import ComparisonView
    from reports.report_view import ReportView
    from reports.review.annotations import Annotation


_WIDTH = 104
_COLUMN = 20  # where the descriptions of the files begin
_DESCRIPTIONS = (
    ("index.html", N_("the review page, all in one file")),
    (
        "report.pdf",
        N_("the evidence report with the annotations made until now; report.html is the same"),
    ),
    ("analysis.json", N_("every figure, as data")),
    (
        CUSTODY,
        N_("who did what to the exhibit, and when: its custody log until this bundle was made"),
    ),
    ("case.json", N_("case number and similar details, if given")),
    ("laboratory.json", N_("the laboratory's own validation as quoted in the report, if it is")),
    ("annotations.json", N_("annotations of reviewers until now, as data")),
    (
        "second-review.json",
        N_("independent conclusions of two reviewers, if there is a second review"),
    ),
    ("comparisons/", N_("comparisons with references, if there are any: each as data, with its pictures")),
    ("overlays/", N_("the kept frames and their heatmaps")),
    (
        "manifest.json",
        N_(
            "all files with size and SHA-256, and what they are about; manifest.sha256 holds the "
            "manifest's own SHA-256, manifest.sig a signature over it, if the bundle's maker has a key"
        ),
    ),
    ("sha256sums.txt", N_("the same sums for the program sha256sum")),
    (
        "verify.py",
        N_("verifies all of it with nothing but Python: ninety readable lines, in English"),
    ),
)


def render_readme(
    view: ReportView, sha256: str, made: datetime, media: str | None, files: Container[str]
) -> str:
    """Render README.txt; ``media`` is the path of the playable exhibit among ``files``, if it is there."""
    return "\n".join(
        (
            *_heading(gettext("Reelproof review bundle"), "="),
            *_about(view, sha256, made),
            "",
            *_heading(gettext("To open it"), "-"),
            *_paragraph(
                gettext(
                    "Unpack the whole zip into a folder, then open index.html in a browser. It needs "
                    "no network, no server and no Reelproof. Annotations you make there stay in that "
                    "page until you save them to a file with its button; the operator of Reelproof "
                    "imports that file on the analysis's page."
                )
            ),
            "",
            *_heading(gettext("What is in it"), "-"),
            *(
                line
                for name, description in _DESCRIPTIONS
                if name != CUSTODY or CUSTODY in files  # other optional files say so in their description
                for line in _row(name, gettext(description))
            ),
            "",
            *_paragraph(_describe_media(media, view)),
            "",
            *_heading(gettext("To check it"), "-"),
            *_checking(),
            "",
        )
    )


def _about(view: ReportView, sha256: str, made: datetime) -> list[str]:
    verdict = gettext("%(verdict)s (a machine's finding; a person must review it)", verdict=view.headline)
    when = gettext("%(made)s by Reelproof %(version)s", made=iso_milliseconds(made), version=__version__)
    return [
        *_row(gettext("Exhibit"), view.head.file, wrapped=False),
        *_row("SHA-256", sha256, wrapped=False),
        *_row(gettext("Verdict"), verdict, wrapped=False),
        *_row(gettext("Bundle made"), when, wrapped=False),
    ]


def _describe_media(media: str | None, view: ReportView) -> str:
    if media is None and view.still:
        return gettext("The photo is not in this bundle.")
    if media is None and view.sound_only:
        return gettext("The sound is not in this bundle.")
    if media is None:
        return gettext("The video is not in this bundle.")
    if media.startswith("media/exhibit"):
        return gettext("%(media)s is the unchanged exhibit, bit for bit.", media=media)
    return gettext(
        "%(media)s is a preview, made because not every browser plays the exhibit. It is not evidence.",
        media=media,
    )


def _checking() -> list[str]:
    return [
        *_paragraph(
            gettext(
                "Where Reelproof is installed: reelproof verify BUNDLE.zip. It checks most: "
                "signatures, the PDF's attachments, the exhibit analysed again. Without Reelproof, in "
                "the folder, run one of"
            )
        ),
        "",
        "    python3 verify.py .",
        "    sha256sum --check sha256sums.txt",
        "",
        *_paragraph(
            gettext(
                "(on macOS: shasum -a 256 --check sha256sums.txt; on Windows compare with certutil "
                "-hashfile NAME SHA256). Each file must be OK. That shows that nothing was damaged or "
                "changed since the sums were made. It does not show who made them: for that there must "
                "be a signature, checked with a certificate you trust, or you compare the SHA-256 of "
                "manifest.json (in manifest.sha256) with one that you received by another channel."
            )
        ),
    ]


def _heading(text: str, line: str) -> tuple[str, ...]:
    return text, line * len(text), *([""] if line == "=" else [])


def _row(name: str, description: str, *, wrapped: bool = True) -> list[str]:
    parts = textwrap.wrap(description, _WIDTH - _COLUMN) if wrapped else [description]
    start = f"{name} ".ljust(_COLUMN)
    return [start + parts[0], *(" " * _COLUMN + part for part in parts[1:])]


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH)


_STATIC = FILES / "static"
_STYLES = ("base.css", "timeline.css", "result.css", "playback.css", "desk.css", "comparison.css")
_ENTRY = "review/offline.js"
_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.\.?/[a-z_]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=async function|function|class|const)", re.MULTILINE)


def render_offline_page(
    view: ReportView,
    data: dict[str, Any],
    annotations: Iterable[Annotation],
    files: dict[str, str],
    references: Sequence[ComparisonView] = (),
) -> str:
    """Render ``index.html`` of a bundle in the current language, which is that of ``view`` and ``data``.

    ``data`` is :func:`webapp.downloads.desk_data.desk_document` with addresses relative to the page,
    ``files`` maps names of other files of the bundle to descriptions, ``references`` are comparisons with
    pictures in the bundle.
    """
    styles = "\n".join((_STATIC / "css" / name).read_text(encoding="utf-8") for name in _STYLES)
    code = combine_scripts()
    policy = (
        f"default-src 'none'; script-src '{_hash(code)}'; style-src '{_hash(styles)}'; "
        "img-src 'self' file: data: blob:; media-src 'self' file: blob:; base-uri 'none'; form-action 'none'"
    )
    return render_template(
        "review/offline.html",
        view=view,
        policy=policy,
        styles=Markup(styles),
        script=Markup(code),
        data=Markup(_json(data)),
        annotations=Markup(_json([a.model_dump(mode="json", exclude_none=True) for a in annotations])),
        files=files,
        references=references,
    )


def combine_scripts() -> str:
    """Concatenate the modules of the review desk in order of their dependencies, without imports.

    This works because they import only names, only from each other, and no two declare the same name; a test
    checks that.
    """
    modules: dict[str, str] = {}

    def add(name: str) -> None:
        if name in modules:
            return
        text = (_STATIC / "js" / name).read_text(encoding="utf-8")
        modules[name] = ""  # ends the recursion where modules import each other
        for imported in _IMPORT.findall(text):
            add(posixpath.normpath(posixpath.join(posixpath.dirname(name), imported)))
        del modules[name]
        modules[name] = _EXPORT.sub("", _IMPORT.sub("", text))

    add(_ENTRY)
    return "\n".join(modules.values())


def _json(value: object) -> str:
    """Encode JSON that cannot end the HTML element around it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return escape_directions(text).replace("<", "\\u003c")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# Why nothing plays in a bundle without the exhibit.
_WITHOUT_VIDEO = N_("This bundle was made without the video; its kept frames are shown.")
_WITHOUT_PHOTO = N_("This bundle was made without the photo; its kept pictures are shown.")
_WITHOUT_SOUND = N_("This bundle was made without the sound; its spectrograms are shown.")
# The files that index.html links to.
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
_OPTIONAL = (CUSTODY, SECOND_REVIEW)
_MEDIA = "media/"  # the folder of the playable exhibit


@dataclass(frozen=True)
class _Bundle:
    """The inputs of a bundle. Annotations and case details are those of its reports; newer ones may exist."""

    row: AnalysisRow
    result: LoadedResult
    reports: Path  # their folder
    rendered_from: RenderedFrom
    made: datetime
    video: bool  # whether to include the playable exhibit
    with_log: bool  # whether to include the custody log


def _contents(database: Database, folders: Folders, bundle: _Bundle) -> dict[str, bytes | Path]:
    """Collect the files of a bundle by name: small ones as bytes, large ones as paths.

    Uses the current language, which must be that of the result.
    """
    row, result, inputs = bundle.row, bundle.result, bundle.rendered_from
    folder = folders.result(row.id)
    files: dict[str, bytes | Path] = {path: folder / path for path in result.view.kept}
    files |= {name: bundle.reports / name for name in ("report.pdf", "report.html")}
    files["analysis.json"] = folder / "analysis.json"
    for name in (LABORATORY, SECOND_REVIEW):
        if (bundle.reports / name).is_file():
            files[name] = bundle.reports / name
    files[CASE] = inputs.case.with_time_zone().to_json().encode()
    if bundle.with_log:
        with database.begin() as session:
            files[CUSTODY] = kept_reports.log_beside(session, row.exhibit.sha256, bundle.reports)
    comparisons = [
        reference_comparisons.load_result(reference_comparisons.get_or_404(comparison_id))
        for comparison_id in inputs.compared
    ]
    for comparison in comparisons:
        below = comparison.folder.relative_to(folders.data)
        names = (*comparison.sums, COMPARISON_SUMS_FILE)
        files |= {f"{below}/{name}": comparison.folder / name for name in names}
    files[ANNOTATIONS] = file_text(
        inputs.annotations,
        analysis=row.id,
        analysis_sha256=result.sha256,
        exhibit_sha256=row.exhibit.sha256,
        saved=bundle.made,
    ).encode()
    if bundle.video:
        media = _find_media(database, folders, row)
    else:
        view = result.view
        why = _WITHOUT_PHOTO if view.still else _WITHOUT_SOUND if view.sound_only else _WITHOUT_VIDEO
        media = _Media(Playback("none", "", 0.0, 0, 0, why))
    if media.name and media.path:
        files[media.name] = media.path
    files["index.html"] = _index_page(folders, bundle, comparisons, media, files)
    readme = render_readme(result.view, row.exhibit.sha256, bundle.made, media.name, files)
    files["README.txt"] = readme.encode()
    return files


@dataclass(frozen=True)
class _Media:
    """The playable exhibit: ``name`` is its file in the bundle, ``path`` the present one."""

    playback: Playback | None
    name: str | None = None
    path: Path | None = None


def _find_media(database: Database, folders: Folders, row: AnalysisRow) -> _Media:
    """Find what plays of the exhibit; the exhibit itself is verified first."""
    playable = playback.playable_file(folders, row)
    if playable is None:
        return _Media(playback.read_playback(folders, row))
    path, decision = playable
    if decision.source == "exhibit":
        # The report's check may be old, or about the store's copy.
        path = verified_exhibit(database, folders, row)
    return _Media(decision, f"{_MEDIA}{decision.source}.{SUFFIXES[decision.mimetype]}", path)


def _index_page(
    folders: Folders,
    bundle: _Bundle,
    comparisons: Sequence[ComparisonResult],
    media: _Media,
    files: Container[str],
) -> bytes:
    # Loads OpenCV, like the view of the report.
    from reports.comparison.comparison_section import comparison_view

    addresses = desk_data.DeskAddresses(media=media.name)
    data = desk_data.desk_document(bundle.row.id, bundle.result, media.playback, addresses)
    references = [
        comparison_view(
            attached.comparison,
            folders.data,
            attached.sums[COMPARISON_FILE],
            f"comparisons/{attached.folder.name}/",
        )
        for attached in comparisons
    ]
    links = {
        name: gettext(words) for name, words in _LINKED.items() if name in files or name not in _OPTIONAL
    }
    annotations = bundle.rendered_from.annotations
    return render_offline_page(bundle.result.view, data, annotations, links, references).encode()


def _pack(settings: Settings, bundle: _Bundle, files: dict[str, bytes | Path]) -> Path:
    """Write the zip of a bundle into the incoming folder. Raises :class:`UserError` without room."""
    incoming = Folders.local(settings.data).incoming
    size, room = _size(files), shutil.disk_usage(incoming).free - settings.spare
    if size > room:
        without = {name: content for name, content in files.items() if not name.startswith(_MEDIA)}
        raise _no_room(may_fit_without_video=_size(without) <= room)
    about = manifest.new_manifest(
        bundle.result.analysis, "bundle", made=iso_milliseconds(bundle.made), analysis_id=bundle.row.id
    )
    path = incoming / f"{secrets.token_hex(16)}.zip"
    try:
        with signing.sign_bundle(settings, files, path.with_suffix(".pdf")) as (signed_files, key):
            review_bundle.write_bundle(path, signed_files, about, key)
    except BaseException as problem:
        path.unlink(missing_ok=True)
        if is_disk_full(problem):
            raise _no_room(may_fit_without_video=any(name.startswith(_MEDIA) for name in files)) from problem
        raise
    return path


def _size(files: Mapping[str, bytes | Path]) -> int:
    """Sum the sizes of all files. The zip is about as large, because pictures and video are compressed."""
    return sum(
        len(content) if isinstance(content, bytes) else content.stat().st_size for content in files.values()
    )


def _no_room(*, may_fit_without_video: bool) -> UserError:
    remedy = gettext("Free some space on the disk that holds Reelproof's data, then try again.")
    if may_fit_without_video:
        remedy = gettext(
            "Free some space on the disk that holds Reelproof's data, or take the bundle without the video."
        )
    return UserError(507, gettext("There is not enough free disk space to make the bundle."), remedy)


def make_bundle(
    row: AnalysisRow,
    folder: Path,
    *,
    video: bool,
    language_code: str,
    length: Length = FULL,
    in_line: bool = True,
) -> Path:
    """Make the bundle of a finished analysis, record the download, and return the path of its zip.

    ``folder`` is that of the result; ``in_line`` is passed to
    :func:`~webapp.downloads.reports.current_report`. The caller removes the zip.
    """
    settings, database, folders = context.settings(), context.database(), context.folders()
    refuse_altered_files(folder)
    with database.begin() as session:
        with_log = not disclosure.hidden_analyses(session, current(), row.exhibit.sha256)
    reports = current_report(
        database,
        folders,
        row,
        with_log=with_log,
        language_code=language_code,
        length=length,
        in_line=in_line,
    )
    with translation.speaking(language_code):
        inputs = kept_reports.rendered_from(reports)
        bundle = _Bundle(row, load_result(folder), reports, inputs, now(), video, with_log)
        files = _contents(database, folders, bundle)
    path = _pack(settings, bundle, files)
    try:
        log = files.get(CUSTODY)
        assert log is None or isinstance(log, bytes)
        record_download(row, "bundle.zip", path, log=log)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def send_bundle(
    row: AnalysisRow, folder: Path, *, video: bool, language_code: str = DEFAULT, length: Length = FULL
) -> Response:
    """Send the bundle of a finished analysis; parameters as for :func:`make_bundle`."""
    path = make_bundle(row, folder, video=video, language_code=language_code, length=length)
    try:
        response = send_and_forget(path, "application/zip")
    finally:
        path.unlink(missing_ok=True)
    response.headers.set("Content-Disposition", "attachment", filename=download_name(row, "bundle.zip"))
    return response
