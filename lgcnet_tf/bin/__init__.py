"""Command lines: a table of commands, their flags and their help."""
