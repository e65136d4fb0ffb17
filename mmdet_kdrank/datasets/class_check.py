"""Compares class lists: of a data set with its file's categories, and of data sets with each other.

MMDetection numbers labels in the order of the file, among the categories that the data set
chooses. A list in another order, or a name that the file lacks, changes what labels mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from mmdet_kdrank.datasets.annotation_file import listed
from mmdet_kdrank.errors import DataError, MissingFileError


def check_class_list(classes: object) -> None:
    """Refuse what is no list of names.

    Args:
        classes: ``metainfo['classes']`` of a data set, after MMEngine read a file that it names.

    Raises:
        FileNotFoundError: If it looks like the path of a file.
        ValueError: If it is any other string, or no list of strings.
    """
    if not isinstance(classes, str):
        listing = isinstance(classes, (list, tuple)) and len(classes) > 0
        if not listing or not all(isinstance(name, str) for name in classes):
            raise DataError(
                f'metainfo has classes={classes!r}, no list of names. Write a tuple, such as '
                "metainfo=dict(classes=('cat', 'dog'))."
            )
        return
    if Path(classes).suffix or '/' in classes:
        raise MissingFileError(
            f'metainfo names the classes file {classes}, which does not exist. Correct the path; '
            'a relative one starts at the folder in which the command runs.'
        )
    raise DataError(
        f'metainfo has classes={classes!r}, a string, and MMDetection takes each letter for a '
        f'class. Write a tuple, with its comma: classes=({classes!r},).'
    )


def check_categories(names: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Refuse categories that give other labels than the class list says.

    Args:
        names: Of the file's categories, in its order.
        classes: Of the data set.

    Raises:
        ValueError: If no class is among them, the order differs, or a class in the middle of the
            list is not among them.

    Returns:
        Classes at the end of the list that the file lacks.
    """
    present = set(names)
    common = [name for name in names if name in set(classes)]
    if not common:
        hint = _near_misses(classes, names)
        raise DataError(
            f'none of the classes ({listed(classes)}) is among its categories ({listed(names)}). '
            f'{hint}Set metainfo=dict(classes=…) of all data sets to names in the file.'
        )
    if common != [name for name in classes if name in present]:
        raise DataError(
            f'it lists the classes as {listed(common)}, but the data set lists them as '
            f'{listed(classes)}. MMDetection uses the order of the file, so labels would have '
            "wrong names. Reorder the entries of 'categories' in the file to the order "
            f'{listed([name for name in classes if name in present], 100)}; their ids stay.'
        )
    lacking = [name for name in classes if name not in present]
    if lacking and common != list(classes[: len(common)]):
        raise lacking_classes(lacking, names)
    return lacking


def lacking_classes(lacking: Sequence[str], names: Sequence[str]) -> DataError:
    """Return the error for classes that a file lacks.

    Args:
        lacking: Those classes.
        names: Of the file's categories.
    """
    return DataError(
        f'its categories ({listed(names)}) lack the classes {listed(lacking)}, so these have no '
        f'object. {_near_misses(lacking, names)}Write the names in metainfo=dict(classes=…) of all '
        'data sets as in the file, remove these classes there and from num_classes, or add them '
        "to 'categories'."
    )


def check_same_classes(
    place: str, classes: Sequence[str], first: str, expected: Sequence[str]
) -> None:
    """Refuse data sets with other classes, or in another order, than the training set.

    Args:
        place: The data set and its file, for the error.
        classes: Its class list.
        first: The training set and its file.
        expected: The training set's class list.

    Raises:
        ValueError: If the lists differ.
    """
    if list(classes) != list(expected):
        raise DataError(
            f'{place} has the classes {listed(classes)}, but {first} has {listed(expected)}: a '
            'label would mean two classes. Set metainfo=dict(classes=…) of all data sets to the '
            f"same tuple, and reorder 'categories' in the file to it where they differ."
        )


def _near_misses(classes: Sequence[str], names: Sequence[str]) -> str:
    folded = {name.strip().casefold(): name for name in names}
    pairs = []
    for name in classes:
        close = get_close_matches(name.strip().casefold(), folded, n=1, cutoff=0.75)
        if close:
            pairs.append(f'{folded[close[0]]!r} for {name!r}')
    return f'The file has {listed(pairs)}. ' if pairs else ''
