"""What runs left: where it is kept, fetched, compared, and cleared away."""
