"""The tree of classes, outline x fill x hue, so that wrong ones are wrong by degrees."""

from itertools import product

from mmdet_kdrank.datasets.shapes.colour import hsv_to_rgb

OUTLINES = ('circle', 'triangle', 'star')
FILLS = ('solid', 'striped', 'hollow')
HUES = {'red': 0.0, 'yellow': 52.0, 'blue': 215.0}  # degrees on the colour circle

CLASSES = tuple('-'.join(parts) for parts in product(OUTLINES, FILLS, HUES))


def _palette() -> list[tuple[int, int, int]]:
    """Give each class its hue, and siblings of one hue a shade of their own."""
    shades = [
        (1.0 - 0.13 * i, 1.0 - 0.2 * j) for i in range(len(OUTLINES)) for j in range(len(FILLS))
    ]
    return [
        tuple(int(255 * channel) for channel in hsv_to_rgb(hue, saturation, value))
        for saturation, value in shades
        for hue in HUES.values()
    ]


PALETTE = _palette()


def class_parts(label: int) -> tuple[str, str, str]:
    """Split a class into its outline, fill and hue.

    Args:
        label: Index into ``CLASSES``.

    Returns:
        The three names, e.g. ``('circle', 'solid', 'red')``.

    Example:
        >>> class_parts(0)
        ('circle', 'solid', 'red')
    """
    outline, fill, hue = CLASSES[label].split('-')
    return outline, fill, hue
