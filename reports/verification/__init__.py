"""Checking what was handed out: a bundle, the folder of a result, or a report as PDF, all offline.

:mod:`~reports.verification.verify` has the checks in order, from files against their manifest
(:mod:`~reports.verification.listed_files`) to files against each other
(:mod:`~reports.verification.consistency`), the report (``pdf``, ``page``), signatures and what else was
added to a PDF (``added``); :mod:`~reports.verification.problems` collects what they find. Then come the
weights (:mod:`~reports.verification.model_weights`), and :mod:`~reports.verification.reanalysis` and
:mod:`~reports.verification.recomparison`, which repeat the work. ``docs/evidence.md`` says what each check
can show and what none can.
"""
