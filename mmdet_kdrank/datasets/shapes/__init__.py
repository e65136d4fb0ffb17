"""Procedural images of shapes in COCO format, equal bit for bit for one seed."""
