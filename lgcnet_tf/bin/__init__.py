"""Command lines: flags, one call into the library, nothing else."""
