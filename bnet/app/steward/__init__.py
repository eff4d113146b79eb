"""The steward and its chores."""
