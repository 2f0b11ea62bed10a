"""Comparisons of an exhibit with a reference, and copies among all exhibits.

:mod:`~webapp.comparisons.pages` and :mod:`~webapp.comparisons.api` call :mod:`~webapp.comparisons.service`
to change comparisons and :mod:`~webapp.exhibits.reference_comparisons` to read them;
:mod:`~webapp.casework.case_rules` protects those of closed cases. Workers match exhibits in
:mod:`~webapp.comparisons.fingerprints`; :mod:`~webapp.exhibits.copies` reads the matches, and
:mod:`~webapp.comparisons.copies_api` publishes them.
"""
