import shutil
import subprocess
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from mmdet_kdrank.report.page import write_page
from mmdet_kdrank.report.page_sections import diagnostics_section
from mmdet_kdrank.runs.finished_run import FinishedRun
from tests.detectors import FASTER, RETINA

CHROMIUM = next(
    filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None
)
VOID = {'meta', 'source', 'img', 'link', 'br', 'hr', 'input'}


class Page(HTMLParser):
    """What a page refers to, what it says, and whether its elements are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.alternatives, self.ids, self.words = [], [], set(), []
        self.tags, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [
            value
            for name, value in attributes.items()
            if name in ('src', 'srcset', 'href', 'action', 'data', 'poster', 'background')
        ]
        if tag == 'img':
            self.alternatives.append(attributes['alt'])
        self.ids.add(attributes.get('id'))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def written(tmp_path, *folders, **options):
    path = tmp_path / 'report.html'
    write_page({folder.name: FinishedRun(folder) for folder in folders}, path, **options)
    return path


@pytest.mark.parametrize('name', [FASTER, RETINA])
def test_the_page_holds_all_that_it_shows(trained_run, tmp_path, name):
    runs = trained_run(name), trained_run(name, taught=True)
    text = written(tmp_path, *runs).read_text()
    page = Page(text)
    assert not page.open
    assert 'script' not in page.tags and 'link' not in page.tags and 'iframe' not in page.tags
    for address in page.addresses:
        assert address.startswith('data:image/') or address.removeprefix('#') in page.ids
    assert 'url(' not in text and '@import' not in text
    assert all(page.alternatives) and len(page.alternatives) > 5
    said = ' '.join(page.words)
    for heading in ('Results', 'Curves', 'Diagnostics', 'Images', 'Settings', 'Provenance'):
        assert heading in said
    for fact in ('seconds an iteration', 'KendallRankLoss', 'iter_2.pth', 'torch', runs[0].name):
        assert fact in said


def test_what_a_run_does_not_have_is_left_out(trained_run, tmp_path):
    folder = tmp_path / 'alone'
    shutil.copytree(trained_run(FASTER), folder)
    config = next(folder.glob('*.py'))
    # A note that a page must not take for its own, and no data set.
    config.write_text(
        f'# </pre><script src="https://example.org/a.js"></script>\n{config.read_text()}'
    )
    page = Page(written(tmp_path, folder, images=0).read_text())
    assert 'script' not in page.tags
    assert not {'diagnostics', 'pictures'} & page.ids
    assert {'results', 'curves', 'settings', 'provenance'} <= page.ids


def test_a_cascade_has_its_stages_apart(tmp_path):
    step = {'loss_kd.foreground': 1.0, 'tau': 0.5, 'top1': 0.5, 'gradient.loss_kd.cosine': 0.1}
    records = [
        {'step': n, **{f's{stage}.{key}': v for stage in range(3) for key, v in step.items()}}
        for n in (50, 100)
    ]
    section = diagnostics_section({'run': records})
    assert [f'Stage {number}: ' in section for number in range(4)] == [True, True, True, False]
    assert 'foreground from 1 to 1' in section
    assert diagnostics_section({'run': []}) == ''


def test_intervals_and_levels_stand_in_the_order_of_their_numbers():
    scores = {f'tau.score.{low}': 0.5 for low in ('0.25-0.5', '0-0.05', '0.5-0.75', '0.05-0.25')}
    levels = {f'loss_kd.level{number}': 1.0 for number in (10, 9, 0)}
    record = {'step': 50, 'tau': 0.5, 'loss_kd.foreground': 1.0, **scores, **levels}
    section = diagnostics_section({'run': [record]})
    for names in (('0-0.05', '0.05-0.25', '0.25-0.5', '0.5-0.75'), ('level0', 'level9', 'level10')):
        places = [section.index(f'run {name} from') for name in names]
        assert places == sorted(places)


@pytest.mark.skipif(CHROMIUM is None, reason='no Chromium is installed')
@pytest.mark.parametrize('dark', [False, True])
@pytest.mark.parametrize('width', [390, 1280])
def test_a_browser_shows_it(trained_run, tmp_path, width, dark):
    path = written(tmp_path, trained_run(FASTER, taught=True))
    shot = tmp_path / 'shot.png'
    options = ['--blink-settings=preferredColorScheme=0'] if dark else []
    subprocess.run(
        [CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars']
        + [*options, f'--user-data-dir={tmp_path / "profile"}', f'--window-size={width},2400']
        + [f'--screenshot={shot}', path.as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    )
    seen = cv2.imread(str(shot))
    assert seen.shape[:2] == (2400, width)
    ground = seen[5, 5].astype(int)
    assert (ground.max() < 60) if dark else (ground.min() > 240)
    differs = np.abs(seen.astype(int) - ground).max(2) > 60
    # There is something on every part of it, and nothing beyond the right edge.
    assert all(differs[top : top + 400].mean() > 0.005 for top in range(0, 2400, 400))
    assert not differs[:, -8:].any()
