"""Transformers that classify and translate: parameters, padding, files, learning, search."""

from __future__ import annotations

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import io, models, nn
from drivetrain.io.describe import describe
from drivetrain.io.sizes import elements_of


def size_of(model):
    return sum(parameter.size for parameter in model.parameters())


def classifier(**options):
    dt.manual_seed(0)
    return models.transformer_classifier(
        **{"vocab_size": 11, "classes": 3, "width": 8, "heads": 2, "context_length": 16, **options}
    ).eval()


def translator(**options):
    dt.manual_seed(0)
    return models.translation_transformer(
        **{"vocab_size": 9, "width": 16, "layers": 2, "heads": 2, "dropout": 0.0, **options}
    ).eval()


class TestClassifier:
    def test_parameters(self):
        width, layers = 128, 2
        expected = (
            1000 * width + 512 * width + layers * (12 * width**2 + 13 * width) + 2 * width + 2 * (width + 1)
        )
        assert size_of(models.transformer_classifier(1000, 2)) == expected

    @pytest.mark.parametrize("options", [{}, {"pooling": "first"}, {"positions": "sinusoidal"}])
    def test_padding_changes_nothing(self, options):
        model = classifier(**options)
        text = [4, 7, 2]
        alone = model(dt.tensor([text])).detach().numpy()
        padded = dt.tensor([[*text, 0, 0], [1, 2, 3, 4, 5]])
        np.testing.assert_allclose(model(padded).detach().numpy()[:1], alone, atol=1e-5)
        other = dt.tensor([[*text, 9, 9], [1, 2, 3, 4, 5]])
        found = model(other, dt.tensor([3, 5])).detach().numpy()
        np.testing.assert_allclose(found[:1], alone, atol=1e-5)
        assert not np.allclose(model(other).detach().numpy()[:1], alone, atol=1e-5) or "pooling" in options

    def test_nothing_but_padding(self):
        model = classifier()
        out = model(dt.zeros((2, 4), dtype="int64"))
        np.testing.assert_allclose(
            out.detach().numpy(), np.tile(model.head.bias.detach().numpy(), (2, 1)), atol=1e-6
        )
        assert model(dt.zeros((2, 4), dtype="int64"), dt.tensor([0, 4])).shape == (2, 3)
        out.sum().backward()
        assert all(p.grad is None or np.isfinite(p.grad.numpy()).all() for p in model.parameters())

    def test_it_learns_resumes_and_comes_back(self, tmp_path):
        """Which of three tokens stands in the text."""
        rng = np.random.default_rng(0)
        x = rng.integers(4, 11, (192, 8))
        y = rng.integers(0, 3, 192)
        x[np.arange(192), rng.integers(0, 8, 192)] = 1 + y

        def trained(epochs, resume=None):
            dt.manual_seed(0)
            model = classifier(width=16, dropout=0.1)
            trainer = dt.train.Trainer(
                model, loss="cross_entropy", optimizer=dt.optim.Adam(model.parameters(), lr=1e-2), seed=1
            )
            trainer.fit(x, y, epochs=epochs, batch_size=32, verbose=0, resume=resume)
            trainer.save_checkpoint(tmp_path / "run.safetensors")
            return model

        whole = trained(8)
        with dt.no_grad():
            assert (whole.eval()(dt.tensor(x)).argmax(axis=-1).numpy() == y).mean() > 0.95
        trained(3)
        again = trained(8, tmp_path / "run.safetensors")
        for name, value in again.state_dict().items():
            assert value.numpy().tobytes() == whole.state_dict()[name].numpy().tobytes()
        whole.save(tmp_path / "model.safetensors")
        loaded = io.load_model(tmp_path / "model.safetensors")
        with dt.no_grad():
            assert np.array_equal(loaded(dt.tensor(x)), whole.eval()(dt.tensor(x)))

    def test_new_head(self):
        model = classifier()
        models.replace_head(model, 5)
        assert model(dt.ones((1, 3), dtype="int64")).shape == (1, 5)
        assert describe(model)["args"][:2] == [11, 5]
        model = models.TransformerClassifier(11, classes=3, width=8, heads=2)
        models.replace_head(model, 5)
        assert describe(model)["kwargs"]["classes"] == 5

    def test_wrong_input(self):
        model = classifier()
        with pytest.raises(ValueError, match=r"tokens has shape \(3,\), expected \(batch, time\)"):
            model(dt.tensor([1, 2, 3]))
        with pytest.raises(ValueError, match=r"lengths has shape \(3,\), expected \(1,\), one per sequence"):
            model(dt.tensor([[1, 2, 3]]), dt.tensor([1, 2, 3]))
        for lengths in ([4], [-1]):
            with pytest.raises(ValueError, match=r"lengths has -?\d for sequence 0, expected 0 to 3"):
                model(dt.tensor([[1, 2, 3]]), dt.tensor(lengths))
        with pytest.raises(ValueError, match=r"positions up to 17 .* but max_length is 16"):
            model(dt.ones((1, 17), dtype="int64"))
        with pytest.raises(TypeError, match="there is no argument 'vocabulary'"):
            models.transformer_classifier(vocabulary=3, classes=2)


