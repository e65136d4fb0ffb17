"""Set-up of the virtual environment; plain standard library, since it runs before anything else."""
