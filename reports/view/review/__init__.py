"""What people say of an analysis: annotations (:mod:`~reports.view.review.reviewers`), and the second review
(:mod:`~reports.view.review.second_review`).
"""
