"""Layers of the search space and the one builder of networks."""
