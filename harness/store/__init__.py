"""The files that runs write: records, predictions, and the folder that holds them."""
