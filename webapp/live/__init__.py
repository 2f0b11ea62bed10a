"""Live sessions and their pages."""
