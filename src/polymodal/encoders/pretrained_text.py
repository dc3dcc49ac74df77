"""Pretrained text networks of transformers."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from polymodal.backbone import (
    Backbone,
    Training,
    fast_tokenizer,
    plain_config,
    transformers_config,
    transformers_groups,
    transformers_network,
)
from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.masking import masked_mean, token_mask
from polymodal.errors import RecipeError

LONGEST = 100_000


class PretrainedText(Encoder):
    """A network that has already read many texts, from transformers.

    Of a model with encoder and decoder the encoder is taken. ``width`` is the network's own.

    *When to choose it*: text in a language for which such a model exists, above all when there
    are few rows. "frozen" for a quick answer, "lora" or "full" for thousands and a GPU.

    Args:
        model: name on the hub ("sentence-transformers/all-MiniLM-L6-v2") or a local folder.
        train: "frozen", "full" (all weights) or "lora" (small matrices beside linear layers).
        pooling: "mean" of the real tokens, or "cls", the first token.
        layers: with "full", train only so many of the last layers; None trains all.
        rank: with "lora", rank of the small matrices.
        weights: False builds the network without its weights, to be loaded from a saved run.
        config: ``config`` of a saved encoder; with it nothing is read from disk or hub.

    Raises:
        RecipeError: the model cannot be found, or an option does not fit it.
        MissingExtra: transformers or peft is needed and not installed.

    Example:
        >>> import torch
        >>> network = dict(model_type="bert", vocab_size=9, hidden_size=8, num_hidden_layers=1,
        ...                num_attention_heads=2, intermediate_size=8)
        >>> encoder = PretrainedText("tiny", config={"network": network})
        >>> ids, mask = torch.tensor([[5, 2, 0]]), torch.tensor([[True, True, False]])
        >>> texts = Field(ids, present=torch.tensor([True]), mask=mask)
        >>> encoder(texts).x.shape
        torch.Size([1, 3, 8])
    """

    def __init__(
        self,
        model: str,
        *,
        train: Training = "frozen",
        pooling: Literal["mean", "cls"] = "mean",
        layers: int | None = None,
        rank: int = 8,
        weights: bool = True,
        config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if pooling not in ("mean", "cls"):
            raise RecipeError(f"pooling must be 'mean' or 'cls', not {pooling!r}.")
        settings = transformers_config(model, config and config["network"])
        settings = getattr(settings, "text_config", settings)
        network: Any = transformers_network(model, settings, weights and config is None)
        self.config = {"network": plain_config(settings)}
        """Plain JSON to keep with the weights: rebuilds the encoder without hub or folder."""
        if settings.is_encoder_decoder:
            network = network.get_encoder()
        self.model, self.width, self.pooling = model, settings.hidden_size, pooling
        # Some models count positions from the tokens that are not their padding id.
        self.padding = getattr(settings, "pad_token_id", None) or 0
        self.limit = _position_limit(network)
        self.backbone = Backbone(
            network, train=train, layers=layers, rank=rank, groups=transformers_groups(network)
        )

    @property
    def frozen(self) -> bool:
        """Whether the backbone is."""
        return self.backbone.frozen

    def settings(self) -> dict[str, Any]:
        """The configuration and the pooling."""
        return self.config | {"pooling": self.pooling}

    @staticmethod
    def preprocessing(model: str) -> dict[str, Any]:
        """How texts must be made: ``tokenizer`` as JSON, ``max_tokens`` where there is a limit.

        Args:
            model: as for the encoder.

        Raises:
            RecipeError: the tokenizer cannot be found, or is not one of the fast ones.
            MissingExtra: transformers is not installed.
        """
        tokenizer = fast_tokenizer(model)
        settings = transformers_config(model, None)
        with torch.device("meta"):  # no memory, no weights: only to see its positions
            network: Any = transformers_network(
                model, getattr(settings, "text_config", settings), weights=False
            )
        # A tokenizer without a limit of its own names an absurd one.
        limits = [_position_limit(network), min(tokenizer.model_max_length, LONGEST)]
        most = min(limit for limit in limits if limit is not None)
        return {
            "tokenizer": tokenizer.backend_tokenizer.to_str(),
            **({} if most == LONGEST else {"max_tokens": most}),
        }

    def forward(self, field: Field) -> Tokens:
        """Ids ``(U, T)`` and mask ``(U, T)`` → tokens ``(U, T, D)``.

        Raises:
            RecipeError: the texts are longer than the model can read.
        """
        mask = token_mask(field)
        if self.limit is not None and mask.shape[1] > self.limit:
            raise RecipeError(
                f"A text of {mask.shape[1]} tokens came to {self.model!r}, which reads at most "
                f"{self.limit}. Set the text column's maximal length to {self.limit} or less."
            )
        ids = field.values if field.mask is None else field.values.where(field.mask, self.padding)
        x = self.backbone(_run, ids.long(), mask)
        return Tokens(x, mask, masked_mean(x, mask) if self.pooling == "mean" else x[:, 0])


def _run(network: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
    return network(input_ids=ids, attention_mask=mask.long()).last_hidden_state


def _position_limit(network: nn.Module) -> int | None:
    """Most tokens that learned positions allow; None where positions are computed."""
    for name, module in network.named_modules():
        last = name.rpartition(".")[2]
        if isinstance(module, nn.Embedding) and ("position" in last or last == "wpe"):
            offset = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - max(offset, getattr(module, "offset", 0))
    return None
