"""Whether a record agrees with itself, with its predictions, and with the rules that make one."""
