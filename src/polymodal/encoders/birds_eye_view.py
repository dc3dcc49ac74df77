"""Point clouds seen from above: a picture of them, and a network for pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from polymodal.batch import Field, Tokens
from polymodal.encoders.cnn import Cnn
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.masking import real_values, token_mask

EDGE = 1.05


class BirdsEyeView(Encoder):
    """A map of the ground, drawn on the device the network runs on, then :class:`Cnn`.

    Each cell of the map holds how many points there are (on a logarithmic scale), the lowest and
    the highest, and the least and the greatest of each feature (as MV3D, Chen 2017,
    https://arxiv.org/abs/1611.07759). The order of the points has no influence. The map is drawn
    here and not by the modality, so that points can be turned and thinned in training, and the
    pack is the same for every encoder.

    *When to choose it*: scenes around a sensor, or land from the air, where what stands beside
    what counts. The map covers 99 % of the training part in each direction; what is outside is
    not seen. An object of its own is better seen by :class:`PointNet`.

    Args:
        channels: columns of a point: x, y, z and features.
        mean: of the clouds' centres, and of each feature.
        std: deviation of these.
        region: lowest and highest x, y and z of the map; None takes -1 to 1.
        width: size of the tokens and of the pooled vector.
        size: cells of the map along each side.
        base: channels of the first layer of the network.
        dropout: chance of dropping a feature before the last layer in training.

    Raises:
        ValueError: there are no coordinates, or the region is none.

    Example:
        >>> clouds = Field(torch.zeros(2, 500, 4), present=torch.ones(2).bool())
        >>> tokens = BirdsEyeView(channels=4)(clouds)
        >>> tokens.x.shape, tokens.pooled.shape
        (torch.Size([2, 16, 128]), torch.Size([2, 128]))
    """

    def __init__(
        self,
        channels: int,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        region: Sequence[Sequence[float]] | None = None,
        *,
        width: int = 128,
        size: int = 64,
        base: int = 16,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        ends = [[-1.0, 1.0]] * 3 if region is None else [list(pair) for pair in region]
        if channels < 3 or len(ends) != 3 or any(low >= high for low, high in ends):
            raise ValueError(
                f"Points of {channels} columns and a region {ends}: there must be x, y and z, "
                "and of each a lower and a higher end."
            )
        self.width, self.size, self.features = width, size, channels - 3
        low, high = torch.tensor(ends, dtype=torch.float32).T
        # One scale for both directions of the ground: shapes are not stretched.
        side = float((high - low)[:2].max()) * EDGE
        corner = (low + high) / 2 - side / 2
        corner[2] = low[2]
        scale = torch.tensor([size / side, size / side, 1 / float(high[2] - low[2])])
        self.corner: Tensor
        self.scale: Tensor
        self.mean: Tensor
        self.std: Tensor
        # They come from the constructor on loading too, so the weights need not hold them.
        self.register_buffer("corner", corner, persistent=False)
        self.register_buffer("scale", scale, persistent=False)
        for name, numbers, usual in (("mean", mean, 0.0), ("std", std, 1.0)):
            kept = [usual] * self.features if numbers is None else list(numbers)[3:]
            self.register_buffer(name, torch.tensor(kept, dtype=torch.float32), persistent=False)
        pictures = 3 + 2 * self.features
        # What is drawn is on its scale already: (x / 255 - 0) / (1 / 255) is x.
        self.cnn = Cnn(
            pictures, size, [0.0] * pictures, [1 / 255] * pictures,
            width=width, base=base, dropout=dropout,
        )  # fmt: skip

    def forward(self, field: Field) -> Tokens:
        """Points ``(U, T, C)``, mask ``(U, T)`` → tokens ``(U, T', D)`` of the map's grid."""
        return self.cnn(Field(self.draw(field), field.present))

    def draw(self, field: Field) -> Tensor:
        """The maps ``(U, 3 + 2 F, size, size)``: density, lowest, highest, least, greatest."""
        values, mask = real_values(field).float(), token_mask(field)
        clouds = mask.shape[0]
        places = (values[..., :3] - self.corner) * self.scale
        column, row = places[..., 0].floor(), places[..., 1].floor()
        inside = mask & (column >= 0) & (column < self.size) & (row >= 0) & (row < self.size)
        cells = self.size**2
        # Whatever is not on a map goes to one more cell at its end.
        cell = torch.where(inside, row * self.size + column, cells).long()
        cell = cell + torch.arange(clouds, device=cell.device)[:, None] * (cells + 1)
        count = places.new_zeros(clouds * (cells + 1))
        count = count.scatter_add(0, cell.flatten(), torch.ones_like(places[..., 0]).flatten())
        features = (values[..., 3:] - self.mean) / self.std
        drawn = torch.cat([places[..., 2:].clamp(-1, 2), features], -1).flatten(0, 1)
        blank = drawn.new_zeros(clouds * (cells + 1), drawn.shape[1])
        index = cell.reshape(-1, 1).expand_as(drawn)
        least, most = (
            blank.scatter_reduce(0, index, drawn, how, include_self=False)
            for how in ("amin", "amax")
        )
        density = torch.log1p(count).unsqueeze(1)
        maps = torch.cat([density, least[:, :1], most[:, :1], least[:, 1:], most[:, 1:]], 1)
        maps = maps.unflatten(0, (clouds, cells + 1))[:, :-1]
        return maps.unflatten(1, (self.size, self.size)).permute(0, 3, 1, 2)
