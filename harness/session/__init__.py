"""One invocation: find its inputs and finished runs, train the missing runs, store the results."""
