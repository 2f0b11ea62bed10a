"""How this installation is doing: readiness, figures for Prometheus, the page of operations, alerts.

:mod:`~webapp.monitoring.readiness` says whether it can work now, for which
:mod:`~webapp.monitoring.store_probe` asks the object store. :mod:`~webapp.monitoring.operations` gathers how
it is doing as one value, from which :mod:`~webapp.monitoring.metrics` and :mod:`~webapp.monitoring.alerts`
are made. The routes that publish them are in `pages`.
"""
