"""What the custody log's entries say of a kept record, held against what rows and folders hold of it.

:mod:`~webapp.custody.records.job_records` knows whether a job may be there at all;
:mod:`~webapp.custody.records.result_records`, :mod:`~webapp.custody.records.comparison_records`,
:mod:`~webapp.custody.records.review_records` and :mod:`~webapp.custody.records.account_records` compare what
rows and folders hold; :mod:`~webapp.custody.records.choice_records` says which validations there are, and
which of them reports quote. What differs is refused (:mod:`webapp.custody.altered`).
"""
