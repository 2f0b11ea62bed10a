"""Cases: their pages, closing, purging and export.

:mod:`~webapp.cases.pages` calls :mod:`~webapp.casework.service` for changes, :mod:`~webapp.cases.closing`
for the end of a case, and :mod:`~webapp.cases.export` for its zip. :mod:`~webapp.cases.details_pages` has the
form of the case details of an analysis.
"""
