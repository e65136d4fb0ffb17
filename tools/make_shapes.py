"""Write the embedded data set, in COCO format, to a folder."""

import argparse
import time

from mmdet_kdrank.datasets.shapes.folder import ShapesSpec, write_shapes


def main() -> None:
    """Write the data set that the command line describes."""
    default = ShapesSpec()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', help='new folder, or one that this tool wrote')
    parser.add_argument('--seed', type=int, default=default.seed)
    parser.add_argument('--num-train', type=int, default=default.num_train, help='training images')
    parser.add_argument('--num-val', type=int, default=default.num_val, help='validation images')
    parser.add_argument('--size', type=int, default=default.size, help='pixels along a side')
    args = parser.parse_args()
    started = time.perf_counter()
    spec = ShapesSpec(args.seed, args.num_train, args.num_val, args.size)
    if write_shapes(args.out, spec):
        print(f'wrote {args.out} in {time.perf_counter() - started:.0f} s')
    else:
        print(f'{args.out} is up to date')


if __name__ == '__main__':
    main()
