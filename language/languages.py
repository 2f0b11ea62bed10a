"""Languages of reports and pages. This module imports nothing because command-line parsers need it."""

from __future__ import annotations

DEFAULT = "en"
# By code, each under its own name.
LANGUAGES = {"en": "English", "de": "Deutsch", "es": "español"}
