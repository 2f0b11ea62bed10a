"""What reviewers say of an analysis: annotations, the file they travel in, and the second review.

:mod:`~reports.review.annotations` has their kinds, and which of them stand;
:mod:`~reports.review.annotation_file` writes and reads them, and the checksum over them.
:mod:`~reports.review.second_review` has the statements of a second review, in what two reviewers differ, and
what holds in the end. Where what is read is neither, :mod:`~reports.review.value_problems` says why.

Of what was said, :mod:`~reports.review.marked_stretches` tells how it lies to what was flagged, for reports,
and :mod:`~reports.review.agreement` how far reviewers agree, for the statistics of the web app.
"""
