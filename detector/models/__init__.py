"""Model cards and weights: reading, checking, loading.

Architectures are in `networks`, what runs them in `backends`.
"""
