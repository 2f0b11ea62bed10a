"""The processes that make analyses: Celery's worker, the run of one analysis, and who looks after them.

States and the queue are in `jobs`.
"""
