"""Ready-made networks with fresh weights, weights from PyTorch for them, and transfer learning."""

from .cifar_resnet import resnet20, resnet32, resnet44, resnet56, resnet110
from .classifiers import Rescale, lenet, mlp, small_cnn
from .fast_cnn import ResidualPair, fast_cnn
from .freezing import freeze, parameter_groups, replace_head, unfreeze
from .generation import Beams, Decoder, RecurrentDecoder, beam_search, generate, stream
from .googlenet import AuxiliaryLoss, GoogLeNet, GoogLeNetOutputs, Inception, googlenet
from .gpt import GPT, gpt
from .mobilenet import InvertedResidual, mobilenet_v2
from .recurrent import AttentionPooling
from .resnet import (
    BasicBlock,
    Bottleneck,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
)
from .rnn_classifier import RNNClassifier, rnn_classifier
from .rnn_language_model import RNNLanguageModel, rnn_language_model
from .seq2seq import Seq2Seq, seq2seq
from .text_cnn import TextCNN, text_cnn
from .transfer import extract_features, fine_tune
from .transformer_classifier import TransformerClassifier, transformer_classifier
from .translation import TranslationTransformer, translation_transformer
from .unet import UNet, unet
from .vgg import vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from .weights import load_pytorch_weights

__all__ = [
    "GPT",
    "AttentionPooling",
    "AuxiliaryLoss",
    "BasicBlock",
    "Beams",
    "Bottleneck",
    "Decoder",
    "GoogLeNet",
    "GoogLeNetOutputs",
    "Inception",
    "InvertedResidual",
    "RNNClassifier",
    "RNNLanguageModel",
    "RecurrentDecoder",
    "Rescale",
    "ResidualPair",
    "Seq2Seq",
    "TextCNN",
    "TransformerClassifier",
    "TranslationTransformer",
    "UNet",
    "beam_search",
    "extract_features",
    "fast_cnn",
    "fine_tune",
    "freeze",
    "generate",
    "googlenet",
    "gpt",
    "lenet",
    "load_pytorch_weights",
    "mlp",
    "mobilenet_v2",
    "parameter_groups",
    "replace_head",
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
    "rnn_classifier",
    "rnn_language_model",
    "seq2seq",
    "small_cnn",
    "stream",
    "text_cnn",
    "transformer_classifier",
    "translation_transformer",
    "unet",
    "unfreeze",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]
