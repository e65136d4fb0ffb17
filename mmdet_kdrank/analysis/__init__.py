"""What tables, pictures and plots are computed from."""
