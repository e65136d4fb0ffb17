"""Hooks that any MMEngine training can use: checkpoints, random states and stopping."""
