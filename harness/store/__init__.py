"""What runs leave on disk: records, predictions, and the folder that holds them."""
