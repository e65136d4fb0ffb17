from collections import Counter

import pytest
import yaml

from tests.configs.files import ALL, ROOT
from tools.model_index import update

SELF_CONTAINED = """
train_dataloader = dict(dataset=dict(type='ShapesDataset'))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=7)
model = dict(
    type='DistillTwoStageDetector',
    teacher=dict(config=dict(type='FasterRCNN'), checkpoint='teacher.pth'),
    distill_losses=dict(loss_rank=dict(type='KendallRankLoss')),
)
"""


def metafiles(root):
    listed = yaml.safe_load((root / 'model-index.yml').read_text())['Import']
    return [yaml.safe_load((root / path).read_text()) for path in listed]


def test_is_up_to_date():
    assert update(ROOT, check=True) == [], 'call tools/model_index.py'


def test_lists_every_config_once():
    models = [model for metafile in metafiles(ROOT) for model in metafile['Models']]
    listed = Counter(model['Config'] for model in models)
    assert listed == Counter(f'configs/{name}' for name in ALL)
    assert max(Counter(model['Name'] for model in models).values()) == 1


def test_names_and_paths_hold():
    names = []
    for metafile in metafiles(ROOT):
        collections = {collection['Name'] for collection in metafile['Collections']}
        names += collections
        for entry in metafile['Collections']:
            assert (ROOT / entry['README']).is_file()
        for model in metafile['Models']:
            assert model['In Collection'] in collections
            assert (ROOT / model['Config']).is_file()
    assert len(names) == len(set(names))


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / 'configs/shapes').mkdir(parents=True)
    (tmp_path / 'configs/shapes/one.py').write_text(SELF_CONTAINED)
    return tmp_path


def test_says_what_a_config_says(checkout):
    update(checkout)
    (metafile,) = metafiles(checkout)
    assert metafile['Models'] == [
        {
            'Name': 'one',
            'In Collection': 'Shapes',
            'Config': 'configs/shapes/one.py',
            'Metadata': {
                'Training Data': 'Shapes',
                'Iterations': 7,
                'Teacher': 'FasterRCNN',
                'Distillation Losses': ['KendallRankLoss'],
            },
        }
    ]


def test_follows_the_configs(checkout):
    files = list(map(str, update(checkout)))
    assert files == ['configs/shapes/metafile.yml', 'model-index.yml']
    assert update(checkout) == []
    one = checkout / 'configs/shapes/one.py'
    one.with_name('two.py').write_text(one.read_text())
    one.unlink()
    before = (checkout / 'configs/shapes/metafile.yml').read_text()
    assert list(map(str, update(checkout, check=True))) == ['configs/shapes/metafile.yml']
    assert (checkout / 'configs/shapes/metafile.yml').read_text() == before
    update(checkout)
    assert [model['Name'] for model in metafiles(checkout)[0]['Models']] == ['two']
    one.with_name('two.py').unlink()
    update(checkout)
    assert not (checkout / 'configs/shapes/metafile.yml').exists()


def test_asks_for_the_name_of_a_folder_of_our_own(checkout):
    (checkout / 'configs/shapes').rename(checkout / 'configs/novelty')
    with pytest.raises(
        FileNotFoundError, match='no folder novelty with .*configs/novelty to OWN_FOLD'
    ):
        update(checkout)
