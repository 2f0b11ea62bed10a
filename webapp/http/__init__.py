"""Shared handling of requests and responses. Routes are in the features."""
