"""Communication between the architectures of adjacent cells."""
