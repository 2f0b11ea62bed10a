"""Training and measuring of the second look, a ViT-S/14 beside the fast network; no analysis uses it yet."""
