"""The processes that make analyses.

:mod:`~webapp.worker.supervisor` starts and watches :mod:`~webapp.worker.celery_worker`, which forks a
process for each job. That goes through :mod:`~webapp.worker.run_job`, and has the result made by
:mod:`~webapp.worker.run_analysis` or :mod:`~webapp.worker.run_comparison`. States and the queue are in
:mod:`webapp.jobs`.
"""
