"""What goes on in an iteration of distillation: who causes the losses, and whom they obey."""
