"""A kept model: its folder, its model card, and its predictions."""
