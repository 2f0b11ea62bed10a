"""A laboratory's own validations: made from finished analyses, stored, and quoted in reports.

:mod:`~webapp.validations.pages` calls :mod:`~webapp.validations.creation`, which runs
:mod:`~webapp.validations.compute` in a process of its own, and :mod:`~webapp.validations.store` for
existing validations. :mod:`~webapp.downloads.quoted_extract` knows which one reports quote.
"""
