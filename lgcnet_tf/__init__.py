"""Search, train and serve real-time segmentation networks (LGCNet)."""
