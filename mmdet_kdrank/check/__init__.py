"""Whether a distilling config is ready: `python -m mmdet_kdrank.check CONFIG`."""
