"""How much time and memory runs need, and in which order they are trained."""
