"""Writing and identifying files."""
