"""What people say of analyses: annotations, who reviews a case, the second review. All is recorded.

:mod:`~webapp.services.review.annotations` lists and records them;
:mod:`~webapp.services.review.annotation_import` takes in a file or a bundle, whose annotations
:mod:`~webapp.services.review.annotation_merge` brings together with those that are there. For statistics
:mod:`~webapp.services.review.unflagged` notes in the row of an annotated analysis which segments were looked
at and not flagged.

:mod:`~webapp.services.review.reviewers` names who reviews the exhibits of a case, and refuses what would not
leave them blind; :mod:`~webapp.services.review.second_reviews` records what they then say.
:mod:`~webapp.services.review.times` gives statements and annotations their moment.
"""
