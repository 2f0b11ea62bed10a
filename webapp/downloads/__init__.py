"""What people take away of a result: reports, bundles with the review desk, exports and tables."""
