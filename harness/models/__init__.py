"""A checkpoint's model and tokenizer: are they whole, do they fit, how do they read sentences."""
