"""A layer or network as a graph of another library, in one call each."""
