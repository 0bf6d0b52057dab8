"""What measures on a device without this package: its modules import nothing of it."""
