"""The page of a bundle: the review desk in one file that a browser opens from disk.

Browsers load neither modules nor JSON from ``file://``, so styles, script and data are in the
page, and its policy names their hashes: nothing else in it can run, and nothing is fetched
but the pictures and the video beside it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from flask import render_template
from markupsafe import Markup

from detector.paths import FILES

if TYPE_CHECKING:
    from reports.review.annotations import Annotation
    from reports.view.comparisons.view import ComparisonView
    from reports.view.report import ReportView

_STATIC = FILES / "static"
_STYLES = ("base.css", "timeline.css", "result.css", "playback.css", "desk.css", "comparison.css")
_ENTRY = "desk/offline.js"
_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.\.?/[a-z_]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=async function|function|class|const)", re.MULTILINE)


def page(
    view: ReportView,
    data: dict[str, Any],
    annotations: Iterable[Annotation],
    files: dict[str, str],
    references: Sequence[ComparisonView] = (),
) -> str:
    """``index.html`` of a bundle.

    ``data`` is :func:`webapp.queries.review_data.document` with addresses relative to the page, ``files``
    maps names of other files of the bundle to what they are, ``references`` are comparisons whose pictures
    lie in the bundle. It speaks the language spoken now, which is that of ``view`` and ``data``.
    """
    styles = "\n".join((_STATIC / "css" / name).read_text(encoding="utf-8") for name in _STYLES)
    code = script()
    policy = (
        f"default-src 'none'; script-src '{_hash(code)}'; style-src '{_hash(styles)}'; "
        "img-src 'self' file: data: blob:; media-src 'self' file: blob:; base-uri 'none'; form-action 'none'"
    )
    return render_template(
        "desk/offline.html",
        view=view,
        policy=policy,
        styles=Markup(styles),
        script=Markup(code),
        data=Markup(_json(data)),
        annotations=Markup(_json([a.model_dump(mode="json", exclude_none=True) for a in annotations])),
        files=files,
        references=references,
    )


def script() -> str:
    """The review desk's modules as one: each once, after those it needs, without imports and exports.

    Works because they import names only, from each other only, and no two of them declare
    the same one; a test holds them to that.
    """
    done: dict[str, str] = {}

    def add(name: str) -> None:
        if name in done:
            return
        text = (_STATIC / "js" / name).read_text(encoding="utf-8")
        done[name] = ""  # before what it needs, so that a circle ends
        for needed in _IMPORT.findall(text):
            add(posixpath.normpath(posixpath.join(posixpath.dirname(name), needed)))
        del done[name]
        done[name] = _EXPORT.sub("", _IMPORT.sub("", text))

    add(_ENTRY)
    return "\n".join(done.values())


def _json(value: object) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
