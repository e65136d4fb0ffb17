"""The test of each module that has no ``test_<module>.py`` at the same path under ``tests/``."""

from __future__ import annotations

_TRITON = 'ops/backends/test_triton.py'
_COMMANDS = 'report/commands/test_commands.py'
_ADVICE = 'datasets/test_advice.py'
_FIGURES = 'experiments/claims/figures/test_figures.py'

# By the module's path in the package, or from experiments/ on; the test's is below tests/.
COVERED_BY = {
    'check/__main__.py': 'check/test_command.py',
    'checkpoints/stand_ins.py': 'checkpoints/test_safe_globals.py',
    'compare/comparison_tables.py': 'compare/test_results.py',
    'compare/evaluate.py': 'tools/test_compare.py',
    'compare/plots.py': 'compare/test_results.py',
    'datasets/annotation_file.py': _ADVICE,
    'datasets/class_check.py': _ADVICE,
    'datasets/evaluation_check.py': _ADVICE,
    'datasets/image_check.py': _ADVICE,
    'datasets/object_check.py': _ADVICE,
    'experiments/claims/figures/agreement.py': _FIGURES,
    'experiments/claims/figures/counterexamples.py': _FIGURES,
    'experiments/claims/figures/gradient.py': _FIGURES,
    'experiments/claims/figures/optima.py': _FIGURES,
    'experiments/claims/figures/rebalance.py': _FIGURES,
    'experiments/claims/figures/scale.py': _FIGURES,
    'experiments/claims/figures/steepness.py': _FIGURES,
    'ops/backends/triton/blocks.py': _TRITON,
    'ops/backends/triton/finish.py': _TRITON,
    'ops/backends/triton/grid.py': _TRITON,
    'ops/backends/triton/pairs.py': _TRITON,
    'ops/backends/triton/phi.py': _TRITON,
    'ops/backends/triton/prepare.py': _TRITON,
    'projects/yolo_heads.py': 'projects/test_mmyolo.py',
    'report/commands/base.py': _COMMANDS,
    'report/commands/confusion_command.py': _COMMANDS,
    'report/commands/pictures_command.py': _COMMANDS,
    'report/commands/report_command.py': _COMMANDS,
    'runs/job.py': 'runs/test_job_pool.py',
}
