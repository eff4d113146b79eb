"""`bnet demo`: a network on this machine, and the story that it plays."""
