"""`bnet artifact`: the files that jobs left."""
