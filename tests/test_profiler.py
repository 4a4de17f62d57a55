"""The profiler: phases, layers and ops with their times and memory, and no trace of it afterwards."""

import json
import os
import threading

import numpy as np
import pytest

import drivetrain as dt
import drivetrain._core as drivetrain_core
from drivetrain import nn, optim
from drivetrain.data import ArrayDataset, DataLoader
from drivetrain.profiler import profile
from drivetrain.profiler.record import BACKWARD_OF, OP, Event, phases, rows_of
from trainer_tools import X, Y, classifier, same, weights


def by_name(rows):
    return {row.name: row for row in rows}


def lenet():
    dt.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2))
    return nn.Sequential(features, nn.Flatten(), nn.Linear(4 * 5 * 5, 3))


class TestFit:
    def test_phases_layers_and_ops(self):
        trainer = classifier(metrics=["accuracy"])
        with profile() as p:
            trainer.fit(X, Y, 30, epochs=2, verbose=0, validation_data=(X, Y))
        found = by_name(p.phases())
        assert list(found) == [
            "data", "forward", "backward", "update", "checks", "metrics", "callbacks", "other"
        ]  # fmt: skip
        assert all(row.own > 0 for row in found.values())
        assert sum(row.own for row in found.values()) == pytest.approx(p.seconds)
        assert found["backward"].calls == 6
        layers = by_name(p.layers())
        assert list(layers) == ["Sequential", "0 (Linear) + ReLU", "2 (Linear)", "CrossEntropyLoss"]
        # Six batches of training and eight of two validations.
        assert [row.calls for row in layers.values()] == [12, 12, 12, 12]
        assert layers["2 (Linear)"].backward > 0
        ops = by_name(p.ops())
        assert ops["linear backward"].calls == 12
        assert ops["accumulate gradient"].calls == 24

    def test_it_changes_nothing(self):
        first, second = classifier(), classifier()
        first.fit(X, Y, epochs=2, verbose=0)
        with profile():
            second.fit(X, Y, epochs=2, verbose=0)
        assert same(weights(first), weights(second))

    @pytest.mark.parametrize(
        "options",
        [{"precision": "float16"}, {"accumulate_grad_batches": 2, "gradient_clip_val": 1.0}, {"seed": 0}],
    )
    def test_updates_are_updates(self, options):
        trainer = classifier(**options)
        with profile() as p:
            trainer.fit(X, Y, 45, epochs=1, verbose=0)
        kernel = next(i for i, event in enumerate(p.events) if event.name.startswith("sgd_step"))
        outer = p.events[kernel].parent
        while p.events[outer].name not in ("data", "forward", "update"):
            outer = p.events[outer].parent
        assert p.events[outer].name == "update"


