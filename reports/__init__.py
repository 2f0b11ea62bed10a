"""Evidence reports: HTML page, PDF and a manifest with the SHA-256 of every file.

from reports import write_report
write_report(analysis, folder)

Each section of the report is a package of its own: finding, persons, exhibit, procedure, validation,
custody, review and comparison. :mod:`reports.report_view` assembles them, :mod:`reports.render` turns
the result into files. docs/ARCHITECTURE.md describes what the folders hold.
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
