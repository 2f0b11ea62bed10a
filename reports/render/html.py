"""The report as one self-contained HTML page."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from detector import timestamps
from detector.files import FILES, ROOT
from language import formatting, translation
from language.catalogues import CATALOGUES
from language.translation import N_
from reports import fonts
from reports.errors import ReportError
from reports.inputs.pictures import ShownPicture
from reports.render.attachments import Attachment
from reports.report_view import ReportView
from reports.wording.lengths import DETAILS

TEMPLATES = FILES / "templates"
RENDERER = "reelproof-renderer"  # name of the page's entry that says which version rendered it
POLICY = "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'"
# WeasyPrint reads no page CSS inside an SVG and would warn of each rule, so paper goes without
# the timeline's own sheet.
STYLES = {
    "screen": (
        FILES / "static" / "css" / "timeline.css",
        TEMPLATES / "report" / "base.css",
        TEMPLATES / "report" / "screen.css",
    ),
    "print": (TEMPLATES / "report" / "base.css", TEMPLATES / "report" / "print.css"),
}


def render_html(view: ReportView, pictures: Mapping[str, bytes], enclosed: Sequence[Attachment] = ()) -> str:
    """Return the self-contained page: styles and pictures inlined, no script, no network.

    ``pictures`` maps the keys of ``view.pictures`` to JPEG bytes; ``enclosed`` are the files attached to the
    PDF, listed here with their SHA-256.
    """

    def source(picture: ShownPicture) -> str:
        data = base64.b64encode(pictures[picture.key]).decode("ascii")
        return f"data:image/jpeg;base64,{data}"

    return fill_template(view, "screen", source, enclosed)


def fill_template(
    view: ReportView,
    medium: str,
    source: Callable[[ShownPicture], str],
    enclosed: Sequence[Attachment],
    detail: int = DETAILS[0],
) -> str:
    """Return the report's markup for ``screen`` or ``print``; ``source`` gives the address of a picture.

    ``detail`` is one of :data:`~reports.wording.lengths.DETAILS`, for a summary.
    """
    with translation.speaking(view.language):
        style, policy = style_and_policy(STYLES[medium], view.paper if medium == "print" else None)
        return (
            environment()
            .get_template("report/report.html")
            .render(
                view=view,
                medium=medium,
                detail=detail,
                source=source,
                style=style,
                policy=policy,
                created=document_date(view.head.created_iso),
                modified=document_date(view.annotations.until_iso or view.head.created_iso),
                renderer=renderer() if medium == "screen" else None,
                enclosed=enclosed,
            )
        )


def style_and_policy(
    paths: Sequence[Path], paper: str | None, head: str = N_("Report of analysis")
) -> tuple[Markup, str]:
    """Return the style sheets as one, for pages of size ``paper`` if given, and the CSP for it.

    ``head`` is the message at the head of each page.
    """
    style = "\n".join(path.read_text("utf-8") for path in paths)
    style = style.replace("$fonts", fonts.TEXT).replace("$margin_fonts", fonts.MARGINS)
    if paper is not None:
        style += f"\n@page {{ size: {paper}; }}\n"
        if translation.current() != translation.DEFAULT:
            style += _running_words(head)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    # Our own files, never input.
    return Markup(style), f"{POLICY}; style-src 'sha256-{digest}'"


def _running_words(head: str) -> str:
    """What stands at the head and foot of each page, which print.css has in English."""
    head = translation.gettext(head)
    page = translation.gettext("Page %(number)s of %(count)s", number="\0", count="\0").split("\0")
    foot = f'"{page[0]}" counter(page) "{page[1]}" counter(pages) "{page[2]}"'
    return f'@page {{ @top-right {{ content: "{head}"; }} @bottom-right {{ content: {foot}; }} }}\n'


@cache
def environment() -> Environment:
    """Return the environment of the report's templates. Compiling takes half a second, so it is cached."""
    templates_ = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    translation.install(templates_)
    templates_.globals["figure_fonts"] = fonts.FIGURES
    templates_.filters["shortened"] = formatting.shortened
    templates_.filters["figure"] = translation.at_each_rendering(formatting.number)
    return templates_


def compile_templates() -> None:
    """Compile the report's templates, for a process that will render one later."""
    templates_ = environment()
    for name in templates_.list_templates(extensions=["html"]):
        if name.startswith("report/"):  # macros come with those that use them, which is not all of them here
            templates_.get_template(name)


@cache
def renderer() -> str:
    """Return a hash of the rendering code and templates, which tells pages of different versions apart."""
    places = [*ROOT.glob("reports/**/*.py"), *ROOT.glob("detector/schema/**/*.py")]
    places += [*TEMPLATES.glob("report/*"), *TEMPLATES.glob("macros/*")]
    places += CATALOGUES.glob("*/LC_MESSAGES/*.po")
    digest = hashlib.sha256(version("jinja2").encode())
    for path in sorted({*places, *STYLES["screen"]}):
        if path.is_file() and "__pycache__" not in path.parts:
            below = FILES if path.is_relative_to(FILES) else ROOT
            digest.update(path.relative_to(below).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def document_date(own: str) -> str:
    """Return the date for the documents' metadata: their own, or ``SOURCE_DATE_EPOCH`` if set.

    It is never the current time, so that the same analysis always gives the same bytes. Raise
    :class:`~reports.errors.ReportError` if the variable is not a whole number of seconds.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return own
    try:
        return timestamps.iso_seconds(datetime.fromtimestamp(int(epoch), UTC))
    except (ValueError, OverflowError, OSError) as error:
        raise ReportError(f"SOURCE_DATE_EPOCH is {epoch!r}; set it to whole seconds or unset it.") from error
