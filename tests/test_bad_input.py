"""Wrong values, sizes, kinds: an error that names what was called, never a crash or a silent conversion."""

import inspect

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import callbacks, metrics, nn, optim
from drivetrain.data import (
    ArrayDataset,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    random_split,
    train_test_split,
)
from drivetrain.metrics import Accuracy, ConfusionMatrix, Mean, accuracy_score

NAN, INF = float("nan"), float("inf")
INTEGERS = ("uint8", "int32", "int64")


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("value", [NAN, INF, -INF, 1e30])
@pytest.mark.parametrize(
    "store",
    [
        lambda v, d: dt.tensor([v], dtype=d),
        lambda v, d: dt.tensor(np.array([v]), dtype=d),
        lambda v, d: dt.asarray(v, dtype=d),
        lambda v, d: dt.full((2,), v, dtype=d),
        lambda v, d: dt.zeros(2, dtype=d).fill_(v),
        lambda v, d: dt.zeros(2, dtype=d).__setitem__(0, v),
        lambda v, d: dt.pad(dt.zeros(2, dtype=d), 1, constant_values=v),
    ],
)
def test_integers_cannot_hold_it(store, value, dtype):
    with pytest.raises(ValueError, match=r"out of range|do not fit"):
        store(value, dtype)


@pytest.mark.parametrize(("value", "dtype"), [(300, "uint8"), (-1.0, "uint8"), (2.0**31, "int32")])
def test_the_range_of_arrays_is_checked(value, dtype):
    for array in (np.array([value]), [value]):
        with pytest.raises(ValueError, match=f"do not fit into {dtype}"):
            dt.tensor(array, dtype=dtype)


def test_fractions_are_cut_off_where_an_integer_is_asked_for():
    assert dt.tensor([-0.5, 1.9, 255.9], dtype="uint8").tolist() == [0, 1, 255]
    assert dt.tensor(np.array([-(2.0**63)]), dtype="int64").tolist() == [-(2**63)]


@pytest.mark.parametrize("arguments", [((300,), "uint8"), ((-3, 1), "uint8"), ((0, 2**40, 2**38), "int32")])
def test_arange_does_not_wrap_round(arguments):
    with pytest.raises(ValueError, match=r"arange: the integer .* is out of range"):
        dt.arange(*arguments[0], dtype=arguments[1])
    assert dt.arange(256, dtype="uint8").tolist()[-1] == 255


@pytest.mark.parametrize("ends", [(0, INF), (NAN, 1)])
def test_linspace_needs_finite_ends(ends):
    with pytest.raises(ValueError, match="linspace: start and stop must be finite"):
        dt.linspace(*ends)


