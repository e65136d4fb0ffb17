"""Figures as text."""

_SI = ((1e9, 'G'), (1e6, 'M'), (1e3, 'k'), (1.0, ''))


def digits(value: float) -> str:
    """Write a number with two or three digits and no exponent.

    Example:
        >>> digits(0.01234), digits(4.56), digits(123.4), digits(1234.5)
        ('0.012', '4.6', '123', '1,234')
    """
    if value == 0 or value >= 100:
        return f'{value:,.0f}'
    return f'{float(f"{value:.2g}"):g}'


def seconds(value: str) -> str:
    """Write a time.

    Example:
        >>> seconds('1.23e-05'), seconds('0.0456'), seconds('7.89'), seconds('')
        ('12 µs', '46 ms', '7.9 s', '-')
    """
    if not value:
        return '-'
    time = float(value)
    unit, factor = ('µs', 1e6) if time < 1e-3 else ('ms', 1e3) if time < 1 else ('s', 1.0)
    return f'{digits(time * factor)} {unit}'


def memory(value: str) -> str:
    """Write bytes.

    Example:
        >>> memory('1234567'), memory('4096'), memory('2.5e9'), memory('')
        ('1.2 MB', '4.1 kB', '2.5 GB', '-')
    """
    if not value:
        return '-'
    size = float(value)
    factor, unit = next((pair for pair in _SI if size >= pair[0]), _SI[-1])
    return f'{digits(size / factor)} {unit}B'


def count(value: str) -> str:
    """Write a number of operations.

    Example:
        >>> count('3317760'), count('999')
        ('3.3 M', '999')
    """
    number = float(value)
    factor, unit = next((pair for pair in _SI if number >= pair[0]), _SI[-1])
    return f'{digits(number / factor)} {unit}'.strip()


def times(value: str) -> str:
    """Write a ratio.

    Example:
        >>> times('12.34'), times('')
        ('12x', '-')
    """
    return f'{digits(float(value))}x' if value else '-'


def added(value: str) -> str:
    """Write by how much a ratio exceeds 1.

    Example:
        >>> added('1.0234'), added('0.95'), added('1.6'), added('')
        ('+2.3 %', '-5 %', '+60 %', '-')
    """
    if not value:
        return '-'
    percentage = 100 * (float(value) - 1)
    return f'{"+" if percentage >= 0 else "-"}{digits(abs(percentage))} %'


def percent(value: str) -> str:
    """Write a share.

    Example:
        >>> percent('0.0456'), percent('1'), percent('')
        ('4.6 %', '100 %', '-')
    """
    return f'{digits(100 * float(value))} %' if value else '-'
