"""Tables of whole training steps."""

from pathlib import Path

from benchmarks.harness import read_rows
from benchmarks.report.text import added, count, digits, memory, percent, seconds
from mmdet_kdrank.files.markdown import markdown_table


def step_table(results: Path, name: str) -> str:
    """Return a table of training steps: each variant, the student's and the KD step."""
    return markdown_table(
        ['family', 'step', 'time', 'quartiles', "to the student's", "to KD's", 'memory'],
        [
            [
                row['family'],
                row['name'].replace('_', ' '),
                seconds(row['median_s']),
                f'{seconds(row["low_s"])} to {seconds(row["high_s"])}',
                added(row['of_student']),
                added(row['of_kd']),
                memory(row['peak_extra_bytes']),
            ]
            for row in read_rows(results / name)
            if row['kind'] == 'step'
        ],
    )


def part_table(results: Path, name: str) -> str:
    """Return the parts that distillation adds, alone."""
    return markdown_table(
        ['family', 'part', 'time', 'quartiles', 'of the KD step'],
        [
            [
                row['family'],
                row['name'].replace('_', ' '),
                seconds(row['median_s']),
                f'{seconds(row["low_s"])} to {seconds(row["high_s"])}',
                percent(row['of_kd']),
            ]
            for row in read_rows(results / name)
            if row['kind'] == 'part'
        ],
    )


def anchors_table(results: Path, name: str) -> str:
    """Memory of a step that distils every anchor."""
    return markdown_table(
        ['step', 'weights', 'peak beyond them', 'of 24 GB, with the weights'],
        [
            [
                row['name'].replace('_', ' '),
                memory(row['weights_bytes']),
                memory(row['peak_extra_bytes']),
                percent(row['of_card']),
            ]
            for row in read_rows(results / name)
        ],
    )


def pair_table(results: Path, name: str) -> str:
    """Return what the teacher adds to the arithmetic of the COCO pairs, and what is stored."""
    return markdown_table(
        ['pair', "student's step", 'with teacher, KD, rank', 'ratio', 'checkpoint', 'teacher'],
        [
            [
                f'{row["family"]} {row["pair"]}',
                f'{count(row["student_flop"])}FLOP',
                f'{count(row["kd_rank_flop"])}FLOP',
                digits(float(row['ratio'])),
                memory(str(4 * (int(row['student_parameters']) + int(row['trained_parameters'])))),
                memory(row['teacher_bytes']),
            ]
            for row in read_rows(results / name)
        ],
    )
