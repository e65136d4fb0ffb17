"""Evaluating one run, in a process of its own."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.runner import Runner
from pycocotools.coco import COCO

from mmdet_kdrank.compare.coco import Detections, evaluate_boxes, quietly
from mmdet_kdrank.compare.experiment import RESULT, SAMPLES
from mmdet_kdrank.compare.run_samples import calibration_error
from mmdet_kdrank.compare.run_settings import coco_metric
from mmdet_kdrank.compare.teacher_agreement import TeacherAgreement
from mmdet_kdrank.datasets.evaluation_check import check_evaluated
from mmdet_kdrank.files.atomic import replacing
from mmdet_kdrank.runs.provenance import commit, provenance
from mmdet_kdrank.runs.scalars import read_scalars, seconds_per_iteration
from mmdet_kdrank.teachers.teacher import TeacherSource


def evaluate(
    folder: Path, config: Path, checkpoint: Path, seed: int, teacher: tuple[str, str] | None
) -> dict:
    """Run a detector on its test set and write its measures and detections.

    Args:
        folder: Of its training; gets ``result.json`` and ``samples.npz``.
        config: Whole config of the training.
        checkpoint: What to evaluate.
        seed: Of the training.
        teacher: Config and checkpoint of the detector to compare class rankings with.

    Returns:
        The content of ``result.json``.

    Raises:
        ValueError: If the annotation file cannot be counted from.
    """
    settings = Config.fromfile(config)
    register_all_modules(init_default_scope=True)
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    with quietly():
        loader = Runner.build_dataloader(settings.test_dataloader)
        classes = loader.dataset.metainfo['classes']
        ann_file = coco_metric(settings, str(config))['ann_file']
        check_evaluated(ann_file, classes)
        coco = COCO(ann_file)
    detector = TeacherSource(str(config), str(checkpoint)).load().model.to(device)
    comparison = None
    if teacher:
        loaded = TeacherSource(*teacher).load()
        comparison = TeacherAgreement(loaded, detector, classes, coco, device)
    detections = Detections(coco, classes)
    with torch.no_grad():
        for batch in loader:
            detections.add(detector.test_step(batch))
            if comparison:
                comparison.add(batch)
    measures, matches = evaluate_boxes(coco, classes, detections)
    agreement = comparison.result() if comparison else {}
    scalars = read_scalars(folder)
    state = json.loads((folder / 'train.json').read_text())
    seconds = seconds_per_iteration(scalars)
    result = {
        **measures,
        'ECE': calibration_error(matches),
        **{key: agreement[key] for key in ('tau', 'top1', 'boxes', 'reason') if key in agreement},
        'seconds_per_iteration': None if math.isnan(seconds) else seconds,
        'peak_memory_mib': state['peak_memory'],
        'peak_cuda_memory_mib': max((row.get('memory', 0) for row in scalars), default=0) or None,
        'iterations': max((row['step'] for row in scalars if 'loss' in row), default=0),
        'starts': state['starts'],
        'seed': seed,
        'fingerprint': state['fingerprint'],
        'commit': {'training': state['commit'], 'evaluation': commit()},
        **provenance(),
    }
    arrays = {**detections.arrays(), **matches.arrays(), **agreement.get('rows', {})}
    with replacing(folder / SAMPLES) as part, part.open('wb') as file:
        np.savez_compressed(file, **arrays)
    with replacing(folder / RESULT) as part:
        part.write_text(json.dumps(result, indent=1) + '\n')
    return result


def main(arguments: list[str] | None = None) -> None:
    """Entry point of ``python -m mmdet_kdrank.compare.evaluate``."""
    parser = argparse.ArgumentParser(description='Evaluate one run of a comparison.')
    parser.add_argument('folder', type=Path, help='of the training')
    parser.add_argument('--config', type=Path, required=True)
    parser.add_argument('--checkpoint', type=Path, required=True)
    parser.add_argument('--seed', type=int, required=True, help='noted in the result')
    parser.add_argument('--teacher', nargs=2, metavar=('CONFIG', 'CHECKPOINT'))
    args = parser.parse_args(arguments)
    result = evaluate(args.folder, args.config, args.checkpoint, args.seed, args.teacher)
    print(', '.join(f'{key} {result[key]}' for key in ('mAP', 'AP50', 'tau') if key in result))


if __name__ == '__main__':
    main()
