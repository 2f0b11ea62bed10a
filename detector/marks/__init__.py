"""Marks that generators hide in pixels and sound. They are declarations and never part of a score."""
