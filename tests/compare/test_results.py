import json
from pathlib import Path

import pytest

from experiments.pages.page import short_table
from mmdet_kdrank.compare.comparison_tables import format_origin
from mmdet_kdrank.compare.results import results_of, write_report


@pytest.fixture
def files(finished, tmp_path):
    return {path.name: path for path in write_report(*finished, tmp_path / 'out')}


def rows(text, title):
    """Cells of the table below a heading, by their row's first one."""
    lines = text.split(f'## {title}\n')[1].split('\n## ')[0].splitlines()
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines if '|' in line]
    return {line[0]: dict(zip(cells[0], line, strict=True)) for line in cells[2:]}


def test_files_are_written_and_copied(files, finished, tmp_path):
    assert set(files) == {'results.json', 'table.md', 'differences.png', 'seeds.png'}
    for path in files.values():
        assert path.parent == tmp_path / 'out'
        assert path.read_bytes() == (finished[0].folder / path.name).read_bytes()


def test_json_holds_everything(files):
    results = json.loads(files['results.json'].read_text())
    assert {'dates', 'hardware', 'versions', 'settings', 'pictures', 'bootstrap'} <= set(results)
    assert (results['runs_done'], results['runs_planned'], results['commits']) == (6, 6, ['abc'])
    assert results['variants']['kd']['runs']['0']['mAP'] > 0
    assert [pair['reference'] for pair in results['pairs']] == ['alone']
    assert results['pairs'][0]['measures']['mAP']['intervals']['quoted']['p_holm'] >= 0


def test_json_names_no_place_of_this_machine(files, finished):
    for place in (finished[0].folder, Path.cwd()):
        assert str(place) not in files['results.json'].read_text()


def test_table_shows_the_figures_of_the_json(files):
    text = files['table.md'].read_text()
    results = json.loads(files['results.json'].read_text())
    summary = results['variants']['kd']['summary']['mAP']
    shown = rows(text, 'Variants')['kd']
    assert shown['mAP'] == f'{100 * summary["mean"]:.1f} ± {100 * summary["sd"]:.1f}'
    assert shown['seeds'] == '3' and 'GPU memory, MiB' not in shown
    measure = results['pairs'][0]['measures']['mAP']
    quoted = measure['intervals']['quoted']
    cell = rows(text, 'Paired differences')['kd − alone']['mAP']
    assert cell.startswith(f'{100 * measure["difference"]:+.2f} [{100 * quoted["low"]:+.2f}, ')
    assert list(rows(text, 'AP by class')) == ['ant', 'bee', 'cat']
    assert 'Not finished' not in text and 'No τ' not in text
    assert 'Stopped and resumed: 3.' in text


def test_origin_is_that_of_the_runs_and_their_teacher(finished):
    plan, runs = finished
    teacher = runs[0]
    assert teacher.variant == 'teacher'
    result = teacher.result() | dict(
        starts=2,
        commit=dict(training='old, abc', evaluation='abc'),
        date='2025-12-31T09:30:00+00:00',
    )
    (teacher.training.folder / 'result.json').write_text(json.dumps(result))
    found = results_of(plan, runs)
    assert found['commits'] == ['abc', 'old']
    assert found['started_again'] == 4
    assert found['dates'] == ['2025-12-31T09:30:00+00:00', '2026-01-03T10:00:00+00:00']
    assert found['hardware'] == ['2 x abacus', '3 x abacus']
    assert found['versions'] == {'torch': ['2.9']}
    assert 'from 2025-12-31 09:30 to 2026-01-03 10:00 UTC' in format_origin(found)


def test_unfinished_comparison_says_so(finished):
    plan, runs = finished
    runs[-1].evaluation.clear()
    write_report(plan, runs)
    text = (plan.folder / 'table.md').read_text()
    assert '**Not finished: 5 of 6 runs.**' in text


def test_one_seed_is_told_to_have_no_interval(finished):
    plan, runs = finished
    write_report(plan, [run for run in runs if run.seed == 0])
    text = (plan.folder / 'table.md').read_text()
    assert 'One seed shows no spread between seeds' in text
    assert '[' not in rows(text, 'Paired differences')['kd − alone']['mAP']
    assert 'Intervals of the mAP' not in text


def test_missing_agreement_has_its_reason(finished):
    plan, runs = finished
    for run in runs:
        result = run.result()
        del result['tau'], result['top1']
        result['reason'] = 'Heads differ.'
        (run.training.folder / 'result.json').write_text(json.dumps(result))
    write_report(plan, runs)
    assert 'No τ and top-1: (alone, kd) Heads differ.' in (plan.folder / 'table.md').read_text()


def test_a_variant_that_alone_lacks_agreement_is_named(finished):
    plan, runs = finished
    for run in runs:
        if run.variant == 'alone':
            result = run.result()
            del result['tau'], result['top1']
            result['reason'] = 'Heads differ.'
            (run.training.folder / 'result.json').write_text(json.dumps(result))
    assert results_of(plan, runs)['no_agreement'] == '(alone) Heads differ.'


def test_short_table_puts_comparisons_side_by_side(finished):
    results = results_of(*finished)
    fewer = {**results, 'variants': {'alone': results['variants']['alone']}, 'pairs': []}
    lines = [
        line.strip('| ').split(' | ')
        for line in short_table({'One': results, 'Two': fewer}).splitlines()
    ]
    assert lines[0] == ['variant', 'One, mAP', '− alone', 'Two, mAP', '− alone']
    pair = results['pairs'][0]['measures']['mAP']
    kd = lines[3]
    assert kd[0] == 'kd'
    assert kd[1].startswith(f'{100 * results["variants"]["kd"]["summary"]["mAP"]["mean"]:.1f} ± ')
    assert f'{100 * pair["difference"]:+.1f}'.replace('-', '−') in kd[2]
    assert 'p ' not in kd[2] and '[' in kd[2]
    assert kd[3:] == []


def test_validations_are_plotted_where_there_were_several(finished):
    plan, runs = finished
    for run in runs:
        log = run.training.folder / '20260101_000000' / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        records = [{'step': step, 'coco/bbox_mAP': step / 10} for step in (2, 4)]
        log.write_text('\n'.join(map(json.dumps, records)))
    assert 'validation.png' in {path.name for path in write_report(plan, runs)}
