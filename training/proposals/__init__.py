"""The small network that proposes where faces may be: examples, training, measuring and shipping."""