class TestOwnLoop:
    def run(self, model, optimizer, loader):
        for x, y in loader:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    @pytest.mark.parametrize("hook", [False, True])
    def test_phases(self, hook):
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        optimizer = optim.Adam(model.parameters())
        if hook:
            optimizer.register_step_post_hook(lambda *arguments: None)
        loader = DataLoader(ArrayDataset(X, Y), 30)
        with profile() as p:
            self.run(model, optimizer, loader)
        found = by_name(p.phases())
        assert list(found) == ["data", "forward", "backward", "update", "other"]
        assert found["data"].calls == 4  # the last finds the end
        assert found["forward"].calls == 6  # model and loss
        assert found["update"].calls >= 6  # zero_grad and step
        events = [event for event in p.events if event.name.startswith("adam_step")]
        assert len(events) == 3
        # Backward lies within backward, the kernel of the step in the update.
        assert {p.events[event.parent].name for event in events} <= {"update"}

    def test_backward_belongs_to_the_layer_that_recorded_it(self):
        class Twice(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = nn.Linear(4, 4)

            def forward(self, x):
                return self.inner(x).exp()

        model = nn.Sequential(Twice(), nn.Linear(4, 3))
        with profile() as p:
            nn.functional.cross_entropy(model(dt.tensor(X)), dt.tensor(Y)).backward()
        rows = by_name(p.layers())
        assert list(rows) == ["Sequential", "0 (Twice)", "0.inner (Linear)", "1 (Linear)"]
        backward = {event.name: event.seconds for event in p.events if event.kind == BACKWARD_OF}
        inside = [event.seconds for event in p.events if event.name == "linear backward"]
        assert rows["1 (Linear)"].backward == pytest.approx(inside[0])
        assert rows["0.inner (Linear)"].backward == pytest.approx(inside[1])
        assert rows["0 (Twice)"].backward == pytest.approx(inside[1] + backward["exp backward"])
        total = rows["0 (Twice)"].backward + rows["1 (Linear)"].backward
        assert rows["Sequential"].backward == pytest.approx(total)

    def test_memory(self):
        with profile() as p:
            kept = dt.zeros((1000, 1000))
            dt.exp(kept)
        rows = by_name(p.ops())
        assert 4_000_000 <= rows["zeros"].memory < 4_100_000
        assert 4_000_000 <= rows["exp"].memory < 4_100_000
        with profile() as p:
            model = nn.Linear(100, 100)
            model(kept[:, :100]).sum().backward()
        assert by_name(p.layers())["Linear"].memory >= 400_000
        assert by_name(p.phases())["backward"].memory < 0

    def test_layers_that_are_computed_with_their_relu_still_are(self):
        model, x = lenet(), dt.rand((2, 12, 12, 1))
        plain = model(x).detach().numpy()
        with profile() as p:
            assert np.array_equal(model(x).detach().numpy(), plain)
        assert "0.0 (Conv2d) + ReLU" in by_name(p.layers())
        assert "relu" not in by_name(p.ops())

    def test_a_sequential_that_changes_meanwhile(self):
        model = lenet()
        with profile() as p:
            model(dt.rand((2, 12, 12, 1)))
            model[2] = nn.Linear(100, 5)
            assert model(dt.rand((2, 12, 12, 1))).shape == (2, 5)
        assert by_name(p.layers())["Sequential"].calls == 2
        assert model(dt.rand((2, 12, 12, 1))).shape == (2, 5)

    def test_errors_pass_and_leave_no_layer_open(self):
        model = lenet()
        with profile() as p:
            with pytest.raises(ValueError, match=r"in layer '0.0' \(Conv2d\)"):
                model(dt.rand((2, 12, 12, 3)))
            dt.exp(dt.ones(3))
        assert p.events[-1].name == "exp"
        assert p.events[-1].parent == -1

    def test_checkpointed_layers(self):
        layer = nn.Linear(4, 4)
        with profile() as p:
            dt.checkpoint(layer, dt.rand((3, 4)).requires_grad_()).sum().backward()
        assert by_name(p.layers())["Linear"].calls == 2
        found = by_name(p.phases())
        assert sum(row.own for row in found.values()) == pytest.approx(p.seconds)


class TestPlace:
    def test_nothing_is_left_behind(self):
        from drivetrain.train.batch import BatchTraining

        watched = [(nn.Module, "__call__"), (optim.Optimizer, "zero_grad"), (DataLoader, "__iter__")]
        watched += [(optim.Optimizer, "step"), (BatchTraining, "_forward")]
        before = [vars(owner)[name] for owner, name in watched]
        model = lenet()
        steps = model._plan()
        with pytest.raises(ValueError, match="channels"), profile():
            model(dt.rand((2, 12, 12, 3)))
        assert [vars(owner)[name] for owner, name in watched] == before
        assert model._plan()[0].layer is steps[0].layer
        assert model[0]._plan()[0].fused.__self__ is model[0][0]

    def test_one_at_a_time(self):
        with profile(), pytest.raises(RuntimeError, match="another profile is running"), profile():
            pass
        with profile() as p:
            dt.exp(dt.ones(3))
        assert len(p.events) == 2

    def test_without_layers(self):
        with profile(layers=False) as p:
            lenet()(dt.rand((2, 12, 12, 1)))
        assert p.layers() == []
        assert "conv2d" in by_name(p.ops())

    def test_limit(self):
        with profile(limit=10) as p:
            for _ in range(20):
                dt.ones(3)
        assert len(p.events) == 9  # and the one that it begins with
        assert p.dropped == 11
        assert "11 more were not recorded" in p.table()
        for limit in (0, 1.5, True):
            with pytest.raises((ValueError, TypeError), match=f"limit must be an integer .*got {limit}"):
                profile(limit=limit)

    def test_threads(self):
        def work():
            for _ in range(50):
                dt.exp(dt.ones((10,)))

        with profile() as p:
            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert by_name(p.ops())["exp"].calls == 150
        assert all(p.events[e.parent].thread == e.thread for e in p.events if e.parent >= 0)
        # Phases are those of the thread that has entered the profile.
        assert [row.name for row in p.phases()] == ["other"]

    def test_a_forked_child_is_not_recorded(self):
        with profile() as p:
            dt.ones(3)
            child = os.fork()
            if child == 0:
                for _ in range(100):
                    dt.exp(dt.ones(3))
                os._exit(7 if drivetrain_core._profile_begin("x", "phase") == -1 else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert [event.name for event in p.events] == ["ones"]


class TestOutput:
    def test_table(self):
        trainer = classifier()
        with profile() as p:
            trainer.fit(X, Y, 30, verbose=0)
        text = p.table(limit=2)
        assert str(p) == p.table()
        assert text.count("... and") == 2
        for word in ("phase", "layer", "op", "backward", "in all"):
            assert word in text
        for order in ("own", "total", "mean", "calls", "memory", "name"):
            assert p.table(sort_by=order)
        names = [line.split("  ")[0] for line in p.table("name", 100).splitlines()]
        ops = names[[name.strip() for name in names].index("op") + 2 :]
        assert [name.strip() for name in ops] == sorted(name.strip() for name in ops)
        with pytest.raises(ValueError, match=r"sort_by must be one of .*got 'time'"):
            p.table("time")

    def test_chrome_trace(self, tmp_path):
        with profile() as p:
            dt.exp(dt.ones((100, 100), requires_grad=True)).sum().backward()
        p.export_chrome_trace(tmp_path / "trace.json")
        found = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
        spans = [event for event in found if event["ph"] == "X"]
        assert len(spans) == len(p.events)
        assert {"exp", "exp backward", "sum", "backward"} <= {event["name"] for event in spans}
        assert all(event["ts"] >= 0 and event["dur"] >= 0 for event in spans)
        assert max(e["args"]["bytes"] for e in found if e["ph"] == "C") > 40_000


def event(name, kind, start, end, parent=-1, **options):
    defaults = {"thread": 0, "change": 0, "in_use": 0, "first": 0, "last": 0}
    return Event(name, kind, start, end, parent=parent, **defaults | options)


class TestArithmetic:
    def test_own_times(self):
        events = [event("a", OP, 0, 10, change=8), event("b", OP, 2, 5, 0, change=3), event("b", OP, 3, 4, 1)]
        rows = by_name(rows_of(events, {0, 1, 2}))
        assert (rows["a"].total, rows["a"].own, rows["a"].memory) == (10, 7, 5)
        assert (rows["b"].calls, rows["b"].total, rows["b"].own, rows["b"].memory) == (2, 3, 3, 3)

    def test_phases_add_up(self):
        events = [
            event("update", 4, 0, 4),
            event("adam_step", OP, 1, 3, 0),
            event("backward", 2, 5, 9),
            event("Linear", 3, 6, 7, 2),
            event("callbacks", 4, 10, 20),
            event("Linear", 3, 12, 15, 4),
            event("exp", OP, 25, 26),
            event("exp", OP, 27, 29, thread=1),
        ]
        rows = {row.name: row.own for row in phases(events, 30.0, 0)}
        assert rows == {"forward": 4, "backward": 4, "update": 4, "callbacks": 7, "other": 11}


def test_an_end_without_a_beginning_is_refused():
    with pytest.raises(RuntimeError, match="profile: it ends, but has not begun"):
        profile().__exit__(None, None, None)
