"""Losses, checkpoints, the training loop and finetuning."""
