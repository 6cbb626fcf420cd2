"""Which runs a session needs at which look, and what it prints about looks and races."""
