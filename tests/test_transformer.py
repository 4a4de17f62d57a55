"""Attention and transformer layers: beside PyTorch's with the same weights, masks, caches, wrong input."""

from __future__ import annotations

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn
from golden import transformers as golden

rng = np.random.default_rng(0)


def sample(*shape):
    return rng.normal(size=shape).astype(np.float32)


def same(ours, theirs, atol=2e-5):
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), atol=atol, rtol=1e-4)


def loaded(ours, theirs):
    """Ours with the weights of PyTorch's; the names must be the same. No weight stays a plain 0 or 1."""
    torch = pytest.importorskip("torch")
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    return ours


def gradients_agree(ours, theirs, atol=2e-4):
    expected = {name: p.grad for name, p in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        same(parameter.grad, expected.pop(name), atol)
    assert not expected


def agree(ours, expected):
    assert ours.keys() == expected.keys()
    for name, numbers in expected.items():
        scale = max(map(abs, numbers))
        np.testing.assert_allclose(ours[name], numbers, atol=1e-4 * scale, err_msg=name)


class TestRecorded:
    """Numbers of PyTorch, which need not be installed."""

    @pytest.mark.parametrize("case", golden.CASES)
    def test_outputs_and_gradients(self, case):
        kind, arguments, _, _ = golden.CASES[case]
        module = getattr(nn, kind)(*arguments, **golden.options(case))
        state = {name: golden.weight(name, tuple(v.shape)) for name, v in module.state_dict().items()}
        module.load_state_dict(state)
        output = module(**{name: dt.tensor(value) for name, value in golden.inputs(case).items()})
        output = output[0] if kind == "MultiheadAttention" else output
        (output * dt.tensor(golden.goal(output.shape))).sum().backward()
        gradients = {name: parameter.grad.numpy() for name, parameter in module.named_parameters()}
        agree(golden.results(output.detach().numpy(), gradients), golden.recorded()[case])

    @pytest.mark.parametrize("case", golden.CASES)
    def test_they_are_those_of_the_installed_pytorch(self, case):
        pytest.importorskip("torch")
        agree(golden.torch_results(case), golden.recorded()[case])


ATTENTION = {
    "self": {},
    "no bias": {"bias": False},
    "other sizes": {"kdim": 10, "vdim": 14},
    "more keys": {"add_bias_kv": True, "add_zero_attn": True},
}


class TestMultiheadAttention:
    @pytest.mark.parametrize("options", ATTENTION.values(), ids=ATTENTION)
    @pytest.mark.parametrize("need_weights", [False, True])
    def test_beside_pytorch(self, options, need_weights):
        torch = pytest.importorskip("torch")
        torch.manual_seed(0)
        theirs = torch.nn.MultiheadAttention(12, 3, batch_first=True, **options)
        ours = loaded(nn.MultiheadAttention(12, 3, **options), theirs)
        query, key, value = sample(2, 5, 12), sample(2, 7, 12), sample(2, 7, 12)
        if "kdim" in options:
            key, value = sample(2, 7, 10), sample(2, 7, 14)
        padding, mask = np.zeros((2, 7), bool), rng.random((5, 7)) < 0.3
        padding[1, 5:] = True
        mask[:, 0] = False
        out, weights = ours(
            *map(dt.tensor, (query, key, value, padding)),
            need_weights=need_weights,
            attn_mask=dt.tensor(mask),
        )
        expected, expected_weights = theirs(
            *map(torch.tensor, (query, key, value, padding)), need_weights=True, attn_mask=torch.tensor(mask)
        )
        same(out, expected)
        if need_weights:
            same(weights, expected_weights)
        else:
            assert weights is None
        goal = sample(2, 5, 12)
        (out * dt.tensor(goal)).sum().backward()
        (expected * torch.tensor(goal)).sum().backward()
        gradients_agree(ours, theirs)

    def test_one_product_of_self_attention_equals_three(self):
        layer = nn.MultiheadAttention(12, 3)
        x = dt.tensor(sample(2, 5, 12))
        together, _ = layer(x)
        for given in ((x, x + 0), (x, x + 0, x + 0)):
            same(layer(*given)[0], together)

    def test_weights_of_each_head(self):
        layer = nn.MultiheadAttention(12, 3)
        x = dt.tensor(sample(2, 5, 12))
        _, weights = layer(x, need_weights=True, average_attn_weights=False)
        assert weights.shape == (2, 3, 5, 5)
        np.testing.assert_allclose(weights.sum(axis=-1).detach().numpy(), 1, rtol=1e-5)
        same(layer(x, need_weights=True)[1], weights.mean(axis=1))

    @pytest.mark.parametrize("shared", [1, 2])
    def test_grouped_heads(self, shared):
        """Each head of keys and values stands for a group of heads that have equal ones."""
        grouped = nn.MultiheadAttention(16, 4, num_kv_heads=shared)
        plain = nn.MultiheadAttention(16, 4)
        assert grouped.in_proj_weight.shape == (16 + 2 * 4 * shared, 16)
        state = {name: value.numpy().copy() for name, value in grouped.state_dict().items()}
        for name in ("in_proj_weight", "in_proj_bias"):
            heads = state[name].reshape(4 + 2 * shared, 4, *state[name].shape[1:])
            repeated = np.repeat(heads[4:], 4 // shared, axis=0)
            state[name] = np.concatenate([heads[:4], repeated]).reshape(48, *state[name].shape[1:])
        plain.load_state_dict(state)
        x = dt.tensor(sample(2, 6, 16))
        for options in ({}, {"is_causal": True}, {"need_weights": True}):
            same(grouped(x, **options)[0], plain(x, **options)[0])

    def test_causal_needs_no_mask(self):
        layer = nn.MultiheadAttention(12, 3)
        x = dt.tensor(sample(2, 5, 12))
        later = dt.triu(dt.ones((5, 5), dtype="bool"), k=1)
        same(layer(x, is_causal=True)[0], layer(x, attn_mask=later)[0])
        same(layer(x, is_causal=True, attn_mask=later)[0], layer(x, attn_mask=later)[0])
        numbers = nn.Transformer.generate_square_subsequent_mask(5)
        assert np.isfinite(numbers.numpy()).sum() == 15
        same(layer(x, attn_mask=numbers)[0], layer(x, attn_mask=later)[0])

    @pytest.mark.parametrize("keys", [3, 5, 8])
    def test_causal_with_other_lengths_counts_from_the_end(self, keys):
        layer = nn.MultiheadAttention(12, 3)
        x, y = dt.tensor(sample(2, 5, 12)), dt.tensor(sample(2, keys, 12))
        later = dt.tensor(np.triu(np.ones((5, keys), bool), keys - 5 + 1))
        expected, weights = layer(x, y, attn_mask=later, need_weights=True)
        assert not weights.detach().numpy()[:, later.numpy()].any()
        same(layer(x, y, is_causal=True, need_weights=True)[0], expected)
        same(layer(x, y, is_causal=True)[0], expected)

    @pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
    def test_masks_of_numbers_and_bools_together(self, dtype):
        layer = nn.MultiheadAttention(12, 3, dtype=dtype)
        x = dt.tensor(sample(2, 5, 12)).astype(dtype)
        padding = dt.tensor([[False] * 5, [False] * 3 + [True] * 2])
        numbers = dt.tensor(sample(5, 5)).astype(dtype)
        forbidden = dt.where(padding, float("-inf"), 0.0).astype(dtype)
        out, _ = layer(x, key_padding_mask=padding, attn_mask=numbers)
        same(out.double(), layer(x, key_padding_mask=forbidden, attn_mask=numbers)[0].double(), 2e-2)
        each = (numbers + forbidden.reshape(2, 1, 1, 5)).expand(2, 3, 5, 5)
        same(out.double(), layer(x, attn_mask=each)[0].double(), 2e-2)
        same(out.double(), layer(x, attn_mask=each.reshape(6, 5, 5))[0].double(), 2e-2)
        same(out.double(), layer(x, attn_mask=each, need_weights=True)[0].double(), 2e-2)

    @pytest.mark.parametrize("kind", ["bool", "numbers", "both"])
    def test_masks_that_leave_nothing(self, kind):
        """Zeros and the last bias, and gradients without NaN."""
        layer = nn.MultiheadAttention(12, 3)
        x = dt.tensor(sample(2, 5, 12), requires_grad=True)
        padding = dt.tensor([[True] * 5, [False] * 5])
        numbers = dt.full((5, 5), float("-inf"))
        given = {
            "bool": {"key_padding_mask": padding},
            "numbers": {"attn_mask": numbers},
            "both": {"key_padding_mask": padding, "attn_mask": numbers},
        }[kind]
        for need_weights in (False, True):
            out, _ = layer(x, need_weights=need_weights, **given)
            expected = np.broadcast_to(layer.out_proj.bias.detach().numpy(), (5, 12))
            np.testing.assert_allclose(out.detach().numpy()[0], expected, atol=1e-6)
            out.sum().backward()
            assert np.isfinite(x.grad.numpy()).all()
            assert all(np.isfinite(p.grad.numpy()).all() for p in layer.parameters())

    def test_dropout_of_weights_in_training_only(self):
        layer = nn.MultiheadAttention(12, 3, dropout=0.5)
        x = dt.tensor(sample(1, 9, 12))
        assert not np.array_equal(layer(x)[0].detach().numpy(), layer(x)[0].detach().numpy())
        layer.eval()
        assert np.array_equal(layer(x)[0].detach().numpy(), layer(x)[0].detach().numpy())

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"embed_dim": 10, "num_heads": 3}, "num_heads 3 must divide embed_dim 10"),
            ({"embed_dim": 12, "num_heads": 6, "num_kv_heads": 4}, "num_kv_heads 4 must divide num_heads 6"),
            ({"embed_dim": 12, "num_heads": 0}, "num_heads must be a positive integer"),
            ({"embed_dim": 12, "num_heads": 3, "dropout": 2}, "dropout must be a number from 0 to 1"),
        ],
    )
    def test_wrong_sizes(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            nn.MultiheadAttention(**arguments)

    def test_wrong_input(self):
        layer, x = nn.MultiheadAttention(12, 3), dt.zeros((2, 5, 12))
        with pytest.raises(ValueError, match=r"query has shape \(5, 12\), expected \(batch, time, 12\)"):
            layer(x[0])
        with pytest.raises(ValueError, match="key has shape"):
            layer(x, dt.zeros((2, 5, 11)))
        with pytest.raises(ValueError, match="expected one batch, and keys as long as values"):
            layer(x, x + 0, dt.zeros((2, 4, 12)))
        with pytest.raises(ValueError, match=r"key_padding_mask has shape \(5,\), expected \(batch, keys\)"):
            layer(x, key_padding_mask=dt.zeros((5,), dtype="bool"))
        with pytest.raises(ValueError, match=r"attn_mask has shape \(2, 5\), expected \(queries, keys\)"):
            layer(x, attn_mask=dt.zeros((2, 5), dtype="bool"))
        with pytest.raises(ValueError, match="attn_mask has shape"):
            layer(x, attn_mask=dt.zeros((2, 2, 5, 5), dtype="bool"))
        with pytest.raises(TypeError, match="attn_mask is int64, expected bool or floating-point"):
            layer(x, attn_mask=dt.zeros((5, 5), dtype="int64"))
        for call, message in (
            (lambda: layer(None), "query must be a Tensor, got NoneType"),
            (lambda: layer(x, key_padding_mask=[[True] * 5] * 2), "key_padding_mask must be a Tensor"),
            (lambda: layer(x, attn_mask=np.ones((5, 5), bool)), "attn_mask must be a Tensor, got ndarray"),
            (lambda: layer(x, cache=[nn.KeyValueCache()]), "cache is a list, expected a KeyValueCache"),
            (lambda: nn.MultiheadAttention(8, 2, bias="no"), "bias must be True or False"),
            (lambda: nn.MultiheadAttention(8, 2, add_bias_kv=1), "add_bias_kv must be True or False"),
            (lambda: nn.MultiheadAttention(8, 2, add_zero_attn="no"), "add_zero_attn must be True or False"),
            (lambda: nn.MultiheadAttention(8, 2, positions="rotary"), "positions is 'rotary', expected"),
        ):
            with pytest.raises(TypeError, match=message):
                call()
        with pytest.raises(TypeError, match="there is no argument 'num_head'; did you mean 'num_heads'"):
            nn.MultiheadAttention(12, num_head=3)


class TestLayers:
    @pytest.mark.parametrize("norm_first", [False, True])
    @pytest.mark.parametrize("activation", ["relu", "gelu"])
    def test_encoder_layer_beside_pytorch(self, norm_first, activation):
        torch = pytest.importorskip("torch")
        torch.manual_seed(0)
        options = {"dropout": 0.0, "norm_first": norm_first, "activation": activation}
        theirs = torch.nn.TransformerEncoderLayer(12, 3, 20, batch_first=True, **options)
        ours = loaded(nn.TransformerEncoderLayer(12, 3, 20, **options), theirs)
        x, padding = sample(2, 5, 12), np.array([[False] * 5, [False] * 3 + [True] * 2])
        goal = sample(2, 5, 12)
        out = ours(dt.tensor(x), src_key_padding_mask=dt.tensor(padding))
        expected = theirs(torch.tensor(x), src_key_padding_mask=torch.tensor(padding))
        same(out, expected)
        (out * dt.tensor(goal)).sum().backward()
        (expected * torch.tensor(goal)).sum().backward()
        gradients_agree(ours, theirs)

    @pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
    @pytest.mark.parametrize("norm_first", [False, True])
    def test_transformer_beside_pytorch(self, norm_first):
        torch = pytest.importorskip("torch")
        torch.manual_seed(0)
        options = {"dropout": 0.0, "norm_first": norm_first}
        theirs = torch.nn.Transformer(12, 3, 2, 2, 20, batch_first=True, **options)
        ours = loaded(nn.Transformer(12, 3, 2, 2, 20, **options), theirs)
        source, target, goal = sample(2, 6, 12), sample(2, 4, 12), sample(2, 4, 12)
        later = torch.nn.Transformer.generate_square_subsequent_mask(4)
        out = ours(dt.tensor(source), dt.tensor(target), tgt_is_causal=True)
        expected = theirs(torch.tensor(source), torch.tensor(target), tgt_mask=later)
        same(out, expected)
        (out * dt.tensor(goal)).sum().backward()
        (expected * torch.tensor(goal)).sum().backward()
        gradients_agree(ours, theirs)

    def test_copies_begin_with_other_weights(self):
        encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 8), 2)
        first, second = (layer.linear1.weight.detach().numpy() for layer in encoder.layers)
        assert not np.array_equal(first, second)
        assert not encoder.layers[1].self_attn.out_proj.bias.detach().numpy().any()

    def test_swiglu(self):
        layer = nn.TransformerEncoderLayer(8, 2, 6, 0.0, "swiglu", norm_first=True)
        assert layer.linear1.weight.shape == (12, 8)
        alone = nn.SwiGLU(8, 6)
        alone.w12, alone.w3 = layer.linear1, layer.linear2
        x = dt.tensor(sample(2, 3, 8))
        halfway = x + layer.self_attn(layer.norm1(x))[0]
        same(layer(x), halfway + alone(layer.norm2(halfway)))
        with dt.no_grad():
            both, out = alone.w12(x).numpy(), alone(x).numpy()
        gate, value = both[..., :6], both[..., 6:]
        last = alone.w3.state_dict()
        expected = (gate / (1 + np.exp(-gate)) * value) @ last["weight"].numpy().T + last["bias"].numpy()
        np.testing.assert_allclose(out, expected, atol=1e-5)

    @pytest.mark.parametrize("kind", ["Encoder", "Decoder"])
    def test_every_dropout_acts_and_rests(self, kind):
        layer = getattr(nn, f"Transformer{kind}Layer")(8, 2, 8, 0.0)
        given = [dt.tensor(sample(2, 3, 8)) for _ in range(2 if kind == "Decoder" else 1)]
        expected = layer(*given).detach().numpy()
        dropouts = [module for name, module in layer.named_modules() if "dropout" in name]
        attentions = [
            module for _, module in layer.named_modules() if isinstance(module, nn.MultiheadAttention)
        ]
        assert len(dropouts) == (4 if kind == "Decoder" else 3)
        for module in (*dropouts, *attentions):
            name = "p" if module in dropouts else "dropout"
            setattr(module, name, 0.5)
            assert not np.allclose(layer(*given).detach().numpy(), expected, atol=1e-3)
            layer.eval()
            np.testing.assert_allclose(layer(*given).detach().numpy(), expected, atol=1e-6)
            layer.train()
            setattr(module, name, 0.0)

    def test_hooks_see_the_first_linear_layer(self):
        layer, seen = nn.TransformerEncoderLayer(8, 2, 6, 0.0), []
        x = dt.tensor(sample(2, 3, 8))
        before = layer(x)
        with layer.linear1.register_forward_hook(lambda *_: seen.append(1)):
            same(layer(x), before)
        assert seen == [1]

    def test_wrong_arguments(self):
        with pytest.raises(ValueError, match="activation must be one of 'relu', 'gelu'"):
            nn.TransformerEncoderLayer(8, 2, activation="tanh")
        with pytest.raises(TypeError, match=r"no argument 'batch_first'; sequences are always \(batch"):
            nn.TransformerEncoderLayer(8, 2, batch_first=True)
        layer, x = nn.TransformerDecoderLayer(8, 2, 8), dt.zeros((1, 3, 8))
        for error, call, message in (
            (TypeError, lambda: nn.TransformerEncoderLayer(8, 2, norm_first="no"), "norm_first must be"),
            (ValueError, lambda: nn.TransformerDecoderLayer(8, 2, norm="batch"), "DecoderLayer: norm must"),
            (TypeError, lambda: nn.TransformerDecoderLayer(8, 2, heads=2), "DecoderLayer: there is no"),
            (TypeError, lambda: layer(x, None), "DecoderLayer: memory must be a Tensor"),
            (TypeError, lambda: layer(x, x, cache=nn.KeyValueCache()), "cache must be a pair of"),
            (
                TypeError,
                lambda: nn.TransformerDecoder(layer, 2, "layer"),
                "norm is 'layer', expected",
            ),
            (TypeError, lambda: nn.Transformer(8, 2, custom_encoder=3), "custom_encoder is 3, expected"),
            (
                ValueError,
                lambda: nn.TransformerDecoder(layer, 2)(x, x, cache=[None]),
                "cache must be what new_cache makes, one for each of 2 layers",
            ),
        ):
            with pytest.raises(error, match=message):
                call()
        with pytest.raises(TypeError, match="TransformerEncoder: the layer is a int"):
            nn.TransformerEncoder(8, 2)
        encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 8), 2)
        encoder.layers[1].self_attn.embed_dim = 9
        with pytest.raises(ValueError, match=r"in layer 'layers.1.self_attn' \(MultiheadAttention\)"):
            encoder(dt.zeros((1, 2, 8)))


