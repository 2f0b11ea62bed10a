"""How an exhibit was analysed, and how that is repeated.

The former is :mod:`~reports.view.method.method`, the latter :mod:`~reports.view.method.reproduction`.
"""
