"""What people say of an analysis, in words.

:mod:`~reports.view.review.reviewers` has annotations, :mod:`~reports.view.review.counts` how many of them say
what, :mod:`~reports.view.review.second_review` the second review.
"""
