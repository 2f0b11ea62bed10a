"""Pages of one analysis.

:mod:`~webapp.pages.analysis.show` is its page, the review desk on it included,
:mod:`~webapp.pages.analysis.manage` what can be done with it, :mod:`~webapp.pages.analysis.case_details` the
form for its case, :mod:`~webapp.pages.analysis.downloads` what is handed out.
"""
