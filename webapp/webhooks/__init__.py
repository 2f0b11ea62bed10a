"""Registered webhooks and their delivery."""
