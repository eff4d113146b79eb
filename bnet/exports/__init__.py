"""A network's builds and figures as other systems count them."""
