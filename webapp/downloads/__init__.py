"""What is handed to people: reports, bundles and exports, each recorded in the custody log.

- :mod:`~webapp.downloads.reports` hands out a report, which :mod:`~webapp.downloads.kept_reports` keeps until
  more is said; :mod:`~webapp.downloads.report_process` renders it, one at a time for an analysis
  (:mod:`~webapp.downloads.report_lock`). Only a few requests may wait for that
  (:mod:`~webapp.downloads.concurrency_limit`). How a report is made is in `reports`.
- :mod:`~webapp.downloads.bundles` takes that report and puts beside it what plays of the exhibit, the page
  (:mod:`~webapp.downloads.offline_page`) and :mod:`~webapp.downloads.bundle_readme`;
  :mod:`~webapp.downloads.signing` signs the report and gives the key for the manifest.
  :mod:`~webapp.downloads.case_archive` packs the bundles of a case, and its exhibits.
- :mod:`~webapp.downloads.exports` hands out an analysis in other formats, :mod:`~webapp.downloads.exhibits`
  the exhibit itself, hashed before.

:mod:`~webapp.downloads.download_record` puts a download into the log;
:mod:`~webapp.downloads.custody_access` says who may have the log of an exhibit.
"""
