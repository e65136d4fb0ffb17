"""Colour arithmetic in IEEE-exact operations only, so that pictures are equal on every machine."""


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
