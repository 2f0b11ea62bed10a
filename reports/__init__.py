"""Evidence reports: one view model, an HTML page, a PDF and a manifest of their SHA-256.

from reports import write_report
write_report(analysis, folder)

What the folders hold is in docs/ARCHITECTURE.md. Beside them, :mod:`~reports.file_names` says what files of
a result, a report and a bundle are called, :mod:`~reports.errors` has what can go wrong,
:mod:`~reports.plain_http` says where http does in place of https.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.render.result import write_result
    from reports.render.write import write_report

__all__ = ["write_report", "write_result"]


def __getattr__(name: str) -> object:
    # OpenCV and WeasyPrint take half a second; a page that only wants words never needs them.
    if name == "write_report":
        from reports.render.write import write_report

        return write_report
    if name == "write_result":
        from reports.render.result import write_result

        return write_result
    raise AttributeError(name)
