"""The claims made for the ranking loss, each measured on logits."""
