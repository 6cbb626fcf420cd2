"""What records say: evidence, costs, gates, comparisons and rankings."""
