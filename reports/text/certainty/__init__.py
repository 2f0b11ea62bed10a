"""How sure a figure is: the phrase that stands for it, its interval, and the measured errors behind these."""
