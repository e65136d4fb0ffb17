"""Logit distillation losses, registered in MODELS, one a file."""
