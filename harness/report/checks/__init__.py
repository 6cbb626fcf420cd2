"""Published files held against the records that they were made from."""
