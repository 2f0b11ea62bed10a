"""The view model of a report, one module a section: an analysis in words, numbers and drawings. No markup.

:mod:`~reports.view.report` puts it together from an analysis and :mod:`~reports.view.report_inputs`, what is
said beside it; :mod:`~reports.view.contents` has the sections in their order. Their modules, about in that
order:

- ``exhibit``: the head, what the file declares, what it is; ``metadata``: what is recorded in it.
- ``finding``: the first page, persons, segments, what it means, what was not examined; ``timeline``.
- ``review``: what reviewers say. ``comparisons``: with a reference.
- ``method``: how it was analysed, and how that is repeated; ``validation``: how often the model errs.
- :mod:`~reports.view.custody`: the custody log. :mod:`~reports.view.reader`: the annex for the reader.

Tables are made of :mod:`~reports.view.facts`. docs/report.md has the table of sections, with their templates.
"""
