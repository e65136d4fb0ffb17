from pathlib import Path

import pytest

from mmdet_kdrank.compare.plan import plan_of_configs, read_plan
from mmdet_kdrank.errors import KDRankError

ROOT = Path(__file__).parents[2]


def test_options_come_in_the_order_common_own_and_command_line(write_plan, variant):
    path = write_plan(
        options={'train_cfg.max_iters': 5, 'model.rpn_head.feat_channels': 8},
        variants=dict(one=variant(), two=variant(**{'train_cfg.max_iters': 6})),
    )
    plan = read_plan(path)
    assert [each.train_cfg.max_iters for each in plan.variants.values()] == [5, 6]
    plan = read_plan(path, options={'train_cfg.max_iters': 7})
    assert [each.train_cfg.max_iters for each in plan.variants.values()] == [7, 7]
    assert {each.model.rpn_head.feat_channels for each in plan.variants.values()} == {8}
    assert plan.teacher.train_cfg.max_iters == 6


def test_pictures_are_those_of_the_plan(write_plan):
    plan = read_plan(write_plan())
    for config in (*plan.variants.values(), plan.teacher):
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            assert config[loader].dataset.data_root == f'{plan.data}/'
        assert config.test_evaluator.ann_file == f'{plan.data}/annotations/instances_val.json'
    assert (plan.images.num_train, plan.images.num_val) == (8, 4)


@pytest.mark.parametrize(
    'planned, wanted, found',
    [(3, None, (0, 1, 2)), ([5, 7], None, (5, 7)), ([5, 7, 9], 2, (5, 7)), (2, 4, (0, 1, 2, 3))],
)
def test_seeds_are_a_number_or_a_list_and_can_be_fewer(write_plan, planned, wanted, found):
    assert read_plan(write_plan(seeds=planned), seeds=wanted).seeds == found


@pytest.mark.parametrize('planned, wanted', [(5, 0), (5, -1), ([7, 8], 5)])
def test_seeds_that_are_not_there_are_refused(write_plan, planned, wanted):
    with pytest.raises(KDRankError, match=f'--seeds {wanted}'):
        read_plan(write_plan(seeds=planned), seeds=wanted)


@pytest.mark.parametrize(
    'changes, words',
    [
        (dict(baseline='none'), "'none' is no variant of tiny. There are alone, kd"),
        (dict(pairs=[('kd', 'rank')]), "'rank' is no variant"),
        (dict(seeds=0), r'seeds=\[\] must be one or more'),
        (dict(seeds=[1, 1]), 'must be one or more different numbers'),
        (dict(variants=None), 'variants is unknown or missing'),
        (dict(varaints={}), 'varaints is unknown'),
        (dict(variants=dict(a='alone.py')), r'variants.a must be dict\(config='),
        (dict(variants=dict(a=dict(config='no.py'))), "variants.a: config='no.py'"),
        (dict(shapes=dict(pictures=3)), r'shapes: .*num_train'),
    ],
)
def test_faults_are_named(write_plan, changes, words):
    with pytest.raises(KDRankError, match=words):
        read_plan(write_plan(**changes))


def test_plan_that_does_not_exist_is_named():
    with pytest.raises(FileNotFoundError, match='--plan nowhere.py'):
        read_plan('nowhere.py')


def test_configs_are_variants_by_their_file_names(configs, tmp_path):
    paths = [str(configs / 'alone.py'), str(configs / 'kd.py')]
    plan = plan_of_configs(paths, 2, tmp_path, baseline=paths[1])
    assert (list(plan.variants), plan.baseline, plan.seeds) == (['alone', 'kd'], 'kd', (0, 1))
    assert plan_of_configs(paths, 2, tmp_path, baseline='kd').baseline == 'kd'
    assert plan_of_configs(paths, 2, tmp_path).baseline == 'alone'


def test_stock_configs_are_known_by_name(tmp_path):
    names = ['faster-rcnn_r50_fpn_1x_coco', 'faster-rcnn_r101_fpn_1x_coco']
    plan = plan_of_configs([f'mmdet::faster_rcnn/{name}.py' for name in names], 1, tmp_path)
    assert list(plan.variants) == names
    assert plan.variants[names[1]].model.backbone.depth == 101


def test_files_of_one_name_are_refused(configs, tmp_path):
    with pytest.raises(ValueError, match='the same file name'):
        plan_of_configs([str(configs / 'kd.py')] * 2, 2, tmp_path)


def test_plan_of_the_page_can_be_read(tmp_path, monkeypatch):
    text = (ROOT / 'docs' / 'how_to' / 'comparing.md').read_text(encoding='utf-8')
    (tmp_path / 'page.py').write_text(text.split('```python\n')[1].split('```')[0])
    monkeypatch.chdir(ROOT)
    plan = read_plan(tmp_path / 'page.py', folder=tmp_path / 'work')
    assert len(plan.variants) == 4 and len(plan.comparisons) == 5
    assert plan.variants['kd-rank, k = 4'].model.distill_losses.loss_rank.steepness == 4


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
