"""Language models."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.libraries import Job

from .kernels import arrays, compiled, make_optimizer


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inward = nn.Linear(width, 3 * width)
        self.outward = nn.Linear(width, width)
        self.cache: tuple[torch.Tensor, torch.Tensor] | None = None

    def forward(self, x: torch.Tensor, at: Any = None) -> torch.Tensor:
        """`at`: where the one position of `x` stands, a number, or a tensor where shapes must not change."""
        batch, time, width = x.shape
        parts = self.inward(x).view(batch, time, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        if at is None:
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        elif isinstance(at, torch.Tensor):
            for kept, new in zip(self.cache, (k, v), strict=True):
                kept.index_copy_(2, at, new)
            mask = torch.arange(self.cache[0].shape[2])[None] <= at[:, None]
            out = F.scaled_dot_product_attention(q, *self.cache, attn_mask=mask)
        else:
            for kept, new in zip(self.cache, (k, v), strict=True):
                kept[:, :, at : at + 1] = new
            out = F.scaled_dot_product_attention(q, *(kept[:, :, : at + 1] for kept in self.cache))
        return self.outward(out.transpose(1, 2).reshape(batch, time, width))


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2, self.linear1 = nn.LayerNorm(width), nn.Linear(width, 4 * width)
        self.linear2 = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor, at: Any = None) -> torch.Tensor:
        x = x + self.attention(self.norm1(x), at)
        return x + self.linear2(F.gelu(self.linear1(self.norm2(x))))


class GPT(nn.Module):
    def __init__(self, o: dict[str, Any], state: dict[str, Any]) -> None:
        super().__init__()
        self.tokens = nn.Embedding(o["vocabulary"], o["width"])
        self.positions = nn.Embedding(o["context"], o["width"])
        self.blocks = nn.ModuleList(Block(o["width"], o["heads"]) for _ in range(o["layers"]))
        self.norm = nn.LayerNorm(o["width"])
        names = (
            ("blocks.layers.", "blocks."),
            ("blocks.norm.", "norm."),
            ("self_attn.in_proj_", "attention.inward."),
            ("self_attn.out_proj.", "attention.outward."),
        )
        renamed = {}
        for name, value in state.items():
            for ours, theirs in names:
                name = name.replace(ours, theirs)
            renamed[name] = torch.from_numpy(value)
        self.load_state_dict(renamed)

    def forward(self, tokens: torch.Tensor, at: Any = None) -> torch.Tensor:
        """The logits behind the last token."""
        return self.norm(self.hidden(tokens, at)[:, -1]) @ self.tokens.weight.T

    def hidden(self, tokens: torch.Tensor, at: Any = None) -> torch.Tensor:
        if at is None:
            places = self.positions.weight[: tokens.shape[1]]
        elif isinstance(at, torch.Tensor):
            places = self.positions(at)
        else:
            places = self.positions.weight[at : at + 1]
        x = self.tokens(tokens) + places
        for block in self.blocks:
            x = block(x, at)
        return x

    def new_cache(self, o: dict[str, Any]) -> None:
        shape = (1, o["heads"], o["context"], o["width"] // o["heads"])
        for block in self.blocks:
            block.attention.cache = (torch.zeros(shape), torch.zeros(shape))


def generation(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    model = GPT(o, data["state"]).eval()
    compiled = mode.startswith("compile")
    run: Any = torch.compile(model) if compiled else model

    @torch.inference_mode()
    def step() -> torch.Tensor:
        tokens = torch.zeros((1, 1), dtype=torch.int64)
        new = tokens
        if o["use_cache"]:
            model.new_cache(o)
        for at in range(o["tokens"]):
            given = (new, torch.tensor([at]) if compiled else at) if o["use_cache"] else (tokens,)
            logits = run(*given)
            new = logits.argmax(dim=-1, keepdim=True)
            tokens = torch.cat([tokens, new], dim=1)
        return tokens

    return Job(step, arrays)


def gpt(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    model, half = GPT(o, data["state"]), o.get("half")
    tokens, targets = torch.from_numpy(data["tokens"]), torch.from_numpy(data["targets"]).reshape(-1)
    optimizer = make_optimizer(
        {**o, "optimizer": "AdamW", "options": {"weight_decay": o["decay"]}}, model.parameters(), mode
    )

    def forward() -> torch.Tensor:
        with torch.autocast("cpu", getattr(torch, half or "bfloat16"), enabled=half is not None):
            logits = F.linear(model.norm(model.hidden(tokens)), model.tokens.weight)
            return F.cross_entropy(logits.reshape(-1, o["vocabulary"]), targets)

    run = compiled(forward, mode)

    def step() -> Any:
        optimizer.zero_grad()
        loss = run()
        loss.backward()
        optimizer.step()
        return loss

    return Job(step, arrays)


def attention(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    dtype = getattr(torch, o.get("half") or "float32")
    inputs = [torch.from_numpy(data[name]).to(dtype).requires_grad_() for name in ("query", "key", "value")]
    grad = torch.from_numpy(data["grad"]).to(dtype)

    def attend(*inputs: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(*(t.transpose(1, 2) for t in inputs), is_causal=True)

    run = compiled(attend, mode)

    def step() -> Any:
        for t in inputs:
            t.grad = None
        output = run(*inputs).transpose(1, 2)
        output.backward(grad)
        return output, *(t.grad for t in inputs)

    return Job(step, lambda values: [v.detach().float().numpy() for v in values])  # these are no images


BUILD = {"generation": generation, "gpt": gpt, "attention": attention}
