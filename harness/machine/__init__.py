"""The machine: what it is, what is installed on it, and how busy other programs keep it."""
