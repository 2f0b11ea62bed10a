"""Training and test data: labelled sets, faces found in them, and examples made from those faces."""
