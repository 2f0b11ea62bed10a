"""``README.txt`` of a bundle, in the language of its report: opening it, what is in it, checking it."""

from __future__ import annotations

import textwrap
from collections.abc import Container
from datetime import datetime
from typing import TYPE_CHECKING

from detector.timestamps import iso_milliseconds
from detector.version import __version__
from reports.file_names import CUSTODY
from reports.text.translation.language import N_, gettext, translated

if TYPE_CHECKING:
    from reports.view.report import ReportView

_WIDTH = 104
_COLUMN = 20  # where the meanings of the files begin
_MEANINGS = (
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
    ("case.json", N_("case number and the like, where they were given")),
    ("laboratory.json", N_("what the report quotes of the laboratory's own validation, where it does")),
    ("annotations.json", N_("what reviewers said until now, as data")),
    (
        "second-review.json",
        N_("what two reviewers concluded, each alone, where there is a second review"),
    ),
    ("comparisons/", N_("comparisons with references, if there are any: each as data, with its pictures")),
    ("overlays/", N_("the kept frames and their heatmaps")),
    (
        "manifest.json",
        N_(
            "all files with size and SHA-256, and what they are about; manifest.sha256 is its own, "
            "manifest.sig a signature over it, if whoever made the bundle has a key"
        ),
    ),
    ("sha256sums.txt", N_("the same sums for the program sha256sum")),
    (
        "verify.py",
        N_("checks all of it with nothing but Python: ninety lines that anybody can read; it speaks English"),
    ),
)


def readme(view: ReportView, sha256: str, made: datetime, media: str | None, files: Container[str]) -> str:
    """The text; ``media`` is the path of the video or photo among the bundle's ``files``, if it is there."""
    return "\n".join(
        (
            *_heading(gettext("Reelproof review bundle"), "="),
            *_about(view, sha256, made),
            "",
            *_heading(gettext("To open it"), "-"),
            *_paragraph(
                gettext(
                    "Unpack the whole zip into a folder, then open index.html in a browser. It needs no "
                    "network, no server and no Reelproof. Annotations you make there stay in that page until "
                    "you save them to a file with its button; whoever runs Reelproof imports that file on "
                    "the analysis's page."
                )
            ),
            "",
            *_heading(gettext("What is in it"), "-"),
            *(
                line
                for name, meaning in _MEANINGS
                if name != CUSTODY or CUSTODY in files  # others say themselves that they may be missing
                for line in _row(name, gettext(meaning))
            ),
            "",
            *_paragraph(_media(media, still=view.still)),
            "",
            *_heading(gettext("To check it"), "-"),
            *_checking(),
            "",
        )
    )


def _about(view: ReportView, sha256: str, made: datetime) -> list[str]:
    told = gettext(
        "%(verdict)s (a machine's finding; a person must review it)", verdict=translated(view.verdict)
    )
    when = gettext("%(made)s by Reelproof %(version)s", made=iso_milliseconds(made), version=__version__)
    return [
        *_row(gettext("Exhibit"), view.head.file, wrapped=False),
        *_row("SHA-256", sha256, wrapped=False),
        *_row(gettext("Verdict"), told, wrapped=False),
        *_row(gettext("Bundle made"), when, wrapped=False),
    ]


def _media(media: str | None, *, still: bool) -> str:
    if media is None and still:
        return gettext("The photo is not in this bundle.")
    if media is None:
        return gettext("The video is not in this bundle.")
    if media.startswith("media/exhibit"):
        return gettext("%(media)s is the exhibit as it was handed in, bit for bit.", media=media)
    return gettext(
        "%(media)s is a preview, made because not every browser plays the exhibit. It is not evidence.",
        media=media,
    )


def _checking() -> list[str]:
    return [
        *_paragraph(
            gettext(
                "Where Reelproof is installed: python -m reports verify BUNDLE.zip. It checks most: "
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
                "manifest.json (in manifest.sha256) with one you got another way."
            )
        ),
    ]


def _heading(text: str, line: str) -> tuple[str, ...]:
    return text, line * len(text), *([""] if line == "=" else [])


def _row(name: str, meaning: str, *, wrapped: bool = True) -> list[str]:
    parts = textwrap.wrap(meaning, _WIDTH - _COLUMN) if wrapped else [meaning]
    start = f"{name} ".ljust(_COLUMN)
    return [start + parts[0], *(" " * _COLUMN + part for part in parts[1:])]


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH)
