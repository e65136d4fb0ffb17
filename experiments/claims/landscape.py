"""The losses over a plane of logits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from experiments.claims.descent import random_start
from experiments.claims.logits import LogitSet
from experiments.claims.terms import Term, kd, rank, together

_SIZE = 61
_STEPS, _RATE = 3000, 1.0
_STARTS = 8


@dataclass(frozen=True)
class Plane:
    """A plane through the teacher's logits of one row.

    Attributes:
        title: Of its panels.
        logits: The one row.
        axes: Two directions from the teacher, shape (2, C).
        reach: Lower and upper end of both coordinates.
        names: Of the coordinates.
        points: What is marked, by name, in coordinates.
        paths: Whether every descent stays in the plane, so that it can be drawn.
    """

    title: str
    logits: LogitSet
    axes: Tensor
    reach: tuple[float, float]
    names: tuple[str, str]
    points: dict[str, tuple[float, float]]
    paths: bool

    def at(self, coordinates: Tensor) -> Tensor:
        """Logits at (M, 2) coordinates, shape (M, C)."""
        return self.logits.teacher + coordinates @ self.axes


def three_classes() -> Plane:
    """All there is of three classes: a shift changes nothing, so that two differences remain."""
    teacher = torch.tensor([[0.9, 0.09, 0.01]], dtype=torch.float64).log()
    teacher = teacher - teacher[:, 2:]
    row = LogitSet('three classes', torch.zeros_like(teacher), teacher, torch.tensor([0]))
    axes = torch.eye(3, dtype=torch.float64)[:2]
    return Plane(
        'teacher 0.9, 0.09, 0.01',
        row,
        axes,
        (-9.0, 7.0),
        ('$s_1 - s_3$ less that of $t$', '$s_2 - s_3$ less that of $t$'),
        {'t': (0.0, 0.0)},
        paths=True,
    )


def slice_of(logits: LogitSet) -> Plane:
    """The plane through the teacher, the student and a random start of the first row."""
    row = logits.first(1)
    there, start = row.student - row.teacher, random_start(row) - row.teacher
    across = start - (start * there).sum() / there.square().sum() * there
    across = across * there.norm() / across.norm()
    scale = there.square().sum()
    points = {
        't': (0.0, 0.0),
        's': (1.0, 0.0),
        'start': (float((start * there).sum() / scale), float((start * across).sum() / scale)),
    }
    furthest = max(abs(value) for point in points.values() for value in point)
    return Plane(
        f'a row of {logits.name}',
        row,
        torch.cat([there, across]),
        (-1.2 * furthest, 1.2 * furthest),
        ('along $s - t$', 'across, towards a random start'),
        points,
        paths=False,
    )


def draw_landscapes(sets: list[LogitSet], path: Path) -> None:
    """Draw KL, rank in both forms and their sum over planes of logits.

    Args:
        sets: The first row of the first is cut through.
        path: Image file to write.
    """
    planes = [three_classes(), slice_of(sets[0])]
    figure = Figure(figsize=(15, 7.6), layout='constrained')
    for row, plane in zip(figure.subplots(2, 4), planes, strict=True):
        for axes, term in zip(row, _terms(plane.logits), strict=True):
            _draw(axes, term, plane)
    figure.savefig(path, dpi=90)


def _terms(logits: LogitSet) -> list[Term]:
    return [kd(logits), rank(), rank(form='cosine'), together(logits)]


def _draw(axes: Axes, term: Term, plane: Plane) -> None:
    line = torch.linspace(*plane.reach, _SIZE, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)
    rows = _repeated(plane.logits, len(grid))
    values = term.values(plane.at(grid), rows).reshape(_SIZE, _SIZE).T
    # Levels by rank of value: KL runs over orders of magnitude, rank does not.
    levels = torch.quantile(values, torch.linspace(0, 1, 16, dtype=torch.float64)).unique()
    axes.contourf(line, line, values, levels=levels.tolist(), cmap='viridis_r')
    axes.contour(line, line, values, levels=levels.tolist(), colors='white', linewidths=0.3)
    if plane.paths:
        for track in _paths(term, plane):
            axes.plot(*track.T, color='#D55E00', lw=1)
            axes.plot(*track[-1], 'o', color='#D55E00', ms=3.5)
    for name, point in plane.points.items():
        axes.plot(*point, 'k+', ms=9, mew=1.6)
        axes.annotate(name, point, xytext=(5, 4), textcoords='offset points')
    low, high = plane.reach
    axes.set(xlim=(low, high), ylim=(low, high), xlabel=plane.names[0], ylabel=plane.names[1])
    axes.set_title(f'{term.name}: {plane.title}', fontsize=10, loc='left')


def _repeated(logits: LogitSet, count: int) -> LogitSet:
    teacher = logits.teacher.expand(count, -1)
    return LogitSet(logits.name, teacher, teacher, logits.labels.expand(count), logits.activation)


def _paths(term: Term, plane: Plane) -> Tensor:
    """Descents from a ring around the teacher, shape (starts, steps, 2)."""
    angles = torch.linspace(0, 2 * torch.pi, _STARTS + 1, dtype=torch.float64)[:-1] + 0.3
    ring = 0.8 * min(-plane.reach[0], plane.reach[1])
    student = plane.at(ring * torch.stack([angles.cos(), angles.sin()], 1))
    rows = _repeated(plane.logits, _STARTS)
    track = []
    for step in range(_STEPS):
        if step % 50 == 0 or step < 50:
            gap = student - rows.teacher
            track.append((gap - gap[:, 2:])[:, :2])
        student = student - _RATE * term.gradient(rows, student)
    return torch.stack(track, 1)
