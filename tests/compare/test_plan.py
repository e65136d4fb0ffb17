import pytest

from mmdet_kdrank.compare.reading import read_plan
from mmdet_kdrank.errors import KDRankError


def test_variants_that_cannot_be_compared_are_refused(write_plan, variant):
    with pytest.raises(KDRankError, match='has 1 variant'):
        read_plan(write_plan(variants=dict(a=variant())))
    other = variant(**{'train_dataloader.batch_size': 9})
    words = 'a and b have different data: train_dataloader.batch_size is 4 and 9'
    with pytest.raises(KDRankError, match=words):
        read_plan(write_plan(variants=dict(a=variant(), b=other)))
    other = variant(**{'test_evaluator.type': 'VOCMetric'})
    with pytest.raises(KDRankError, match='no CocoMetric'):
        read_plan(write_plan(variants=dict(a=variant(), b=other)))


def test_data_sets_that_are_joined_are_compared_too(write_plan, variant):
    def joined(*files):
        parts = [dict(type='CocoDataset', ann_file=file, data_root='data/') for file in files]
        return variant(
            **{
                'train_dataloader.dataset': dict(
                    _delete_=True, type='ConcatDataset', datasets=parts
                )
            }
        )

    same = dict(a=joined('one.json', 'two.json'), b=joined('one.json', 'two.json'))
    read_plan(write_plan(variants=same))
    for other in (joined('one.json', 'three.json'), joined('one.json')):
        with pytest.raises(KDRankError, match='a and b have different data: train_dataloader'):
            read_plan(write_plan(variants=dict(a=joined('one.json', 'two.json'), b=other)))


def test_pairs_are_those_with_the_baseline_and_those_named(write_plan, variant):
    variants = dict(a=variant(), b=variant(), c=variant())
    plan = read_plan(write_plan(variants=variants, baseline='b', pairs=[('c', 'a'), ('a', 'b')]))
    assert plan.comparisons == (('a', 'b'), ('c', 'b'), ('c', 'a'))


@pytest.mark.parametrize('name', ['teacher', 'shapes', 'a/b', '..', ''])
def test_names_that_are_no_folder_of_their_own_are_refused(write_plan, variant, name):
    with pytest.raises(KDRankError, match='needs another name'):
        read_plan(write_plan(variants={'a': variant(), name: variant()}))


def test_missing_teacher_is_told_before_anything_runs(write_plan, configs, tmp_path):
    plan = read_plan(write_plan(teacher=None))
    with pytest.raises(
        FileNotFoundError, match='kd: model.teacher.checkpoint t.pth does not exist'
    ):
        plan.assert_teachers_exist()
    (tmp_path / 't.pth').touch()
    kd = dict(
        config=str(configs / 'kd.py'),
        options={'model.teacher.checkpoint': str(tmp_path / 't.pth')},
    )
    others = dict(kd, options={'model.teacher.checkpoint': 'auto'})
    read_plan(write_plan(teacher=None, variants=dict(a=kd, b=others))).assert_teachers_exist()
    read_plan(write_plan()).assert_teachers_exist()
