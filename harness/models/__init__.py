"""A checkpoint's model and tokenizer: completeness, fit, and how they read sentences."""
