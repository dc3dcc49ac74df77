from torch import nn

from polymodal.heads.readout import readout


def test_layers():
    linear = readout(8, 3, hidden=0, dropout=0.1)
    assert [type(layer) for layer in linear] == [nn.Dropout, nn.Linear]
    deep = readout(8, 3, hidden=5, dropout=0.1)
    assert [type(layer) for layer in deep] == [nn.Linear, nn.GELU, nn.Dropout, nn.Linear]
    assert deep[0].out_features == 5 and deep[-1].out_features == 3
