"""Measuring, the latency table, and a network's latency from it (Eq. 8-10)."""
