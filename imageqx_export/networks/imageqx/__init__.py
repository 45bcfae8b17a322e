"""ImageQX: the network, what its outputs mean, the graph that goes to phones, and a warm start."""
