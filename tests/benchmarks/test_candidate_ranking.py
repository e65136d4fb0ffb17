"""The script from its command line to its CSV; figures of quick sizes mean nothing."""

import pytest

from benchmarks import candidate_ranking
from benchmarks.harness import read_rows
from benchmarks.script import main


def test_quick_from_end_to_end(tmp_path):
    assert main([candidate_ranking.SCRIPT], ['--quick', '--out', str(tmp_path)]) == 0
    rows = {row['loss']: row for row in read_rows(tmp_path / 'candidate_ranking_cpu.csv')}
    assert len(rows) == 6
    assert all(float(row['median_s']) > 0 for row in rows.values())
    objects = [row for name, row in rows.items() if 'object rows' in name]
    assert [int(row['loss_rows']) for row in objects] == [6, 6]


def test_the_teacher_sees_the_objects_classes_and_no_other():
    samples = candidate_ranking.make_samples(2, 600, 3, 'cpu')
    seen = (samples.teacher.sigmoid() >= 0.05).any(0).nonzero().squeeze(1)
    assert seen.tolist() == sorted(set(samples.ground_truth.labels.tolist()))


@pytest.mark.parametrize('images', [1, 2])
def test_rows_lie_in_the_image_of_their_objects(images):
    samples = candidate_ranking.make_samples(images, 600, 3, 'cpu')
    positive = samples.positive().nonzero().squeeze(1)
    for row in positive.tolist():
        same = samples.ground_truth.labels == samples.labels[row]
        assert samples.image[row] in samples.ground_truth.image[same]
