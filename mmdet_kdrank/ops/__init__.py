"""Tensor operations: tensors in, tensors out; nothing here knows a detector."""
