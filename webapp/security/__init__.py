"""Who asks, what they may do and see, and how often: accounts, sessions, tokens, permissions, limits.

Headers of answers are in `http`.
"""
