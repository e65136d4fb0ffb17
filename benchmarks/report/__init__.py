"""Tables of `docs/performance.md`, made from the CSV files."""
