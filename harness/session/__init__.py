"""One invocation: what it needs, which runs are finished, training the others, keeping them."""
