"""A suite: its file, its cells, and the names and published scores that it refers to."""
