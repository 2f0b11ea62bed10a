"""What the machine found, in words: from the first page's answers to what was not examined.

In the report's order: :mod:`~reports.view.finding.summary` with the figure beside the verdict
(:mod:`~reports.view.finding.figure`), :mod:`~reports.view.finding.persons`,
:mod:`~reports.view.finding.segments`, :mod:`~reports.view.finding.other_models`,
:mod:`~reports.view.finding.meaning`, :mod:`~reports.view.finding.not_examined`.
"""
