"""Tables of `docs/reports/performance.md`, made from the CSV files."""
