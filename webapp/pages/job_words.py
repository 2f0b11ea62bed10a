"""Where a job stands in the language of the page, for the scripts that show it.

What the REST API and other programs read stays English.
"""

from __future__ import annotations

from typing import Any

from reports.text.translation.language import capitalize_first, translated


def in_words(status: dict[str, Any]) -> dict[str, Any]:
    """The state of a job as JSON, with its stage, error and remedy in that language under ``words``."""
    words = {"stage": capitalize_first(translated(status["stage"]))}
    words |= {name: translated(status[name] or "") for name in ("error", "remedy") if name in status}
    return status | {"words": words}
