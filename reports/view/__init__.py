"""The view model of a report, one file a section: an analysis in words, numbers and drawings. No markup.

:mod:`~reports.view.report` puts it together from an analysis and :mod:`~reports.view.report_inputs`, what is
said beside it; :mod:`~reports.view.contents` has the sections in their order. In that order: first page
(:mod:`~reports.view.head`, :mod:`~reports.view.summary` with :mod:`~reports.view.figure` and
:mod:`~reports.view.not_examined`), :mod:`~reports.view.declarations`, :mod:`~reports.view.persons`,
:mod:`~reports.view.segments`, :mod:`~reports.view.other_models`, reviews (:mod:`~reports.view.reviewers`,
:mod:`~reports.view.second_review`), :mod:`~reports.view.meaning`, method and model
(:mod:`~reports.view.facts`), :mod:`~reports.view.reproduction`, :mod:`~reports.view.custody`, and the annex
for its reader (:mod:`~reports.view.reader`). What takes several modules has a folder: ``timeline``,
``metadata``, ``comparisons``, ``validation``. docs/report.md has the table of sections, with their templates.
"""
