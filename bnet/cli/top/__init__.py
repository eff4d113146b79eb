"""`bnet top`: the network as it is now, in a terminal."""
