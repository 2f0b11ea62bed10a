"""The language that reports and pages speak: catalogues, and what of stored results is looked up in them.

Texts go through :mod:`~reports.text.translation.language`.
"""
