"""Checking what was handed out: a bundle, the folder of a result, or a report as PDF, all offline.

:mod:`~reports.verification.verify` has the checks in order, from files against their manifest
(:mod:`~reports.verification.listed_files`) to files against each other
(:mod:`~reports.verification.consistency`), the report (``pdf``, ``page``) and
:mod:`~reports.verification.signatures`; :mod:`~reports.verification.problems` collects what they find. Then
come the weights (:mod:`~reports.verification.model_weights`), and :mod:`~reports.verification.repeated` does
the work again. ``docs/evidence.md`` says what each check can show and what none can.
"""
