"""Data that the other folders exchange: rows of logits, ground truth, matched classes."""
