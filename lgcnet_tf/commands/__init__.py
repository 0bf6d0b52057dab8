"""The commands: for each its options and what it does, from top to bottom."""
