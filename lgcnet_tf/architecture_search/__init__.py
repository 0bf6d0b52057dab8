"""Architecture search: sampling, joint optimiser, search model."""
