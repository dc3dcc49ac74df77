import pytest
import torch
from torch import nn

from polymodal.batch import Batch, Field
from polymodal.cost import PartCost, answer, costs, usual_lengths
from polymodal.encoders import Cnn, NumberEncoder, TabularMlp, TextRnn, TextTransformer
from polymodal.encoders.encoder import Encoder
from polymodal.fusion import Concat, CrossAttention, JointTransformer
from polymodal.fusion.fusion import Fusion
from polymodal.heads import Classification, Ctc, LstmDecoder, TextHead, TransformerDecoder
from polymodal.model import MultimodalModel

HERE = torch.tensor([True])


def text(length: int) -> Field:
    return Field(torch.ones(1, length, dtype=torch.long), HERE)


def of(encoder: Encoder, field: Field, fusion: Fusion | None = None) -> list[tuple[int, int]]:
    """Parameters and operations of the encoder, the fusion and the head."""
    fusion = fusion or Concat({"a": encoder.width}, width=8)
    model = MultimodalModel({"a": encoder}, fusion, {"kind": Classification(8, classes=3)})
    return [cost[1:] for cost in costs(model, [Batch({"a": field})])]


def test_by_hand() -> None:
    number = Field(torch.tensor([0.5]), HERE)
    encoder, fusion, head = of(NumberEncoder(width=4), number)
    # Frequencies, phases; a Linear of the value and 16 cosines.
    assert encoder == (16 + 16 + 17 * 4 + 4, 2 * 17 * 4)
    # The branch's Linear 4 -> 8 and its LayerNorm, what stands for absence, two Linears 8 -> 8.
    assert fusion == (4 * 8 + 8 + 16 + 8 + 2 * 72, 2 * 4 * 8 + 2 * 2 * 64)
    assert head == (8 * 3 + 3, 2 * 8 * 3)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_recurrence_is_counted(cell: str) -> None:
    encoder = TextRnn(5, width=8, cell=cell)
    gates = {"gru": 3, "lstm": 4}[cell]
    sizes = [m.input_size + m.hidden_size for m in encoder.modules() if isinstance(m, nn.RNNBase)]
    expected = sum(2 * 7 * gates * 4 * size for size in sizes)
    assert of(encoder, text(7))[0][1] >= expected > 0


def test_attention_is_counted() -> None:
    encoder = TextTransformer(5, width=8, depth=1, heads=2)
    # Four Linears 8 -> 8 and two of 8 <-> 32 for each of 5 tokens; 5 × 5 products, twice.
    assert of(encoder, text(5))[0][1] == 5 * 2 * (4 * 64 + 2 * 256) + 2 * 2 * 5 * 5 * 8
    fusion = JointTransformer({"a": 8}, 8, layers=1, heads=2)
    cls = 6 * 2 * (4 * 64 + 2 * 256) + 2 * 2 * 6 * 6 * 8
    assert of(encoder, text(5), fusion)[1][1] == cls + 5 * 2 * 64


def test_a_part_that_hands_parameters_to_its_layers() -> None:
    """PyTorch's counter looks at the gradients of what layers are given."""
    number = Field(torch.tensor([0.5]), HERE)
    assert of(NumberEncoder(width=8), number, CrossAttention({"a": 8}, 8))[1][1] > 0


def test_convolutions_are_counted_and_frozen_parts_too() -> None:
    picture = Field(torch.zeros(1, 1, 8, 8, dtype=torch.uint8), HERE)
    encoder = Cnn(1, 8, width=8, base=4)
    free = of(encoder, picture)[0]
    assert free[1] > 2 * 9 * 4  # at the very least one place of the first convolution
    assert of(encoder.requires_grad_(False), picture)[0] == free


