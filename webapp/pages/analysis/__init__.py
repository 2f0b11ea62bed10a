"""Pages of one analysis.

:mod:`~webapp.pages.analysis.show` is its page with the review desk on it, which
:mod:`~webapp.pages.analysis.desk` gives its data; :mod:`~webapp.pages.analysis.annotations` takes what
reviewers say there. :mod:`~webapp.pages.analysis.manage` is what can be done with an analysis,
:mod:`~webapp.pages.analysis.case_details` the form for its case, :mod:`~webapp.pages.analysis.downloads` what
is handed out. :mod:`~webapp.pages.analysis.two_analyses` shows two of one exhibit together.
"""
