"""The sizes that matter."""

# (N, C) of what it stands for.
SIZES: dict[tuple[int, int], str] = {
    (1024, 81): 'Faster R-CNN on COCO, 2 images',
    (16384, 81): 'Faster R-CNN on COCO, 32 images',
    (200_000, 80): 'RetinaNet on COCO, every anchor',
    (1024, 1204): 'Faster R-CNN on LVIS, 2 images',
    (8192, 1000): '1,000 classes, 16 images',
}

FORMS = ('kendall', 'cosine')