def test_the_mean_over_rows_and_every_part_named() -> None:
    model = MultimodalModel(
        {"says": TextTransformer(5, width=8), "table": TabularMlp({"n": NumberEncoder()}, width=8)},
        Concat({"says": 8, "table": 8}, width=8),
        {"kind": Classification(8, classes=3)},
    ).train()
    model.fusion.eval()
    number = Field(torch.tensor([0.5]), HERE)
    rows = [Batch({"says": text(length), "n": number}) for length in (3, 9)]
    both = costs(model, rows)
    assert [cost.part for cost in both] == [
        "says (TextTransformer)", "table (TabularMlp)", "fusion (Concat)", "kind (Classification)",
    ]  # fmt: skip
    alone = [costs(model, [row])[0].flops for row in rows]
    assert both[0].flops == sum(alone) / 2 and alone[0] < alone[1]
    assert model.training and model.encoder("says").training and not model.fusion.training


def test_no_row_is_an_error() -> None:
    model = MultimodalModel(
        {"a": NumberEncoder(width=8)}, Concat({"a": 8}, width=8), {"x": Classification(8, 2)}
    )
    with pytest.raises(ValueError, match="no row whose cost"):
        costs(model, [])


def written(head: TextHead, lengths: list[int]) -> tuple[list[PartCost], MultimodalModel]:
    """What a model costs whose references have so many tokens."""
    torch.manual_seed(0)
    fusion = JointTransformer({"says": 8}, 8, layers=1, heads=2)
    model = MultimodalModel({"says": TextTransformer(5, width=8)}, fusion, {"told": head}).eval()
    rows = []
    for length in lengths:
        reference = Field(torch.ones(1, length, dtype=torch.long), HERE)
        rows.append(Batch({"says": text(4)}, {"told": reference}))
    return costs(model, rows), model


def test_a_text_is_written_as_long_as_the_references_are() -> None:
    sizes = {"width": 8, "vocabulary": 9, "length": 20}
    (*_, short), _ = written(TransformerDecoder(**sizes, layers=1, heads=2), [2, 2])
    (*_, usual), _ = written(TransformerDecoder(**sizes, layers=1, heads=2), [2, 6])
    (*_, longest), _ = written(TransformerDecoder(**sizes, layers=1, heads=2), [40])
    assert short.part == "told (TransformerDecoder; a text of 2 tokens)"
    assert usual.part.endswith("4 tokens)") and longest.part.endswith("20 tokens)")
    # Per step: four Linears 8 -> 8 and two of the attention to what is read, two of 8 <-> 32, the
    # symbols' logits; attention to what was written and to 6 tokens. Once: the reading, and keys
    # and values of what is read.
    linears = 2 * (4 * 64 + 2 * 64 + 2 * 256 + 10 * 8)
    once = 2 * 6 * (64 + 2 * 64)
    steps = [linears + 2 * 2 * 8 * (past + 1) + 2 * 2 * 8 * 6 for past in range(5)]
    assert short.flops == once + sum(steps[:3]) and usual.flops == once + sum(steps)


def test_every_head_that_writes_is_counted() -> None:
    sizes = {"width": 8, "vocabulary": 9, "length": 20}
    (*_, lstm), _ = written(LstmDecoder(**sizes), [3])
    (*_, longer), _ = written(LstmDecoder(**sizes), [6])
    (*_, aligned), _ = written(Ctc(**sizes), [3])
    (*_, beams), _ = written(LstmDecoder(**sizes, beams=3), [3])
    assert 1.4 < longer.flops / lstm.flops < 2 and beams.flops > 2 * lstm.flops
    assert aligned.flops == 2 * 6 * 8 * 10  # each moment's symbol, all at once


def test_answers_are_whole_whatever_was_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    head = LstmDecoder(8, vocabulary=9, length=20)
    with torch.no_grad():
        head.bias[0] = 99.0  # untrained, it would end every text at once
    _, model = written(head, [3])
    steps = []
    step = head.step
    monkeypatch.setattr(head, "step", lambda *given: steps.append(1) or step(*given))
    answer(model, Batch({"says": text(4)}), {"told": 5})
    assert len(steps) == 6
    assert usual_lengths(model, []) == {"told": 20}
