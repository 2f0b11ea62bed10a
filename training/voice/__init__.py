"""Train and measure the network of voices."""
