"""What the package brings with it, its names and their arguments, and what the import costs."""

import pytest

import drivetrain as dt
from interpreter_tools import run


class TestImport:
    def test_nothing_optional_is_imported(self):
        code = """
            import sys, drivetrain
            print(sorted({name.partition(".")[0] for name in sys.modules} & {
                "torch", "sklearn", "matplotlib", "PIL", "pandas", "scipy", "tqdm", "safetensors", "h5py",
                "jieba", "snowballstemmer", "tokenizers"}))
        """
        assert run(code) == "[]"

    def test_subpackages_come_when_used(self):
        code = """
            import sys, drivetrain as dt
            heavy = {"data", "datasets", "estimators", "io", "metrics", "models", "nn", "optim", "profiler"}
            heavy |= {"text", "train"}
            assert not {name for name in heavy if "drivetrain." + name in sys.modules}
            for name in heavy & set(dir(dt)):
                assert getattr(dt, name).__name__ == "drivetrain." + name
            print(len(heavy & set(dir(dt))))
        """
        assert int(run(code)) > 0

    def test_the_namespace(self):
        assert "numpy" not in dir(dt)
        assert not [name for name in dir(dt) if name.startswith("_") and name != "__version__"]
        assert all(hasattr(dt, name) for name in dir(dt))
        with pytest.raises(AttributeError, match="module 'drivetrain' has no attribute 'nothing'"):
            _ = dt.nothing

    def test_it_is_cheap(self):
        code = """
            import numpy, time
            start = time.process_time()  # what others on the machine do does not count
            import drivetrain
            print(time.process_time() - start)
        """
        assert min(float(run(code)) for _ in range(5)) < 0.1

    def test_signatures_show_in_the_help(self):
        import inspect

        assert str(inspect.signature(dt.tensor)) == "(data, dtype=None, requires_grad=False)"
        assert str(inspect.signature(dt.Tensor.astype)) == "(self, /, dtype, copy=True)"
        assert str(inspect.signature(dt.ones)) == "(shape, *, dtype='float32', requires_grad=False)"
        assert dt.tensor.__doc__.startswith("Makes a tensor")
        for name, function in vars(dt).items():
            if inspect.isbuiltin(function) and name in dt._core._signatures:
                inspect.signature(function)


def test_unknown_arguments_name_the_right_ones():
    with pytest.raises(TypeError, match="softmax: unknown argument 'dim'; here it is called 'axis'"):
        dt.softmax(dt.rand(3), dim=0)
    with pytest.raises(TypeError, match="tensor: unknown argument 'copy'; the arguments are: data, dtype"):
        dt.tensor([1], copy=True)
    with pytest.raises(TypeError, match="tensor: missing argument 'data'"):
        dt.tensor()
    with pytest.raises(TypeError, match="get_isa: takes at most 0 positional arguments, got 1"):
        dt.get_isa(1)
