"""One server at work: what it looks at, decides, starts, and says of itself."""
