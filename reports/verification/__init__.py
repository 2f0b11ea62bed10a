"""Checking what was handed out: a bundle, the folder of a result, or a report as PDF, all offline.

:mod:`~reports.verification.verify` has a path checked in a confined process, where
:mod:`~reports.verification.path_checks` has the checks in order, of files in a folder or a zip
(:mod:`~reports.verification.sources`): against their manifest (:mod:`~reports.verification.listed_files`),
against each other (:mod:`~reports.verification.consistency`) and the custody log among them
(:mod:`~reports.verification.against_log`); then the report as :mod:`~reports.verification.pdf`; comparisons
with a reference (:mod:`~reports.verification.comparisons`), whose sentences have to follow from their figures
(:mod:`~reports.verification.comparison_words`); and the :mod:`~reports.verification.page`, which is rendered
again. Manifest and PDF ask :mod:`~reports.verification.signatures`; :mod:`~reports.verification.problems`
collects what all of them find, and :mod:`~reports.verification.verified` is what comes of it.

Then come the weights (:mod:`~reports.verification.model_weights`), and :mod:`~reports.verification.repeated`
does the work again. ``docs/evidence.md`` says what each check can show and what none can.
"""
