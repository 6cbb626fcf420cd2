"""A kept model: its folder, its model card, and its answers to sentences."""
