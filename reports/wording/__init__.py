"""Sentences and terms that several sections of the report share."""
