"""States of an analysis or comparison, its queue and the broker.

What people do to a job is in :mod:`~webapp.jobs.states`, what its worker does in
:mod:`~webapp.jobs.claims`, what becomes of it without its worker in :mod:`~webapp.jobs.recovery`. The
processes that do the work are in :mod:`webapp.worker`.
"""
