"""From a checkpoint to weights and a model card."""
