"""The classes and their colours: outline x fill x hue, so that a wrong class can be nearly right.

The colour arithmetic uses operations that IEEE 754 defines exactly, so images are equal on every
machine.
"""

from itertools import product

OUTLINES = ('circle', 'triangle', 'star')
FILLS = ('solid', 'striped', 'hollow')
HUES = {'red': 0.0, 'yellow': 52.0, 'blue': 215.0}  # degrees on the colour circle

CLASSES = tuple('-'.join(parts) for parts in product(OUTLINES, FILLS, HUES))


def hsv_to_rgb(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    """Convert one colour.

    Args:
        hue: Degrees, any real number (taken modulo 360).
        saturation: In [0, 1].
        value: In [0, 1].

    Returns:
        Red, green and blue in [0, 1].

    Example:
        >>> hsv_to_rgb(120.0, 1.0, 0.5)
        (0.0, 0.5, 0.0)
    """

    def channel(offset: int) -> float:
        k = (offset + hue / 60.0) % 6.0
        return value - value * saturation * max(0.0, min(k, 4.0 - k, 1.0))

    return channel(5), channel(3), channel(1)


def _palette() -> list[tuple[int, int, int]]:
    """Give each class its hue, and a different shade to each class of one hue."""
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
