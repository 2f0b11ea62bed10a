"""Acts that change something, for pages and API alike. What only reads is in `queries`.

What people do with a case is in ``cases``, what is refused for its sake in ``case_rules``, what they say of
its analyses in ``review``. ``validations`` are the laboratory's own; ``backups`` are of everything.
"""
