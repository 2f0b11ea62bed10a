"""The routes, one small file per area."""
