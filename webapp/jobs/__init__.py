"""Jobs, analyses and comparisons alike: parameters, states, queue, claims of workers, and the broker."""
