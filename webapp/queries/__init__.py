"""What pages and API read: rows as somebody may see them, results, statistics.

Nothing here changes a row.
"""
