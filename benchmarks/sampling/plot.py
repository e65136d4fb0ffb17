"""The plot of time against standard deviation."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.harness import read_rows

_PANELS = {
    'loss_sd': 'standard deviation of the loss',
    'grad_sd': 'of the gradient, relative',
    'summed_grad_sd': 'of its sum over rows, relative',
}
_COLOURS = {'groups': 'C0', 'subset': 'C1'}
_LINES = {'alike': '-', 'unlike': '--'}


def plot(table: Path, path: Path) -> None:
    """Draw the measurements of ``benchmarks/sampled_pairs.py``: a row of panels for each C.

    Args:
        table: The CSV file.
        path: Image file to write.
    """
    rows = read_rows(table)
    sizes = sorted({(int(row['c']), int(row['n'])) for row in rows})
    figure = Figure(figsize=(13, 3.6 * len(sizes)), layout='constrained')
    axes = figure.subplots(len(sizes), len(_PANELS), squeeze=False)
    for line, (c, n) in zip(axes, sizes, strict=True):
        of_size = [row for row in rows if int(row['c']) == c and row['median_s']]
        full = next(row for row in of_size if row['estimator'] == 'all pairs')
        for axis, (column, title) in zip(line, _PANELS.items(), strict=True):
            for estimator, colour in _COLOURS.items():
                for kind, style in _LINES.items():
                    selected = [
                        row
                        for row in of_size
                        if (row['estimator'], row['kind']) == (estimator, kind)
                    ]
                    times = [1e3 * float(row['median_s']) for row in selected]
                    values = [float(row[column]) for row in selected]
                    axis.plot(
                        times, values, style, color=colour, marker='o', markersize=4,
                        label=f'{estimator}, rows {kind}',
                    )  # fmt: skip
                    if (estimator, kind) == ('groups', 'alike'):
                        for row, x, y in zip(selected, times, values, strict=True):
                            axis.annotate(row['groups'], (x, y), (4, 4), textcoords='offset points')
            axis.axvline(1e3 * float(full['median_s']), color='grey', linestyle=':')
            axis.set(xscale='log', yscale='log', xlabel='forward + backward [ms]', title=title)
            # On an axis of less than a decade, all minor labels would overlap.
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.grid(alpha=0.3, which='both')
        line[0].set_ylabel(f'C = {c:,}, timed at N = {n:,}')
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=len(handles))
    origin = rows[0]
    figure.suptitle(
        f'{origin["hardware"]}, {origin["threads"] or "no"} thread(s), torch {origin["torch"]}, '
        f'{origin["date"]}; deviations on {origin["error_rows"]} rows\n'
        'numbers: class_groups; dotted: all pairs'
    )
    figure.savefig(path, dpi=100)
