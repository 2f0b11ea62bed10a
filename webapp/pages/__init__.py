"""Browser routes, one file an area: they read requests and render templates.

:mod:`~webapp.pages.upload` takes a file in; :mod:`~webapp.pages.library` lists analyses; the pages of one are
in ``analysis``, the review desk among them, the log of its exhibit in :mod:`~webapp.pages.custody`.
:mod:`~webapp.pages.comparisons` are of an exhibit with a reference, :mod:`~webapp.pages.second_reviews` the
second look of another person. :mod:`~webapp.pages.cases` hold analyses together. About all of them:
:mod:`~webapp.pages.statistics`, drawn by :mod:`~webapp.pages.charts`, and :mod:`~webapp.pages.validations`.
:mod:`~webapp.pages.live` sessions have pages of their own. :mod:`~webapp.pages.models`,
:mod:`~webapp.pages.operations` and :mod:`~webapp.pages.health` are about the installation, ``people`` about
accounts; :mod:`~webapp.pages.help` explains results.

Pages share :mod:`~webapp.pages.template_filters`, :mod:`~webapp.pages.job_words` for scripts that show where
a job stands, and :mod:`~webapp.pages.form_again` for forms that are refused. What changes something is in
`services`, what reads in `queries`; nothing here is imported by `api`.
"""
