"""Browser routes, one file an area: they read requests and render templates.

What changes something is in `services`, what reads in `queries`; nothing here is imported by `api`.
"""
