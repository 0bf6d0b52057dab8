"""Accuracy and cost of a network: mIoU, multiply-accumulates, Cityscapes files."""
