"""Models: the shipped ones and those added to the data folder."""
