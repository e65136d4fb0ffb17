"""Write the images, and this project's own annotations of them, to ``data/``."""

import argparse
import json
from pathlib import Path

from badges import BadgesDataset

from mmdet_kdrank.datasets.shapes import ShapesSpec, write_shapes

CLASSES = BadgesDataset.METAINFO['classes']


def badges_only(annotations: dict) -> dict:
    """Keep three categories, numbered in this project's order, and the images that show them."""
    names = {category['id']: category['name'] for category in annotations['categories']}
    kept = [
        {**item, 'category_id': CLASSES.index(names[item['category_id']]) + 1}
        for item in annotations['annotations']
        if names[item['category_id']] in CLASSES
    ]
    shown = {item['image_id'] for item in kept}
    return dict(
        images=[image for image in annotations['images'] if image['id'] in shown],
        annotations=kept,
        categories=[dict(id=index, name=name) for index, name in enumerate(CLASSES, start=1)],
    )


def main() -> None:
    """Write what the command line asks for."""
    default = ShapesSpec()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--num-train', type=int, default=default.num_train, help='images')
    parser.add_argument('--num-val', type=int, default=default.num_val, help='images')
    args = parser.parse_args()
    shapes = Path('data/shapes')
    write_shapes(shapes, ShapesSpec(num_train=args.num_train, num_val=args.num_val))
    for split in ('train', 'val'):
        annotations = json.loads((shapes / f'annotations/instances_{split}.json').read_text())
        Path(f'data/badges_{split}.json').write_text(json.dumps(badges_only(annotations)))


if __name__ == '__main__':
    main()
