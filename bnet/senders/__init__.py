"""Ways to reach people: what is told goes out through Apprise."""
