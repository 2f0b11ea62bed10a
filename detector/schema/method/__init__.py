"""With what an analysis was computed, but for its model: parameters, versions and machine."""
