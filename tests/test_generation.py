"""GPT and what is generated with it: caches, drawing, beams, wrong input; the same for recurrent networks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import models, nn
from op_table.tools import on_threads


def small(**options):
    dt.manual_seed(0)
    made = models.gpt(
        **{"vocab_size": 7, "context_length": 16, "width": 8, "layers": 2, "heads": 2, **options}
    )
    for parameter in made.parameters():  # far from uniform
        parameter.detach().multiply_(8.0)
    return made.eval()


class Fixed:
    """A decoder with the same logits for every row, whatever came before."""

    def __init__(self, logits, rows=1):
        self.logits, self.rows = dt.tensor(logits, dtype="float32"), rows

    def advance(self, tokens):
        self.rows = tokens.shape[0]
        return self.logits.reshape(1, -1).expand(self.rows, self.logits.size).contiguous()

    def pick(self, rows):
        self.rows = rows.size


class Table:
    """A decoder whose next token depends on the last one alone: log-probabilities are the rows of a table."""

    def __init__(self, table):
        self.table = dt.tensor(np.log(table), dtype="float32")

    def advance(self, tokens):
        return self.table.take(tokens[:, -1], axis=0)

    def pick(self, rows):
        pass


class TestGPT:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({}, 256 * 384 + 256 * 384 + 6 * (12 * 384**2 + 13 * 384) + 2 * 384),
            ({"tied": False}, 2 * 256 * 384 + 256 * 384 + 6 * (12 * 384**2 + 13 * 384) + 2 * 384),
            ({"bias": False}, 256 * 384 + 256 * 384 + 6 * (12 * 384**2 + 2 * 384) + 384),
            ({"positions": "rotary", "kv_heads": 2}, 256 * 384 + 6 * (10 * 384**2 - 384**2 // 3 * 2 + 0)),
        ],
    )
    def test_parameters(self, options, expected):
        model = models.gpt(256, **options)
        found = sum(parameter.size for parameter in model.parameters())
        if "kv_heads" in options:  # two thirds of the rows of keys and values are gone, with their biases
            per_layer = 12 * 384**2 + 13 * 384 - 2 * 2 * 384 // 3 * (384 + 1)
            expected = 256 * 384 + 6 * per_layer + 2 * 384
        assert found == expected

    def test_beside_pytorch(self):
        torch = pytest.importorskip("torch")
        model = small()
        layer = torch.nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", norm_first=True, batch_first=True)
        theirs = torch.nn.TransformerEncoder(layer, 2, torch.nn.LayerNorm(8), enable_nested_tensor=False)
        state = {k: torch.tensor(v.numpy()) for k, v in model.blocks.state_dict().items()}
        theirs.load_state_dict(state)
        tokens = np.random.default_rng(0).integers(0, 7, (3, 16))
        vectors = model.tokens.weight.detach().numpy()
        hidden = torch.tensor(vectors[tokens] + model.positions.weight.detach().numpy())
        later = torch.nn.Transformer.generate_square_subsequent_mask(16)
        expected = theirs.eval()(hidden, mask=later) @ torch.tensor(vectors.T)
        np.testing.assert_allclose(
            model(dt.tensor(tokens)).detach().numpy(), expected.detach().numpy(), atol=2e-4
        )

    @pytest.mark.parametrize(
        "options",
        [
            {"positions": "rotary", "kv_heads": 1, "activation": "swiglu", "norm": "rms", "bias": False},
            {"positions": "sinusoidal", "tied": False},
        ],
    )
    def test_it_learns_and_comes_back_from_a_file(self, options, tmp_path):
        dt.manual_seed(0)
        model = models.gpt(7, 16, 16, 2, 2, **options)
        tokens = np.arange(17 * 8).reshape(8, 17) % 7
        model.compile(dt.optim.AdamW(model.parameters(), lr=1e-2), "cross_entropy")
        history = model.fit(tokens[:, :-1], tokens[:, 1:], epochs=80, verbose=0).history
        assert history["loss"][-1] < 0.1
        assert model.generate([0, 1], 8, temperature=0).tolist() == [i % 7 for i in range(10)]
        model.save(tmp_path / "gpt.safetensors")
        again = dt.io.load_model(tmp_path / "gpt.safetensors")
        with dt.no_grad():
            found, expected = (one.eval()(dt.tensor(tokens[:, :-1])) for one in (again, model))
        assert np.array_equal(found, expected)

    @pytest.mark.parametrize("precision", ["bfloat16", "float16"])
    def test_it_learns_in_half_precision(self, precision):
        dt.manual_seed(0)
        model = models.gpt(7, 16, 32, 2, 2, dropout=0.0)
        tokens = np.arange(17 * 8).reshape(8, 17) % 7
        optimizer = dt.optim.AdamW(model.parameters(), lr=1e-2)
        model.compile(optimizer, "cross_entropy", precision=precision)
        history = model.fit(tokens[:, :-1], tokens[:, 1:], epochs=60, verbose=0).history
        assert history["loss"][-1] < 0.05
        with dt.autocast("bfloat16"):
            assert model.generate([0, 1], 8, temperature=0).tolist() == [i % 7 for i in range(10)]
        assert model.beam_search([0, 1], 8).tokens[0, 0].tolist() == [i % 7 for i in range(10)]

    @pytest.mark.parametrize("half", [False, True])
    def test_training_has_the_same_bits_for_any_number_of_threads(self, half):
        tokens = dt.tensor(np.random.default_rng(0).integers(0, 50, (4, 41)))

        def weights():
            dt.manual_seed(0)
            model = models.gpt(
                50, 40, 48, 2, 3, dropout=0.1, norm="rms", activation="swiglu", positions="rotary"
            )
            optimizer = dt.optim.AdamW(model.parameters(), lr=1e-2)
            for _ in range(3):
                with dt.autocast("bfloat16", enabled=half):
                    loss = nn.functional.cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step(max_norm=1.0)
            return [value.numpy() for value in model.state_dict().values()]

        on_threads(weights)

    def test_hostile_files_build_no_giants(self):
        from drivetrain.io.sizes import elements_of

        assert elements_of(models.GPT, (10**9,), {"width": 1000}) > 10**11
        assert elements_of(models.GPT, (10,), {"layers": 10**9, "width": 2, "heads": 1}) > 10**9
        layer = nn.TransformerEncoderLayer(8, 2, 8)
        assert elements_of(nn.TransformerEncoder, (layer, 10**9), {}) > 10**9
        for module in (
            small(kv_heads=1),
            layer,
            nn.MultiheadAttention(8, 2, num_kv_heads=1),
            nn.SwiGLU(3, 5),
        ):
            size = sum(parameter.size for parameter in module.parameters())
            arguments, keywords = module._constructor
            assert size // 2 < elements_of(type(module), arguments, keywords) <= size

    def test_wrong_input(self):
        model = small()
        with pytest.raises(ValueError, match=r"GPT: tokens has shape \(1, 17\), but context_length is 16"):
            model(dt.zeros((1, 17), dtype="int64"))
        with pytest.raises(ValueError, match=r"GPT: tokens has shape \(17,\), expected \(batch, time\)"):
            model(dt.zeros((17,), dtype="int64"))
        with pytest.raises((ValueError, IndexError), match="7"):
            model(dt.full((1, 3), 7, dtype="int64"))
        with pytest.raises(ValueError, match="vocab_size must be a positive integer, got 0"):
            models.gpt(0)
        for make in (
            models.gpt,
            models.translation_transformer,
            lambda *a, **k: models.transformer_classifier(*a, 2, **k),
        ):
            for name in ("width", "layers", "heads"):
                with pytest.raises(ValueError, match=f"{name} must be a positive integer, got 0"):
                    make(5, **{name: 0})
            with pytest.raises(ValueError, match="num_heads 3 must divide embed_dim 8"):
                make(5, width=8, heads=3)
        with pytest.raises(ValueError, match="positions must be one of 'learned'"):
            models.gpt(5, positions="none")

    def test_summary_and_half(self, capsys):
        model = small()
        model.summary((16,), dtype="int64")
        assert "blocks.layers.1.self_attn" in capsys.readouterr().out
        tokens = dt.tensor([[1, 2, 3]])
        expected = model(tokens)
        with dt.autocast("bfloat16"):
            np.testing.assert_allclose(model(tokens).float().detach(), expected.detach(), atol=0.3)
        assert model.bfloat16().generate([1], 20, seed=0).shape == (21,)


class TestGenerate:
    @pytest.mark.parametrize(
        "options", [{}, {"positions": "rotary", "kv_heads": 1}, {"positions": "sinusoidal", "tied": False}]
    )
    @pytest.mark.parametrize("temperature", [0.0, 1.0])
    def test_with_and_without_cache(self, options, temperature):
        """Beyond the context, too, where the first half is forgotten."""
        model, prompt = small(**options), [[1, 2, 3], [4, 5, 6]]
        found = [
            model.generate(prompt, 40, temperature=temperature, seed=3, use_cache=use).tolist()
            for use in (True, False)
        ]
        assert found[0] == found[1]
        assert found[0][0][:3] == [1, 2, 3]
        assert len(found[0][0]) == 43

    def test_greedy_is_what_the_model_says(self):
        model = small()
        tokens = model.generate([1, 2, 3], 13, temperature=0)
        says = model(tokens.reshape(1, -1)).argmax(axis=-1)[0]
        assert tokens[3:].tolist() == says[2:-1].tolist()

    def test_long_prompts(self):
        model, prompt = small(), list(np.arange(30) % 7)
        assert (
            model.generate(prompt, 1, temperature=0).tolist()[-1]
            == model.generate(prompt[-16:], 1, temperature=0).tolist()[-1]
        )

    def test_half_of_the_context_is_forgotten(self):
        model, lengths = small(), []
        decoder = model.new_decoder()
        with dt.no_grad():
            for _ in range(30):
                decoder.advance(dt.tensor([[1]]))
                lengths.append(decoder.length)
        assert lengths == [*range(1, 17), *range(8, 17), *range(8, 13)]

    def test_seeds(self):
        model = small()
        first, again, other = (model.generate([1], 30, seed=seed).tolist() for seed in (1, 1, 2))
        assert first == again
        assert first != other
        dt.manual_seed(5)
        first = model.generate([1], 30).tolist()
        dt.manual_seed(5)
        assert model.generate([1], 30).tolist() == first
        assert model.generate([1], 30).tolist() != first

    @pytest.mark.parametrize(
        ("options", "allowed"),
        [
            ({}, {0: 0.1, 1: 0.4, 2: 0.2, 3: 0.3}),
            ({"top_k": 2}, {1: 4 / 7, 3: 3 / 7}),
            ({"top_k": 100}, {0: 0.1, 1: 0.4, 2: 0.2, 3: 0.3}),
            ({"top_p": 0.65}, {1: 4 / 7, 3: 3 / 7}),
            ({"top_p": 0.75}, {1: 4 / 9, 2: 2 / 9, 3: 3 / 9}),
            ({"top_p": 1e-9}, {1: 1.0}),
            ({"top_p": 1.0}, {0: 0.1, 1: 0.4, 2: 0.2, 3: 0.3}),
            ({"top_k": 3, "top_p": 0.7}, {1: 4 / 7, 3: 3 / 7}),
            ({"temperature": 0.5}, {0: 1 / 30, 1: 16 / 30, 2: 4 / 30, 3: 9 / 30}),
            ({"temperature": 1e-40}, {1: 1.0}),
            ({"temperature": 0}, {1: 1.0}),
        ],
    )
    def test_what_is_drawn(self, options, allowed):
        """The shares of 20,000 draws, within four standard deviations; what has no chance is never drawn."""
        decoder = Fixed([*np.log([0.1, 0.4, 0.2, 0.3]), -np.inf])
        rows, steps = 1000, 20
        drawn = models.generate(decoder, np.zeros((rows, 1), int), steps, seed=0, **options).numpy()[:, 1:]
        shares = np.bincount(drawn.ravel(), minlength=5) / drawn.size
        for token, share in enumerate(shares):
            chance = allowed.get(token, 0.0)
            assert abs(share - chance) <= 4 * (chance * (1 - chance) / drawn.size) ** 0.5

    def test_stop_tokens(self):
        table = np.full((3, 3), 1e-9)
        table[0, 1] = table[1, 2] = table[2, 0] = 1  # 0, 1, 2, 0, ...
        for stops in (2, [2], np.int64(2)):
            found = models.generate(Table(table), [[0], [1]], 9, temperature=0, stop_tokens=stops)
            assert found.tolist() == [[0, 1, 2], [1, 2, 2]]
        found = models.generate(Table(table), [[0], [1]], 9, temperature=0, stop_tokens=[2], pad_token=0)
        assert found.tolist() == [[0, 1, 2], [1, 2, 0]]
        assert models.generate(Table(table), [0], 0).tolist() == [0]

    def test_stream(self):
        model = small()
        found = [token.item() for token in models.stream(model, [1, 2], 12, seed=1)]
        assert found == model.generate([1, 2], 12, seed=1).tolist()[2:]

    def test_no_dropout_and_training_goes_on(self):
        model = small(dropout=0.5).train()
        model.blocks.layers[0].eval()
        found = [model.generate([1], 20, temperature=0).tolist() for _ in range(2)]
        assert found[0] == found[1]
        assert model.training
        assert model.blocks.layers[1].dropout.training
        assert not model.blocks.layers[0].training
        assert model(dt.tensor([[1]])).requires_grad

        class Around(nn.Module):
            def __init__(self):
                super().__init__()
                self.model, self.dropout = model, nn.Dropout(0.9)

            def new_decoder(self, use_cache=True):
                return models.RecurrentDecoder(self)

            def forward(self, tokens, state):
                return self.dropout(self.model(tokens)), None

        found = [models.generate(Around(), [1], 20, temperature=0).tolist() for _ in range(2)]
        assert found[0] == found[1]

    def test_prompts_and_stop_tokens_of_other_kinds(self):
        model = small()
        expected = model.generate([1, 2], 9, temperature=0, stop_tokens=(3, 4)).tolist()
        tokens = np.array([1, 2])
        for prompt in (tokens.astype(">i4"), tokens.astype(np.uint16), dt.tensor(tokens, dtype="uint8")):
            for stops in (np.array([3, 4]), dt.tensor([3, 4])):
                assert model.generate(prompt, 9, temperature=0, stop_tokens=stops).tolist() == expected

    @pytest.mark.parametrize("temperature", [1e-30, 1e-60, 5e-324])
    def test_temperatures_close_to_0_take_the_likeliest(self, temperature):
        table = Table(np.array([[0.2, 0.5, 0.3], [0.2, 0.2, 0.6], [0.4, 0.3, 0.3]]))
        expected = models.generate(table, [0], 9, temperature=0).tolist()
        assert models.generate(table, [0], 9, temperature=temperature, seed=1).tolist() == expected

    @pytest.mark.parametrize(
        ("given", "error", "message"),
        [
            (None, TypeError, "what the decoder gives must be a Tensor, got NoneType"),
            (np.zeros((1, 3)), TypeError, "must be a Tensor, got ndarray; use drivetrain.tensor"),
            (dt.zeros((3,)), ValueError, r"shape \(3,\), expected \(rows, vocabulary\) with 1 rows"),
            (dt.zeros((1, 1, 3)), ValueError, r"logits of shape \(1, 1, 3\)"),
            (dt.zeros((2, 3)), ValueError, r"logits of shape \(2, 3\)"),
            (dt.zeros((1, 0)), ValueError, r"logits of shape \(1, 0\)"),
        ],
    )
    def test_wrong_logits(self, given, error, message):
        class Wrong:
            def advance(self, tokens):
                return given

            def pick(self, rows):
                pass

        with pytest.raises(error, match=message):
            models.generate(Wrong(), [1], 3)
        with pytest.raises(error, match=message):
            models.beam_search(Wrong(), [1], 3)

    def test_threads_do_not_matter(self):
        model = small()
        on_threads(lambda: [model.generate([[1, 2]] * 4, 30, top_p=0.9, seed=2)])

    @pytest.mark.parametrize(
        ("prompt", "options", "error", "message"),
        [
            ([], {}, ValueError, r"prompt has shape \(0,\), expected at least one token"),
            ([[]], {}, ValueError, "expected at least one token"),
            ([[[1]]], {}, ValueError, r"prompt has shape \(1, 1, 1\), expected \(time,\) or \(batch, time\)"),
            ([[1, 2], [1]], {}, ValueError, "all of one length"),
            ([1.5], {}, TypeError, "prompt is float64, expected integers"),
            (["a"], {}, ValueError, "prompt must be integers"),
            ([1], {"temperature": -1}, ValueError, "temperature must be a number of at least 0"),
            ([1], {"top_k": 0}, ValueError, "top_k must be a positive integer"),
            ([1], {"top_p": 0}, ValueError, "top_p must be a number above 0 and at most 1"),
            ([1], {"stop_tokens": -1}, ValueError, "stop_tokens must be"),
            ([1], {"topk": 1}, TypeError, "there is no argument 'topk'; did you mean 'top_k'"),
            ([1], {"stop_tokens": None}, TypeError, "stop_tokens must be an integer"),
            ([1], {"pad_token": 2**63, "stop_tokens": 1}, ValueError, "pad_token must be an integer from 0"),
            ([1], {"use_cache": "no"}, TypeError, "use_cache must be True or False"),
            (np.array([2**63], np.uint64), {}, ValueError, "which is beyond int64"),
        ],
    )
    def test_wrong_input(self, prompt, options, error, message):
        with pytest.raises(error, match=message):
            models.generate(Fixed([0.0, 1.0]), prompt, 3, **options)

    def test_no_model_and_no_numbers(self):
        with pytest.raises(TypeError, match="model is a Linear, expected one with a method new_decoder"):
            models.generate(nn.Linear(2, 2), [1], 3)
        for model in (models.seq2seq(5, 5, 4, 4), models.translation_transformer(5, 5, 4, 1, 1)):
            with pytest.raises(
                TypeError, match=r"which needs a source: call its translate\(source\), or pass"
            ):
                models.generate(model, [1], 3)
            with pytest.raises(TypeError, match=r"beam_search: model is a .*, which needs a source"):
                models.beam_search(model, [1], 3)
            assert models.generate(model.new_decoder(dt.tensor([[1, 4]])), [[2]], 3).shape[0] == 1
        with pytest.raises(ValueError, match="stream: top_k must be"):
            models.stream(Fixed([0.0, 1.0]), [1], 3, top_k=0)
        with pytest.raises(ValueError, match="all of one length, got None"):
            models.generate(Fixed([0.0, 1.0]), None, 3)
        for logits in ([0.0, np.nan], [np.inf, 0.0], [-np.inf, -np.inf]):
            with pytest.raises(FloatingPointError, match="the model's logits are not finite"):
                models.generate(Fixed(logits), [1], 3)
            with pytest.raises(FloatingPointError, match="beam_search: the model's logits are not finite"):
                models.beam_search(Fixed(logits), [1], 3)


class TestRecurrent:
    def test_state_is_carried_and_picked(self):
        """A network that counts: the next token is the number of tokens so far."""

        class Counter(nn.Module):
            def forward(self, tokens, state=None):
                state = dt.zeros((1, tokens.shape[0], 1)) if state is None else state[0]
                state = state + tokens.shape[1]
                place = state[0].astype("int64")
                return 9 * dt.one_hot(place, 12), (state, state)

            def new_decoder(self, use_cache=True):
                return models.RecurrentDecoder(self)

        assert models.generate(Counter(), [5, 5, 5], 4, temperature=0).tolist() == [5, 5, 5, 3, 4, 5, 6]
        assert models.beam_search(Counter(), [5, 5, 5], 4).tokens[0, 0].tolist() == [5, 5, 5, 3, 4, 5, 6]


def every_sequence(table, start, longest, stop):
    """All sequences that end with `stop` or have the full length, with the logarithms of their chances."""
    for length in range(1, longest + 1):
        for tokens in itertools.product(range(len(table)), repeat=length):
            if stop in tokens[:-1] or (tokens[-1] != stop and length < longest):
                continue
            steps = zip((start, *tokens[:-1]), tokens, strict=True)
            yield sum(np.log(table[a, b]) for a, b in steps), tokens


class TestBeams:
    @pytest.mark.parametrize("power", [0.0, 1.0, 2.0, -1.0])
    @pytest.mark.parametrize("seed", range(4))
    def test_wide_beams_find_the_best(self, power, seed):
        table = np.random.default_rng(seed).dirichlet(np.ones(4), 4)
        found = models.beam_search(Table(table), [0], 4, beams=81, stop_tokens=3, length_penalty=power)
        expected = sorted(
            ((chance / len(tokens) ** power, tokens) for chance, tokens in every_sequence(table, 0, 4, 3)),
            reverse=True,
        )
        of = {tokens: score for score, tokens in expected}
        for j, (score, _) in enumerate(expected[:10]):
            tokens = found.tokens[0, j].tolist()[1 : 1 + found.lengths[0, j].item()]
            assert found.scores[0, j].item() == pytest.approx(score, rel=1e-4)
            assert of.pop(tuple(tokens)) == pytest.approx(score, rel=1e-4)  # each once; some are as likely

    @pytest.mark.parametrize("power", [1e3, -1e10, float("nan")])
    def test_length_penalties_that_no_float_holds(self, power):
        with pytest.raises(ValueError, match="must be a finite number whose power of 9 is one too"):
            small().beam_search([1], 9, length_penalty=power)

    def test_one_beam_is_greedy(self):
        model = small()
        greedy = model.generate([[1, 2], [3, 4]], 10, temperature=0)
        assert model.beam_search([[1, 2], [3, 4]], 10, beams=1).tokens[:, 0].tolist() == greedy.tolist()

    def test_better_than_greedy(self):
        """The likelier first step leads to unlikely ones."""
        table = np.array([[0.01, 0.55, 0.44], [0.34, 0.33, 0.33], [0.01, 0.01, 0.98]])
        assert models.generate(Table(table), [0], 2, temperature=0).tolist() == [0, 1, 0]
        assert models.beam_search(Table(table), [0], 2, beams=2).tokens[0, 0].tolist() == [0, 2, 2]

    def test_a_batch_is_as_each_alone(self):
        model = small()
        options = {"beams": 3, "stop_tokens": 6, "pad_token": 0}
        prompts = [[1, 2], [3, 4], [5, 1]]
        for use_cache in (True, False):
            together = model.beam_search(prompts, 12, use_cache=use_cache, **options)
            for i, prompt in enumerate(prompts):
                alone = model.beam_search(prompt, 12, **options)
                np.testing.assert_allclose(together.scores[i], alone.scores[0], atol=1e-4)
                width = alone.tokens.shape[2]
                assert together.tokens[i, :, :width].tolist() == alone.tokens[0].tolist()

    def test_scores_are_those_of_the_model(self):
        model = small()
        found = model.beam_search([1, 2], 6, beams=4, length_penalty=0.0)
        logits = dt.log_softmax(model(found.tokens[0])[:, 1:-1]).detach().numpy()
        chosen = np.take_along_axis(logits, found.tokens[0].numpy()[:, 2:, None], axis=-1)
        np.testing.assert_allclose(found.scores[0], chosen.sum(axis=(1, 2)), atol=1e-4)
        assert (np.diff(found.scores[0].numpy()) <= 0).all()

    def test_fewer_sequences_than_beams(self):
        found = models.beam_search(Fixed([0.0, -np.inf]), [0], 2, beams=3)
        assert found.scores[0].tolist() == [0.0, -np.inf, -np.inf]
        assert found.lengths[0].tolist() == [2, 0, 0]

    def test_wrong_input(self):
        with pytest.raises(ValueError, match="beams must be a positive integer"):
            models.beam_search(Fixed([0.0]), [0], 2, beams=0)
        with pytest.raises(ValueError, match="max_new_tokens must be a positive integer"):
            models.beam_search(Fixed([0.0]), [0], 0)
        with pytest.raises(ValueError, match="length_penalty must be"):
            models.beam_search(Fixed([0.0]), [0], 2, length_penalty=np.inf)
