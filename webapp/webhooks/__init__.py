"""Webhooks: registration, the queue of messages, signed delivery."""