HUGE = 2**61


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("concat", lambda: dt.concat([dt.broadcast_to(dt.zeros(1), (HUGE,))] * 8)),
        ("concat", lambda: dt.concat([dt.zeros((HUGE // 4, 0))] * 80)),
        ("stack", lambda: dt.stack([dt.zeros((HUGE // 4, 0))] * 80)),
        ("pad", lambda: dt.pad(dt.zeros(2), (2**62, 2**62))),
        ("pad", lambda: dt.pad(dt.zeros(2), (2**63 - 1, 0), mode="edge")),
        ("tile", lambda: dt.tile(dt.zeros((2, 3)), (2**62, 2**62))),
        ("tile", lambda: dt.tile(dt.zeros((2, 2, 2, 2, 2)), (2**62,) * 5)),
        ("repeat", lambda: dt.repeat(dt.zeros(4), 2**62)),
        ("reshape", lambda: dt.zeros(0).reshape(0, 2**62, 2**62)),
        ("eye", lambda: dt.eye(2**40)),
        ("expand", lambda: dt.zeros(1).expand(2**40, 2**40)),
        ("full", lambda: dt.full((2**32, 2**32), 1.0)),
        ("randint", lambda: dt.randint(0, 3, (2**32, 2**32))),
        ("one_hot", lambda: dt.one_hot(dt.tensor([1]), 2**62)),
    ],
)
def test_sizes_that_overflow(name, call):
    with pytest.raises((ValueError, MemoryError), match=rf"^{name}: .*memory can hold"):
        call()


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("clip: ", lambda: dt.clip(dt.zeros(2), dt.zeros(3), None)),
        ("eye: ", lambda: dt.eye(-1)),
        ("take_along_axis: ", lambda: dt.take_along_axis(dt.zeros(3), dt.tensor([7]), 0)),
        ("cumsum: ", lambda: dt.cumsum(dt.zeros((2, 2)), 5)),
        ("cumsum: ", lambda: dt.zeros((2, 2)).cumsum(5)),
        ("cumulative_sum: ", lambda: dt.cumulative_sum(dt.zeros((2, 2)), 5)),
        ("add: ", lambda: dt.zeros(2) + dt.zeros(3)),
        ("add: other must be ", lambda: dt.zeros(2) + "a"),
        ("subtract: other must be ", lambda: [] - dt.zeros(2)),
        ("matmul: ", lambda: dt.zeros(2) @ dt.zeros(3)),
        ("less: other must be ", lambda: dt.zeros(2) < "a"),
        ("abs: ", lambda: abs(dt.tensor([True]))),
        ("bitwise_invert: ", lambda: ~dt.zeros(2)),
        ("add_: ", lambda: dt.zeros(2).add_("a")),
        ("stack: ", lambda: dt.stack([dt.zeros(2), dt.zeros(3)])),
        ("expand: ", lambda: dt.zeros(2).expand(3)),
        ("index: ", lambda: dt.zeros(2)[5]),
        ("flatten: ", lambda: dt.flatten(dt.zeros(2), 3)),
    ],
)
def test_messages_name_what_was_called(message, call):
    with pytest.raises((ValueError, TypeError, IndexError)) as caught:
        call()
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "name", ["sum", "mean", "max", "argmax", "softmax", "squeeze", "cumsum", "flip", "sort"]
)
def test_dim_is_called_axis(name):
    for call in (getattr(dt, name), lambda x, **kwargs: getattr(x, name)(**kwargs)):
        with pytest.raises(TypeError, match=rf"^{name}: unknown argument 'dim'; here it is called 'axis'"):
            call(dt.zeros((2, 3)), dim=0)
        with pytest.raises((IndexError, ValueError), match=rf"^{name}: axis 7 is out of range"):
            call(dt.zeros((2, 3)), axis=7)


class TestArrays:
    def test_masked(self):
        masked = np.ma.array([1.0, 2.0], mask=[True, False])
        for call in (dt.from_numpy, dt.tensor, dt.asarray, lambda a: dt.zeros(2) + a):
            with pytest.raises(TypeError, match="masked arrays are not supported"):
                call(masked)
        for call in (ArrayDataset, Mean().update, lambda a: accuracy_score(a, [1, 2])):
            with pytest.raises(TypeError, match="masked array"):
                call(masked)
        model = nn.Linear(1, 1)
        model.compile(optimizer="sgd", loss="mse")
        with pytest.raises(TypeError, match="fit: x is a masked array"):
            model.fit(masked[:, None], [1.0, 2.0], verbose=0)

    def test_the_other_byte_order(self):
        with pytest.raises(TypeError, match=r"dtype >f4 is not supported.*newbyteorder"):
            dt.from_numpy(np.zeros(2, ">f4"))


@pytest.mark.parametrize("call", [dt.manual_seed, dt.Generator, dt.Generator().manual_seed])
def test_seeds(call):
    for seed in (NAN, 1.5, "a", None, True):
        with pytest.raises(TypeError, match=r"seed must be an int from 0 to 2\*\*64 - 1, got"):
            call(seed)
    for seed in (-1, 2**64):
        with pytest.raises(ValueError, match=rf"seed is {seed}, expected 0 to 2\*\*64 - 1"):
            call(seed)


class TestOptimizers:
    def make(self, kind=optim.Adam, **options):
        return kind([dt.tensor([1.0, 2.0], requires_grad=True)], **options)

    @pytest.mark.parametrize("flag", ["amsgrad", "maximize"])
    @pytest.mark.parametrize("value", ["a", None, 1, NAN])
    def test_flags(self, flag, value):
        with pytest.raises(TypeError, match=f"Adam: {flag} must be True or False"):
            self.make(**{flag: value})

    @pytest.mark.parametrize("flag", ["nesterov", "maximize"])
    def test_flags_of_sgd(self, flag):
        with pytest.raises(TypeError, match=f"SGD: {flag} must be True or False"):
            self.make(optim.SGD, **{flag: "yes"})

    def test_numbers_beyond_floats(self):
        with pytest.raises(ValueError, match="Adam: lr must be positive"):
            self.make(lr=10**400)

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"state": None}, TypeError),
            ({"state": {0: None}}, TypeError),
            ({"state": {5: {}}}, ValueError),
            ({"state": {"x": {}}}, ValueError),
            ({"state": {0: {"step": -1}}}, ValueError),
            ({"param_groups": None}, TypeError),
            ({"param_groups": [{}]}, TypeError),
            ({"param_groups": []}, ValueError),
        ],
    )
    def test_states(self, change, error):
        optimizer = self.make()
        with pytest.raises(error, match=r"Adam\.load_state_dict: "):
            optimizer.load_state_dict({**optimizer.state_dict(), **change})


class TestLayers:
    @pytest.mark.parametrize(
        "make", [lambda v: nn.Linear(v, 2), lambda v: nn.Conv2d(1, 2, v), nn.BatchNorm1d, nn.PReLU]
    )
    @pytest.mark.parametrize("value", [dt.zeros(2), np.zeros(2), "3", None, 1.5, True])
    def test_sizes_of_wrong_kinds(self, make, value):
        with pytest.raises(TypeError, match=r"^\w+: \w+ must be"):
            make(value)

    def test_numbers_beyond_floats(self):
        with pytest.raises(ValueError, match="ELU: alpha must be"):
            nn.ELU(10**400)


def flags():
    """Every argument of a public class that is True or False, with what the class needs besides."""
    needed = {
        "BackupAndRestore": "folder",
        "Checkpoint": "folder",
        "CSVLogger": "file",
        "ModelCheckpoint": "file",
        "LearningRateScheduler": abs,
        "AveragedModel": nn.Linear(2, 2),
        "DecoupledDecay": optim.SGD([dt.ones(2, requires_grad=True)]),
        "GPT": 5,
        "RNNClassifier": (5, 2),
        "RNNLanguageModel": 5,
        "Seq2Seq": 5,
        "TextCNN": (5, 2),
        "TransformerClassifier": (5, 2),
        "TranslationTransformer": 5,
    }
    for source in (callbacks, metrics, optim.regularization, optim.swa_utils, dt.models):
        for name, kind in sorted(vars(source).items()):
            if name.startswith("_") or not isinstance(kind, type) or kind is metrics.UndefinedMetricWarning:
                continue
            for argument, parameter in inspect.signature(kind).parameters.items():
                if isinstance(parameter.default, bool) or argument == "verbose":
                    given = needed.get(name, ())
                    first = given if isinstance(given, tuple) else (given,)
                    yield pytest.param(kind, first, argument, id=f"{name}.{argument}")


class TestFlags:
    @pytest.mark.parametrize("value", ["no", "False", None, NAN, [True]])
    @pytest.mark.parametrize(("kind", "first", "argument"), list(flags()))
    def test_of_classes(self, kind, first, argument, value):
        with pytest.raises((TypeError, ValueError), match=rf"{argument} (must be|is .*, expected)"):
            kind(*first, **{argument: value})

    def test_numbers_are_none(self):
        with pytest.raises(TypeError, match="restore_best_weights must be True or False, got 1"):
            callbacks.EarlyStopping(restore_best_weights=1)

    @pytest.mark.parametrize("value", [False, True, 0, 1, 2, np.True_, np.int64(1)])
    def test_verbose_is_a_number_too(self, value):
        assert callbacks.EarlyStopping(verbose=value).verbose == int(value)

    @pytest.mark.parametrize("value", [-1, 3])
    def test_verbose_beyond_its_range(self, value):
        with pytest.raises(ValueError, match="EarlyStopping: verbose must be"):
            callbacks.EarlyStopping(verbose=value)

    def test_bools_of_numpy(self):
        assert callbacks.EarlyStopping(restore_best_weights=np.True_).restore_best_weights is True

    @pytest.mark.parametrize(
        ("name", "call"),
        [
            ("shuffle", lambda x, y, m: m.fit(x, y, shuffle="no", verbose=0)),
            ("return_dict", lambda x, y, m: m.evaluate(x, y, return_dict="no", verbose=0)),
            ("strict", lambda x, y, m: m.load_state_dict(m.state_dict(), strict="no")),
            ("strict", lambda x, y, m: m.load_weights("weights.npz", strict="no")),
            ("shuffle", lambda x, y, m: train_test_split(x, y, shuffle="no")),
        ],
    )
    def test_of_functions(self, name, call):
        model = nn.Linear(2, 1)
        model.compile(optimizer="sgd", loss="mse")
        with pytest.raises(TypeError, match=f"{name} must be True or False, got 'no'"):
            call(np.zeros((4, 2), np.float32), np.zeros((4, 1), np.float32), model)


class TestData:
    data = ArrayDataset(np.arange(10))

    @pytest.mark.parametrize("flag", ["shuffle", "drop_last"])
    @pytest.mark.parametrize("value", ["no", None, NAN, 2])
    def test_flags(self, flag, value):
        with pytest.raises(TypeError, match=f"DataLoader: {flag} must be True or False, got"):
            DataLoader(self.data, 2, **{flag: value})

    @pytest.mark.parametrize("sampler", [SequentialSampler, RandomSampler])
    def test_lengths_of_samplers(self, sampler):
        for length in (1.5, "a", None, True, NAN):
            with pytest.raises(
                TypeError, match=r"Sampler: length must be an integer from 0 to 2\*\*60 - 1, got"
            ):
                sampler(length)
        for length in (-1, 2**64):
            with pytest.raises(ValueError, match="Sampler: length must be"):
                sampler(length)

    @pytest.mark.parametrize("lengths", [None, 3, "ab", ["a"], [5, "5"], [True, 9], [None]])
    def test_random_split(self, lengths):
        with pytest.raises(TypeError, match="random_split: "):
            random_split(self.data, lengths)

    @pytest.mark.parametrize("index", [None, True, 1.5, "a"])
    def test_indices(self, index):
        with pytest.raises(TypeError, match="ArrayDataset: index is"):
            self.data[index]

    def test_seeds_are_no_flags(self):
        with pytest.raises(TypeError, match=r"DataLoader: seed must be .*got True"):
            DataLoader(self.data, 2, seed=True)


def test_negative_sample_weights_push_away():
    model = nn.Linear(1, 1, bias=False)
    model.weight.detach().fill_(0.5)
    model.compile(optimizer="sgd", loss="mse")
    x = np.ones((4, 1), np.float32)
    model.fit(x, x, sample_weight=[-1.0] * 4, verbose=0)
    assert model.weight.item() < 0.5  # away from 1
    with pytest.raises(ValueError, match="sample_weight holds NaN or an infinity"):
        model.fit(x, x, sample_weight=[NAN] * 4, verbose=0)


class TestMetrics:
    @pytest.mark.parametrize("kind", [metrics.Accuracy, metrics.Hamming, metrics.TopKAccuracy])
    def test_complex_scores(self, kind):
        with pytest.raises(TypeError, match=f"{kind.__name__}.update: y_pred has dtype complex128"):
            kind().update(np.array([0, 1]), np.array([[1j, 0], [0, 1]]))

    @pytest.mark.parametrize("kind", [metrics.Accuracy, metrics.Hamming])
    @pytest.mark.parametrize("guess", [[0, 1], [0.2, 0.7], [[0.1, 0.9], [0.2, 0.8]]])
    def test_labels_with_nan(self, kind, guess):
        with pytest.raises(ValueError, match=r"y_true (holds NaN|has dtype)"):
            kind().update(np.array([NAN, 1.0]), np.array(guess))

    def test_structured_arrays(self):
        pairs = np.zeros(2, "i4,f4")
        with pytest.raises(TypeError, match="accuracy_score: y_true has dtype"):
            accuracy_score(pairs, pairs)

    def test_words(self):
        with pytest.raises(TypeError, match=r"Mean\.update: value has dtype"):
            Mean().update(["a"])

    def test_a_matrix_that_fits_nowhere(self):
        with pytest.raises(ValueError, match="ConfusionMatrix: a matrix for"):
            ConfusionMatrix(2**40)

    def test_an_empty_batch_changes_nothing(self):
        matrix, accuracy = ConfusionMatrix(3), Accuracy()
        for metric in (matrix, accuracy):
            metric.update(np.zeros(0, np.int64), np.zeros((0, 3)))
        assert matrix.result().sum() == 0
        assert np.isnan(accuracy.result())


def test_cross_entropy_of_large_logits():
    # The largest logit and the log of the sum are kept apart: their sum would round by some 5e-4 here.
    x = (np.array([[1.0, 0.5, -1.0], [0.0, 2.0, 1.0]]) + 10_000).astype("float32")
    logits = dt.tensor(x, requires_grad=True)
    loss = dt.cross_entropy(logits, dt.tensor([1, 0]), label_smoothing=0.1, reduction="sum")
    loss.backward()
    p = np.exp(x - 10_000.0)
    p /= p.sum(1, keepdims=True)
    target = 0.9 * np.eye(3)[[1, 0]] + 0.1 / 3
    np.testing.assert_allclose(loss.item(), -(target * np.log(p)).sum(), rtol=2e-6)
    np.testing.assert_allclose(logits.grad.numpy(), p - target, atol=1e-6)
