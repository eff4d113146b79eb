"""Pure transitions: from what is, and what is asked, to what shall be."""
