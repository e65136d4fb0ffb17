"""A run on one page that needs neither network nor server."""
