"""Trainings in processes of their own, and reading what they left."""
