"""How this installation is doing: readiness, figures for Prometheus, the page of operations, alerts.

The routes that publish them are in `pages`.
"""
