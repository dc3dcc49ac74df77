"""An LSTM that writes a text.

Letters: B rows · S tokens that are read · T symbols of a text · D width · N layers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polymodal.errors import RecipeError
from polymodal.heads.autoregressive import OwnDecoder
from polymodal.heads.decoding import State
from polymodal.heads.generation import Decoding


class LstmDecoder(OwnDecoder):
    """The classic captioner: an LSTM that sees the row's vector and the last token at each step.

    "Show and Tell" (Vinyals et al. 2015, https://arxiv.org/abs/1411.4555), with the vector at
    every step; with ``attention``, what it says is looked up among the fused tokens, too (Luong
    et al. 2015, https://arxiv.org/abs/1508.04025).

    When to choose it: short texts, little data, a CPU, or as the plain reference beside
    :class:`TransformerDecoder`.

    Args:
        width: size of the fused vector and tokens, and of the LSTM.
        vocabulary: number of token ids.
        length: most tokens of a text.
        layers: LSTM layers.
        attention: look at the fused tokens at each step; without, the fused vector is all it sees.
        dropout: chance that a value is dropped in training.
        label_smoothing: share of the target probability spread over all tokens, 0 to below 1.
        beams: texts followed side by side; 1 takes the likeliest token at each step.
        length_penalty: exponent of a text's length when beams are compared; 0 favours short ones.
        temperature: 0 takes the likeliest token; above 0, tokens are drawn at random.
        top_k: tokens that may be drawn, the likeliest ones; 0 for all.
        top_p: tokens are drawn from the likeliest ones that hold this share of the probability.

    Raises:
        RecipeError: a size or share is out of range.

    Example:
        >>> from polymodal.batch import Field, Fused
        >>> head = LstmDecoder(8, vocabulary=20, length=5).eval()
        >>> vector = torch.randn(2, 8)
        >>> read = head(Fused(vector, vector[:, None], torch.ones(2, 1, dtype=torch.bool)))
        >>> target = Field(torch.tensor([[3, 4], [5, 6]]), torch.tensor([True, True]))
        >>> head.loss(read, target)["cross_entropy"].shape, head.answer(read).shape
        (torch.Size([]), torch.Size([2, 5]))
    """

    def __init__(
        self,
        width: int,
        vocabulary: int,
        length: int,
        *,
        layers: int = 1,
        attention: bool = True,
        dropout: float = 0.1,
        label_smoothing: float = 0.0,
        beams: int = 1,
        length_penalty: float = 1.0,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
    ) -> None:
        super().__init__(
            width,
            vocabulary,
            length,
            decoding=Decoding(beams, length_penalty, temperature, top_k, top_p),
            label_smoothing=label_smoothing,
            dropout=dropout,
        )
        if layers < 1:
            raise RecipeError(f"A decoder of {layers} layers: there must be at least 1.")
        self.start = nn.Linear(width, 2 * layers * width)
        between = dropout if layers > 1 else 0.0
        self.lstm = nn.LSTM(2 * width, width, layers, batch_first=True, dropout=between)
        self.query = nn.Linear(width, width, bias=False) if attention else None
        self.mix = nn.Linear((2 if attention else 1) * width, width)

    def teach(
        self, x: Tensor, mask: Tensor, symbols: Tensor, looks: list[Tensor] | None = None
    ) -> Tensor:
        """What is known before each next symbol ``(B, T, D)``."""
        memory = self._first(x).unbind(1)
        said, _ = self.lstm(self._seen(symbols, x[:, 0]), _as_torch(*memory))
        return self._known(said, x, mask, looks)

    def begin(self, x: Tensor, mask: Tensor) -> State:
        """What is read, and the LSTM's first memory."""
        return State({"x": x, "mask": mask}, {"memory": self._first(x)})

    def advance(self, symbols: Tensor, state: State) -> tuple[Tensor, State]:
        """One more symbol."""
        x, mask = state.fixed["x"], state.fixed["mask"]
        memory = state.moving["memory"].unbind(1)
        said, after = self.lstm(self._seen(symbols[:, None], x[:, 0]), _as_torch(*memory))
        moving = {"memory": torch.stack([part.transpose(0, 1) for part in after], 1)}
        return self._known(said, x, mask, None)[:, 0], State(state.fixed, moving, state.steps)

    @property
    def looks_around(self) -> bool:
        """Whether it attends to the fused tokens."""
        return self.query is not None

    def _first(self, x: Tensor) -> Tensor:
        """Hidden and cell state before the first symbol ``(B, 2, N, D)``, from the row's vector."""
        return self.start(x[:, 0]).tanh().unflatten(-1, (2, self.lstm.num_layers, -1))

    def _seen(self, symbols: Tensor, vector: Tensor) -> Tensor:
        """The last symbol and the row's vector ``(B, T, 2 D)``."""
        words = self.embedding(symbols) * self.embedding.embedding_dim**0.5
        return self.dropout(torch.cat([words, vector[:, None].expand_as(words)], -1))

    def _known(self, said: Tensor, x: Tensor, mask: Tensor, looks: list[Tensor] | None) -> Tensor:
        if self.query is not None:
            scores = self.query(said) @ x.transpose(1, 2) / x.shape[-1] ** 0.5  # (B, T, S)
            shares = scores.masked_fill(~mask[:, None], -torch.inf).softmax(-1)
            said = torch.cat([said, shares @ x], -1)
            if looks is not None:
                looks.append(shares)
        elif looks is not None:
            raise RecipeError("This decoder looks at nothing: it was made with attention=false.")
        # The row's vector has a straight way to the answer: encoders learn from it sooner.
        return self.dropout(self.mix(self.dropout(said)).tanh() + x[:, :1])


def _as_torch(hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Both states as PyTorch wants them ``(N, B, D)``."""
    return hidden.transpose(0, 1).contiguous(), cell.transpose(0, 1).contiguous()
