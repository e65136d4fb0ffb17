"""Which of MMDetection's own detector configs can be distilled."""
