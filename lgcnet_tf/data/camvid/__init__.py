"""CamVid: its folder reader and its TFDS builder."""
