"""The view model of a report, one file a section: an analysis in words, numbers and drawings. No markup.

:mod:`~reports.view.report` puts it together from an analysis and :mod:`~reports.view.report_inputs`, what is
said beside it; :mod:`~reports.view.contents` has the sections in their order. In that order:
:mod:`~reports.view.head`, :mod:`~reports.view.declarations`, the finding (:mod:`~reports.view.summary`,
:mod:`~reports.view.figure`), the exhibit (:mod:`~reports.view.exhibit`, ``metadata``), ``timeline`` and
:mod:`~reports.view.persons`, :mod:`~reports.view.segments`, :mod:`~reports.view.other_models`,
:mod:`~reports.view.meaning`, :mod:`~reports.view.not_examined`, :mod:`~reports.view.reviewers`,
:mod:`~reports.view.second_review`, ``comparisons``, method and model (:mod:`~reports.view.method`,
``validation``), :mod:`~reports.view.reproduction`, :mod:`~reports.view.custody`, and the annex for its reader
(:mod:`~reports.view.reader`). Tables are made of :mod:`~reports.view.facts`. docs/report.md has the table of
sections, with their templates.
"""