class TestTranslation:
    @pytest.mark.parametrize(("target", "tables"), [(None, 8000), (6000, 14000)])
    def test_parameters(self, target, tables):
        width, layers = 256, 3
        expected = tables * width + layers * (28 * width**2 + 32 * width) + 4 * width
        assert size_of(models.translation_transformer(8000, target)) == expected

    @pytest.mark.parametrize(
        "options", [{}, {"target_vocab_size": 7}, {"norm_first": True, "activation": "gelu"}]
    )
    def test_padding_and_files(self, options, tmp_path):
        model = translator(**options)
        source, target = [4, 5, 6, 3], [2, 4, 5]
        alone = model(dt.tensor([source]), dt.tensor([target]))
        together = model(dt.tensor([[*source, 0, 0], [1] * 6]), dt.tensor([[*target, 0], [2] * 4]))
        np.testing.assert_allclose(together.detach().numpy()[:1, :3], alone.detach().numpy(), atol=2e-5)
        model.save(tmp_path / "model.safetensors")
        again = io.load_model(tmp_path / "model.safetensors")
        assert np.array_equal(again(dt.tensor([source]), dt.tensor([target])).detach(), alone.detach())
        elements = elements_of(type(model), *model._constructor)
        assert size_of(model) / 2 < elements <= size_of(model)

    def test_beside_pytorch(self):
        torch = pytest.importorskip("torch")
        model = translator()
        theirs = torch.nn.Transformer(16, 2, 2, 2, 64, 0.0, batch_first=True).eval()
        theirs.load_state_dict(
            {k: torch.tensor(v.numpy()) for k, v in model.transformer.state_dict().items()}
        )
        source, target = np.array([[4, 5, 6, 3], [7, 3, 0, 0]]), np.array([[2, 4, 5], [2, 6, 0]])
        table = model.tokens.weight.detach().numpy()
        positions = nn.SinusoidalPositions(16)(dt.zeros((1, 4, 16))).numpy()
        inputs = [torch.tensor(4 * table[t] + positions[:, : t.shape[1]]) for t in (source, target)]
        padding = torch.tensor(source == 0)
        expected = theirs(
            *inputs,
            tgt_mask=torch.nn.Transformer.generate_square_subsequent_mask(3),
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        expected = expected.detach().numpy() @ table.T
        np.testing.assert_allclose(
            model(dt.tensor(source), dt.tensor(target)).detach().numpy(), expected, atol=1e-4
        )

    def test_it_learns_to_turn_around(self):
        dt.manual_seed(0)
        rng = np.random.default_rng(0)
        model = models.translation_transformer(10, width=32, layers=1, heads=4, dropout=0.0, norm_first=True)
        source, target = np.zeros((512, 6), int), np.zeros((512, 7), int)
        target[:, 0] = 2
        for i in range(512):
            words = rng.integers(4, 10, rng.integers(2, 6))
            source[i, : len(words)] = words
            target[i, 1 : len(words) + 2] = [*words[::-1], 3]
        trainer = dt.train.Trainer(
            model,
            loss=nn.CrossEntropyLoss(ignore_index=0),
            optimizer=dt.optim.Adam(model.parameters(), lr=3e-3),
            seed=0,
        )
        trainer.fit((source, target[:, :-1]), target[:, 1:], epochs=25, batch_size=32, verbose=0)
        expected = [[token for token in row if token > 3] for row in target[:64].tolist()]
        for options in ({}, {"beams": 1}, {"use_cache": False}):
            found = model.translate(source[:64], **options)
            right = sum(one == other for one, other in zip(found, expected, strict=True))
            assert right >= 60, (options, right)
        assert model.translate([4, 5, 6]) == [[6, 5, 4]]
        assert model.translate([[4, 5, 6], [7, 8]]) == [[6, 5, 4], [8, 7]]
        assert model.translate([[4, 5, 6], []])[0] == [6, 5, 4]  # of nothing it makes something

    def test_summary(self):
        lines = []
        translator().summary([(7,), (5,)], dtype="int64", print_fn=lines.append)
        assert "transformer.decoder.layers.1.multihead_attn" in lines[0]
        assert "(None, 5, 16)" in lines[0]

    def test_wrong_input(self):
        with pytest.raises(
            ValueError, match="stop_token is 9, but the target's vocabulary has tokens up to 8"
        ):
            translator(stop_token=9)
        with pytest.raises(ValueError, match=r"prompt has shape \(1, 0\)|at least one token"):
            translator().translate([[]])
        with pytest.raises(ValueError, match=r"source|tokens has shape \(3,\)"):
            translator()(dt.tensor([1, 2, 3]), dt.tensor([[1]]))
