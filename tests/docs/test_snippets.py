"""Every Python block of the pages runs; those of one page share a namespace, top to bottom."""

from __future__ import annotations

import ast
import contextlib
import doctest
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import HOOKS, MODELS
from mmengine.config import Config
from torch import nn

from mmdet_kdrank.compare.plan import read_plan
from mmdet_kdrank.distillers.entries import build_entries
from mmdet_kdrank.ops.backends import BACKENDS, PairRequest
from mmdet_kdrank.teachers.teacher import TeacherSource
from tests.detectors import training_losses
from tests.docs.pages import PAGES, ROOT, Block, blocks, name_of

INFO = re.compile(r'^```([^`\n]+)$', re.MULTILINE)
WITH_SNIPPETS = [page for page in PAGES if blocks(page, 'python')]
# What a page need not repeat before a class that it registers.
PRELUDE = {'nn': nn, 'MODELS': MODELS}
# Of the config `student.py` and the module `my_project` that pages speak of.
STUDENT = """
_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
custom_imports = dict(imports=['my_project'])
"""
PROJECT = """
from torch import nn
from mmdet.registry import MODELS

@MODELS.register_module(force=True)
class MyLoss(nn.Module):
    def forward(self, pred, soft_label, weight=None, avg_factor=None): ...
"""


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project's folder; what pages register is forgotten afterwards."""
    (tmp_path / 'student.py').write_text(STUDENT)
    (tmp_path / 'my_project.py').write_text(PROJECT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'my_project', raising=False)
    monkeypatch.setenv('KDRANK_CONFIGS', str(ROOT / 'configs'))
    monkeypatch.chdir(ROOT)
    with contextlib.ExitStack() as stack:
        for registry in (MODELS, HOOKS):
            stack.enter_context(_unchanged(registry._module_dict))
        yield tmp_path


@contextlib.contextmanager
def _unchanged(names: dict):
    before = dict(names)
    yield
    names.clear()
    names.update(before)


def run_doctest(block: Block, page: Path, namespace: dict[str, Any]) -> None:
    parser = doctest.DocTestParser()
    example = parser.get_doctest(block.text, namespace, name_of(page), str(page), block.line - 1)
    report: list[str] = []
    doctest.DocTestRunner().run(example, out=report.append, clear_globs=False)
    assert not report, ''.join(report)
    namespace.update(example.globs)


def is_config(tree: ast.Module) -> bool:
    """Whether a block is nothing but assignments, as config files are."""
    return all(isinstance(node, ast.Assign) for node in tree.body)


def check_config(block: Block, folder: Path) -> None:
    """Read a config as MMEngine does, and build what it describes."""
    file = folder / f'line{block.line}.py'
    file.write_text(block.text)
    config = Config.fromfile(file)
    if 'variants' in config:
        # Of `tools/compare.py --plan`; it names configs of this repository.
        assert read_plan(file, folder=folder / 'runs').comparisons
        return
    if '_base_' in block.text:
        model = config.model
        # Trained weights would be downloaded.
        model.backbone.init_cfg = None
        MODELS.build(model)
    build_entries(config.get('distill_losses', {}))
    hooks = [*config.get('custom_hooks', []), *config.get('default_hooks', {}).values()]
    for hook in [] if '_base_' in block.text else hooks:
        HOOKS.build(hook)
    if 'teacher' in config:
        source = TeacherSource.from_config(config.teacher)
        assert source.checkpoint == config.teacher.checkpoint


def run_page(page: Path, folder: Path) -> dict[str, Any]:
    """Run all blocks of a page; what they have defined."""
    namespace = dict(PRELUDE)
    for block in blocks(page, 'python'):
        if block.text.startswith('>>>'):
            run_doctest(block, page, namespace)
            continue
        # Empty lines before it, so that errors name the page's own.
        tree = ast.parse('\n' * (block.line - 1) + block.text, str(page))
        if is_config(tree):
            check_config(block, folder)
        else:
            exec(compile(tree, str(page), 'exec'), namespace)
    return namespace


@pytest.mark.parametrize('page', WITH_SNIPPETS, ids=name_of)
def test_python_blocks_run(page, project):
    run_page(page, project)


def test_the_head_of_the_page_on_families_is_distilled(project):
    student = run_page(ROOT / 'docs/how_to/extend_family.md', project)['student'].train()
    student.init_weights()
    losses = training_losses(student, num_classes=3)
    temperature = student.bbox_head.temperature
    (grad,) = torch.autograd.grad(losses['loss_rank'], temperature)
    assert losses['loss_rank'] > 0 and grad.abs() > 0


def test_the_backend_of_the_page_meets_the_oracle(project):
    backend = run_page(ROOT / 'docs/how_to/extend_backend.md', project)['by_columns']
    student, teacher = 3 * torch.randn(2, 6, 9, generator=torch.Generator().manual_seed(0))
    mask = torch.rand(6, 9, generator=torch.Generator().manual_seed(1)) < 0.7
    student[0, 2] = torch.nan
    for phi in ('tanh', 'algebraic', 'erf', 'atan'):
        request = PairRequest(phi, 'sign', 0.5, norms=True, grad=True)
        sums = backend.pair_sums(student, teacher, mask, request)
        oracle = BACKENDS['reference'].pair_sums(student, teacher, mask, request)
        rows = ~oracle.ab.isnan()
        assert rows.sum() >= 5
        for value, expected in zip(sums, oracle, strict=True):
            torch.testing.assert_close(value[rows], expected[rows], rtol=1e-5, atol=1e-5)
        assert torch.equal(sums.ab.isnan(), oracle.ab.isnan())


def test_no_page_hides_python_behind_another_name():
    """A block either runs here or is no Python: there is no list of exceptions."""
    names = {info for page in PAGES for info in INFO.findall(page.read_text()) if 'py' in info}
    assert names == {'python'}
