"""`bnet message`: what people, servers and agents tell each other."""
