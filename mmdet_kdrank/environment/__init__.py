"""What the package needs from its environment, and every known fault with its fix."""