class TestCache:
    @pytest.mark.parametrize("options", [{}, {"num_kv_heads": 1}, {"positions": "rotary"}])
    @pytest.mark.parametrize("sizes", [(1,) * 6, (3, 1, 2), (2, 4)])
    def test_step_by_step_is_all_at_once(self, options, sizes):
        if "positions" in options:
            options = {"positions": nn.RotaryPositions(4)}
        encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 8, 0.0, **options), 2)
        x = dt.tensor(sample(2, 6, 8))
        with dt.no_grad():
            expected = encoder(x, is_causal=True).numpy()
            cache = encoder.new_cache()
            cuts = list(np.cumsum(sizes[:-1]))
            parts = [encoder(part, is_causal=True, cache=cache) for part in x.split(cuts, axis=1)]
        np.testing.assert_allclose(np.concatenate(parts, axis=1), expected, atol=1e-5)
        assert [len(one) for one in cache] == [6, 6]

    def test_decoder(self):
        decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 8, 0.0), 2)
        x, memory = dt.tensor(sample(2, 6, 8)), dt.tensor(sample(2, 4, 8))
        with dt.no_grad():
            expected = decoder(x, memory, tgt_is_causal=True).numpy()
            cache = decoder.new_cache()
            parts = [decoder(part, memory, tgt_is_causal=True, cache=cache) for part in x.split(6, axis=1)]
        np.testing.assert_allclose(np.concatenate(parts, axis=1), expected, atol=1e-5)

    def test_it_grows_and_picks(self):
        cache, kept = nn.KeyValueCache(block=4), []
        for _ in range(11):
            kept.append(sample(3, 2, 1, 5))
            keys, values = cache.append(dt.tensor(kept[-1]), dt.tensor(-kept[-1]))
            expected = np.concatenate(kept, axis=2)
            assert np.array_equal(keys.numpy(), expected)
            assert np.array_equal(values.numpy(), -expected)
        cache.pick(dt.tensor([2, 2]))
        assert np.array_equal(cache.all()[0].numpy(), expected[[2, 2]])
        with pytest.raises(ValueError, match=r"keys of 3 sequences were given .* but it holds 2"):
            cache.append(dt.tensor(kept[0]), dt.tensor(kept[0]))
        cache.clear()
        assert len(cache) == 0
        assert cache.append(dt.tensor(kept[0]), dt.tensor(kept[0]))[0].shape == (3, 2, 1, 5)

    def test_of_another_layer_or_batch(self):
        cache = nn.KeyValueCache()
        cache.append(*[dt.zeros((2, 2, 3, 4))] * 2)
        for shape, dtype in (((2, 2, 1, 4), "float64"), ((2, 4, 1, 4), "float32"), ((2, 2, 1, 8), "float32")):
            other = dt.zeros(shape, dtype=dtype)
            with pytest.raises(ValueError, match=r"but it holds 2 \(float32 of shape \(2, 2, 3, 4\)\)"):
                cache.append(other, other)
        with pytest.raises(ValueError, match=r"value has shape \(2, 2, 2, 4\), expected .* like key"):
            cache.append(dt.zeros((2, 2, 1, 4)), dt.zeros((2, 2, 2, 4)))
        with pytest.raises(TypeError, match="key must be a Tensor, got ndarray"):
            cache.append(np.zeros((2, 2, 1, 4)), np.zeros((2, 2, 1, 4)))
        cache.clear()  # then it may be another's
        assert cache.append(*[dt.zeros((2, 4, 1, 8), dtype="float64")] * 2)[0].dtype == dt.float64
        layer, fixed = nn.MultiheadAttention(8, 2), nn.KeyValueCache(fixed=True)
        with dt.no_grad():
            layer(dt.zeros((1, 1, 8)), dt.zeros((1, 3, 8)), cache=fixed)
            with pytest.raises(ValueError, match=r"query has 3 sequences .* but the cache holds 1"):
                layer(dt.zeros((3, 1, 8)), dt.zeros((3, 3, 8)), cache=fixed)
        with pytest.raises(TypeError, match="fixed must be True or False"):
            nn.KeyValueCache(fixed="yes")

    def test_no_gradients(self):
        layer = nn.MultiheadAttention(8, 2)
        with pytest.raises(RuntimeError, match="carries no gradients; use it under no_grad"):
            layer(dt.zeros((1, 2, 8)), cache=nn.KeyValueCache())
        with pytest.raises(RuntimeError, match="it is empty"):
            nn.KeyValueCache().all()


