"""A laboratory's own validation: its result as a file, and what analyses quote of it.

:mod:`~detector.schema.laboratory.validation` is the root of a validation, with
:mod:`~detector.schema.laboratory.likelihood` ratios in it; :mod:`~detector.schema.laboratory.quoted` is the
extract that reports quote.
"""
