"""What writing costs: the cache, batches, and training beside PyTorch's own decoder.

    python benchmarks/generation.py

Ratios are medians over interleaved rounds of the same process. The decoder is a small one, of the
size that a recipe gets by default but for its depth: width 256, 4 layers, 8 heads, 2,000 tokens.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from polymodal.batch import Field, Fused
from polymodal.heads import TransformerDecoder
from polymodal.heads.generation import END
from polymodal.transformer import sinusoidal_positions

WIDTH, LAYERS, HEADS, VOCABULARY = 256, 4, 8, 2000
LENGTH, READ, BATCH, ROUNDS = 128, 49, 16, 7


def fused(rows: int) -> Fused:
    tokens = torch.randn(rows, READ, WIDTH)
    return Fused(tokens[:, 0], tokens, torch.ones(rows, READ, dtype=torch.bool))


def decoder() -> TransformerDecoder:
    torch.manual_seed(0)
    head = TransformerDecoder(WIDTH, VOCABULARY, LENGTH, layers=LAYERS, heads=HEADS, dropout=0.0)
    with torch.no_grad():
        head.bias[END] = -1e4  # every text is of full length
    return head


def without_cache(head: TransformerDecoder, read: Tensor) -> None:
    """The same greedy text, the whole of it read again at each step."""
    x, mask = read[..., :-1], read[..., -1] > 0.5
    symbols = torch.full((len(read), 1), END)
    for _ in range(LENGTH):
        logits = head.logits(head.teach(x, mask, symbols)[:, -1])
        symbols = torch.cat([symbols, logits.argmax(-1, keepdim=True)], 1)


class Bare(nn.Module):
    """A decoder as one writes it with PyTorch's own layers."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerDecoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True,
            norm_first=True,
        )  # fmt: skip
        self.layers = nn.TransformerDecoder(layer, LAYERS, nn.LayerNorm(WIDTH))
        self.embedding = nn.Embedding(1 + VOCABULARY, WIDTH)
        self.read = nn.Linear(WIDTH, WIDTH)
        self.positions = sinusoidal_positions(LENGTH + 1, WIDTH)

    def loss(self, tokens: Tensor, symbols: Tensor) -> Tensor:
        start = torch.full_like(symbols[:, :1], END)
        before, after = torch.cat([start, symbols], 1), torch.cat([symbols, start], 1)
        x = self.embedding(before) * WIDTH**0.5 + self.positions
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        known = self.layers(x, self.read(tokens), tgt_mask=mask, tgt_is_causal=True)
        logits = known @ self.embedding.weight.T
        return nn.functional.cross_entropy(logits.flatten(0, 1), after.flatten())


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratios(slow: Callable[[], object], fast: Callable[[], object]) -> tuple[float, float, float]:
    """Medians of both times, and of their ratio round by round."""
    slow(), fast()
    pairs = [(timed(slow), timed(fast)) for _ in range(ROUNDS)]
    return (
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


def training_step(
    loss: Callable[[], Tensor], parameters: list[nn.Parameter]
) -> Callable[[], object]:
    optimizer = torch.optim.AdamW(parameters, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def main() -> None:
    head = decoder().eval()
    with torch.inference_mode():
        one, many = head(fused(1)), head(fused(BATCH))
        for rows, read in ((1, one), (BATCH, many)):
            slow, fast, ratio = ratios(
                lambda read=read: without_cache(head, read), lambda read=read: head.answer(read)
            )
            print(
                f"cache, batch of {rows}: {rows * LENGTH / fast:,.0f} tokens/s with it, "
                f"{rows * LENGTH / slow:,.0f} without: {ratio:.1f} times (wanted: 3)"
            )

        def row_by_row() -> None:
            for row in range(BATCH):
                head.answer(many[row : row + 1])

        slow, fast, ratio = ratios(row_by_row, lambda: head.answer(many))
        print(f"batch of {BATCH}: {ratio:.1f} times a loop over single rows (wanted: 4)")

    ours, bare = decoder().train(), Bare()
    rows = fused(BATCH)
    truth = torch.randint(0, VOCABULARY, (BATCH, LENGTH))
    target = Field(truth, torch.ones(BATCH, dtype=torch.bool))
    step = training_step(
        lambda: ours.loss(ours(rows), target)["cross_entropy"], list(ours.parameters())
    )
    other = training_step(lambda: bare.loss(rows.tokens, truth + 1), list(bare.parameters()))
    mine, plain, ratio = ratios(step, other)
    print(
        f"training: {mine * 1e3:.0f} ms a step, nn.TransformerDecoder {plain * 1e3:.0f} ms: "
        f"{ratio:.2f} times (wanted: at most 1.1)"
    )


if __name__ == "__main__":
    main()
