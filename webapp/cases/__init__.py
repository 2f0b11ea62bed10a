"""Cases: their analyses, members and details, from creation to export, closing and purging.

:mod:`~webapp.cases.pages` calls :mod:`~webapp.cases.service` for changes, :mod:`~webapp.cases.closing` for
the end of a case, and :mod:`~webapp.cases.export` for its zip. :mod:`~webapp.cases.access` decides who sees
and changes a case, for other features as well. :mod:`~webapp.cases.details` has the case details of an
analysis.
"""
