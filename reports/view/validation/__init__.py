"""What a reader is told of validations: a laboratory's own with plots, and the rates of the model card."""
