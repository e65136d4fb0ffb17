"""Hooks for any MMEngine training: safe checkpoints, random states and stopping on a signal."""
