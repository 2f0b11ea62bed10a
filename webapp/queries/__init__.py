"""What pages and API read.

Nothing here changes a row; :func:`webapp.queries.results.viewed` appends to the custody log who looked.

Rows as somebody may see them: :mod:`~webapp.queries.analyses`; the library, which searches them
(:mod:`~webapp.queries.library`) and tells more of each it shows (:mod:`~webapp.queries.library_rows`);
:mod:`~webapp.queries.cases`, :mod:`~webapp.queries.second_reviews` and those that wait for somebody
(:mod:`~webapp.queries.waiting_reviews`),
:mod:`~webapp.queries.reference_comparisons`, :mod:`~webapp.queries.copies`. Results from their folders:
:mod:`~webapp.queries.results`, for the desk :mod:`~webapp.queries.review_data` and
:mod:`~webapp.queries.review_scores`, two of one exhibit :mod:`~webapp.queries.two_analyses`,
:mod:`~webapp.queries.live_sessions`. All of them counted: :mod:`~webapp.queries.statistics`. What is said of
one deleted while a request about it is answered: :mod:`~webapp.queries.deleted_meanwhile`.
"""
