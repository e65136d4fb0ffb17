"""`make demo`: teacher, student alone, with KD, and with KD + rank, on the embedded data."""
