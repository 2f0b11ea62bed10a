"""Which exhibit a report is about, before anything is said of a finding.

In the report's order: its head (:mod:`~reports.view.exhibit.head`), what the file says of its own making
(:mod:`~reports.view.exhibit.declarations`), what identifies it (:mod:`~reports.view.exhibit.exhibit`).
"""
