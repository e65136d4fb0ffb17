"""Reading checkpoints without running code from them."""
