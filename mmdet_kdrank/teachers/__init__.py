"""Loading a teacher, and showing it the batch of the student."""
