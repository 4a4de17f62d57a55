"""Ready-made networks with fresh weights, weights from PyTorch for them, and transfer learning."""

from .cifar_resnet import resnet20, resnet32, resnet44, resnet56, resnet110
from .classifiers import Rescale, lenet, mlp, small_cnn
from .googlenet import AuxiliaryLoss, GoogLeNet, GoogLeNetOutputs, Inception, googlenet
from .mobilenet import InvertedResidual, mobilenet_v2
from .resnet import (
    BasicBlock,
    Bottleneck,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
)
from .unet import UNet, unet
from .vgg import vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from .weights import load_pytorch_weights

__all__ = [
    "AuxiliaryLoss",
    "BasicBlock",
    "Bottleneck",
    "GoogLeNet",
    "GoogLeNetOutputs",
    "Inception",
    "InvertedResidual",
    "Rescale",
    "UNet",
    "googlenet",
    "lenet",
    "load_pytorch_weights",
    "mlp",
    "mobilenet_v2",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet110",
    "resnet152",
    "small_cnn",
    "unet",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]
