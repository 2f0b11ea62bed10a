"""The languages that reports and pages can speak. Imports nothing: parsers of commands need it."""

from __future__ import annotations

DEFAULT = "en"
# By code, each under its own name.
LANGUAGES = {"en": "English", "de": "Deutsch", "es": "español"}
