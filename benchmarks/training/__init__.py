"""One training step: detectors, batches, and ways of distilling that are compared."""
