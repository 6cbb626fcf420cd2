"""A suite: its file, its cells, the names in it and published reference scores."""
