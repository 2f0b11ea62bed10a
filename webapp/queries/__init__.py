"""What pages and API read: rows as somebody may see them, results, statistics.

Nothing here changes a row; :func:`webapp.queries.results.viewed` appends to the custody log who looked.
"""
