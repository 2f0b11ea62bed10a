"""Accounts: people and their roles, sign-in, sessions, API tokens, and what each may do and see."""
