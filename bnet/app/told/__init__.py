"""What commands and pages print: plain objects, with the names of the documents' fields."""
