"""The processes that run analyses and comparisons.

:mod:`~webapp.worker.supervisor` starts and watches :mod:`~webapp.worker.celery_worker`, which forks a process
for each job. :mod:`~webapp.worker.run_job` runs the job; :mod:`~webapp.worker.run_analysis` computes its
result in confined processes. States and the queue are in :mod:`webapp.jobs`.
"""