class TestPositions:
    def test_sinusoidal(self):
        out = nn.SinusoidalPositions(6)(dt.zeros((2, 70, 6))).numpy()
        angles = np.arange(70)[:, None] / 10000 ** (np.arange(0, 6, 2) / 6)
        np.testing.assert_allclose(out[1, :, 0::2], np.sin(angles), atol=1e-6)
        np.testing.assert_allclose(out[1, :, 1::2], np.cos(angles), atol=1e-6)
        later = nn.SinusoidalPositions(6)(dt.zeros((1, 1, 6)), start=69).numpy()
        assert np.array_equal(later[0, 0], out[0, 69])
        assert nn.SinusoidalPositions(6)(dt.zeros((1, 3, 6), dtype="bfloat16")).dtype == dt.bfloat16

    @pytest.mark.parametrize(
        ("layer", "shape"),
        [
            (nn.LearnedPositions(9, 4), (1, 2, 4)),
            (nn.SinusoidalPositions(4), (1, 2, 4)),
            (nn.RotaryPositions(4), (1, 1, 2, 4)),
        ],
    )
    def test_wrong_input(self, layer, shape):
        for start, error in ((-3, ValueError), (1.5, TypeError), (None, TypeError), (True, TypeError)):
            with pytest.raises(error, match="start must be an integer of at least 0"):
                layer(dt.zeros(shape), start)
        with pytest.raises(TypeError, match="input is int64, expected a floating-point dtype"):
            layer(dt.zeros(shape, dtype="int64"))
        with pytest.raises(TypeError, match="input must be a Tensor, got ndarray; use drivetrain"):
            layer(np.zeros(shape))

    def test_learned(self):
        layer = nn.LearnedPositions(4, 6)
        x = sample(2, 3, 6)
        out = layer(dt.tensor(x), start=1)
        np.testing.assert_allclose(out.detach().numpy(), x + layer.weight.detach().numpy()[1:], rtol=1e-6)
        out.sum().backward()
        assert layer.weight.grad.numpy().sum(axis=1).tolist() == [0, 12, 12, 12]
        with pytest.raises(ValueError, match=r"positions up to 5 .* but max_length is 4"):
            layer(dt.tensor(x), start=2)
        with pytest.raises(ValueError, match=r"input has shape \(3, 6\), expected \(batch, time, features\)"):
            layer(dt.tensor(x[0]))

    @pytest.mark.parametrize("interleaved", [False, True])
    def test_rotary(self, interleaved):
        layer = nn.RotaryPositions(6, interleaved=interleaved)
        x = sample(2, 3, 5, 6)
        pairs = x.reshape(2, 3, 5, 3, 2) if interleaved else np.stack(np.split(x, 2, axis=-1), axis=-1)
        angles = np.arange(5)[:, None] / 10000 ** (np.arange(0, 6, 2) / 6)
        turned = (pairs[..., 0] + 1j * pairs[..., 1]) * np.exp(1j * angles)
        expected = np.stack([turned.real, turned.imag], axis=-1)
        if interleaved:
            expected = expected.reshape(2, 3, 5, 6)
        else:
            expected = np.concatenate([expected[..., 0], expected[..., 1]], axis=-1)
        np.testing.assert_allclose(layer(dt.tensor(x)).numpy(), expected, atol=1e-5)
        np.testing.assert_allclose(
            layer(dt.tensor(x[:, :, 3:]), start=3).numpy(), expected[:, :, 3:], atol=1e-5
        )

    def test_rotary_sees_distances_only(self):
        layer = nn.RotaryPositions(8)
        q, k = (dt.tensor(sample(1, 1, 1, 8)) for _ in range(2))
        near = (layer(q, 7) * layer(k, 4)).sum().item()
        assert (layer(q, 103) * layer(k, 100)).sum().item() == pytest.approx(near, rel=1e-4)

    def test_wrong_sizes(self):
        for layer in (nn.SinusoidalPositions, nn.RotaryPositions):
            with pytest.raises(ValueError, match="must be even, got 5"):
                layer(5)
