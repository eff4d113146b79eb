"""What happens to the files of a tree, as the platform tells it."""
