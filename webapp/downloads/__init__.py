"""What is handed to people: reports, bundles and exports, each recorded in the custody log.

:mod:`~webapp.downloads.reports` hands out a report, which :mod:`~webapp.downloads.kept_reports` keeps until
more is said; :mod:`~webapp.downloads.report_process` renders it. How a report is made is in `reports`.
"""
