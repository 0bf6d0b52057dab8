"""Procedurally drawn streets: their reader and their TFDS builder."""
