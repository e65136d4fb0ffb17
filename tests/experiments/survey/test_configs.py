import pytest

from experiments.survey.configs import CONFIGS, stock_configs

MODEL = "model = dict(type='RetinaNet')"


@pytest.fixture
def read(tmp_path):
    """Writes config files and reads them as the survey does, by name."""

    def make(files, pattern='*'):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return {config.name: config for config in stock_configs(pattern, tmp_path)}

    return make


def test_configs_that_are_there_to_be_inherited_from_are_left_out(read):
    configs_read = read({'_base_/retina.py': MODEL, 'b/leaf.py': "_base_ = '../_base_/retina.py'"})
    assert list(configs_read) == ['b/leaf.py']
    assert configs_read['b/leaf.py'].model == dict(type='RetinaNet')
    assert not configs_read['b/leaf.py'].problem


def test_a_pattern_chooses_by_name(read):
    assert list(read({'a/x.py': MODEL, 'b/x.py': MODEL, 'b/y.py': MODEL}, 'b/*')) == [
        'b/x.py',
        'b/y.py',
    ]


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('max_epochs = 12', 'no model: a schedule, a data set or test-time settings'),
        (
            f"default_scope = 'mmpretrain'\n{MODEL}",
            "a model of mmpretrain, not one of MMDetection's detectors",
        ),
        ("_base_ = './away.py'", 'inherits from away.py, which is not shipped'),
        (
            f"custom_imports = dict(imports=['no_such_package.models'])\n{MODEL}",
            'needs the package no_such_package',
        ),
        ("_base_ = 'mmseg::a/b.py'", 'needs the package mmsegmentation'),
    ],
)
def test_what_has_no_model_says_why(read, text, problem):
    assert read({'leaf.py': text})['leaf.py'].problem == problem


def test_custom_imports_are_kept(read):
    text = f"custom_imports = dict(imports=['json'], allow_failed_imports=False)\n{MODEL}"
    assert read({'leaf.py': text})['leaf.py'].imports == ('json',)


def test_the_configs_of_mmdetection_are_found():
    assert 'retinanet_r18_fpn_1x_coco.py' in {
        config.name.rpartition('/')[2] for config in stock_configs('retinanet/*r18*', CONFIGS)
    }
