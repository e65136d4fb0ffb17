"""Loading a teacher, evaluating it, and cutting the branches that distillation does not need."""
