"""The trainings of the demo, their length and their order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmdet_kdrank.datasets.shapes.folder import ShapesSpec, shapes_options
from mmdet_kdrank.runs.training_job import Training

TEACHER, ALONE, KD, KD_RANK = 'teacher', 'student alone', 'student, KD', 'student, KD + rank'
_CONFIGS = {
    TEACHER: 'faster-rcnn_r18w32_shapes.py',
    ALONE: 'faster-rcnn_r18w16_shapes.py',
    KD: 'faster-rcnn_r18w32-r18w16_kd_shapes.py',
    KD_RANK: 'faster-rcnn_r18w32-r18w16_kd-rank_shapes.py',
}

_VALIDATIONS = 3


@dataclass(frozen=True)
class Plan:
    """Size of a demo.

    Args:
        folder: Folder of all results.
        images: The data set.
        iterations: Iterations of the teacher and of each student; None: as in the configs.
        seed: Seed of every training.
    """

    folder: Path
    images: ShapesSpec
    iterations: tuple[int, int] | None = None
    seed: int = 0

    @property
    def data(self) -> Path:
        """Folder of the data set."""
        return self.folder / 'shapes'

    def phases(self, root: Path) -> list[list[Training]]:
        """List the trainings; those of one phase run at the same time.

        Args:
            root: Checkout with ``configs/`` and ``tools/``.
        """
        teacher = self._training(root, TEACHER)
        students = [self._training(root, name, teacher) for name in (KD, KD_RANK)]
        return [[teacher, self._training(root, ALONE)], students]

    def _training(self, root: Path, name: str, teacher: Training | None = None) -> Training:
        config = root / 'configs' / 'shapes' / _CONFIGS[name]
        options = {**shapes_options(self.data), 'randomness.seed': str(self.seed)}
        if self.iterations:
            number = self.iterations[0 if name == TEACHER else 1]
            options |= {
                'train_cfg.max_iters': str(number),
                'train_cfg.val_interval': str(-(-number // _VALIDATIONS)),
                'param_scheduler.0.end': str(min(100, number // 6)),
                'param_scheduler.1.end': str(number),
                'param_scheduler.1.T_max': str(number),
            }
        if teacher:
            options |= {
                'model.teacher.config': str(teacher.config),
                'model.teacher.checkpoint': str(teacher.checkpoint),
            }
        depends = repr(self.images.manifest()) + (teacher.fingerprint if teacher else '')
        slug = name.replace(' + ', '-').replace(', ', '-').replace(' ', '-').lower()
        return Training(name, config, self.folder / slug, options, depends)


def full_plan(root: Path) -> Plan:
    """Return the demo of `make demo`: 20 minutes on two cores."""
    # Four trainings in 20 minutes; most of that time trains a teacher that is good enough.
    return Plan(root / 'work_dirs' / 'demo', ShapesSpec(), iterations=(2600, 1500))


def quick_plan(root: Path) -> Plan:
    """Return the demo of `make demo QUICK=1`: all steps, with figures that mean nothing."""
    images = ShapesSpec(num_train=160, num_val=40)
    return Plan(root / 'work_dirs' / 'demo-quick', images, iterations=(120, 100))
