"""How an exhibit was analysed (:mod:`~reports.view.method.method`), and how that is repeated
(:mod:`~reports.view.method.reproduction`).
"""
