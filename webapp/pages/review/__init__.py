"""Pages on which findings are examined.

The review desk lies on the page of an analysis (:mod:`webapp.pages.analysis.show`);
:mod:`~webapp.pages.review.desk` gives it data, :mod:`~webapp.pages.review.annotations` takes what reviewers
say there, :mod:`~webapp.pages.review.second_reviews` has the second look of another person. Two things are
called a comparison: :mod:`~webapp.pages.review.two_analyses` of one exhibit, and
:mod:`~webapp.pages.review.comparisons` of an exhibit with a reference.
"""
