"""Measuring an iteration of distillation: where the losses come from, and their gradients."""
