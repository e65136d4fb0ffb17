"""What the other folders pass to each other: rows of logits, ground truth, matched classes."""
