"""What is looked at before a view runs: who asks, the token of forms, how often, and the size of uploads."""
