import shutil

import numpy as np
import pytest

from polymodal.data.growing_array import GrowingArray
from polymodal.errors import RunError

ROWS = np.arange(12, dtype=np.float32).reshape(6, 2)


def test_cells_of_several_lengths(tmp_path):
    array = GrowingArray(tmp_path / "new" / "a", (2,))
    with array:
        array.add(ROWS[:3], np.array([1, 2]))
        array.add(ROWS[3:], np.array([3]))
    assert len(array) == 3
    values, offsets = array.mapped()
    assert values.tolist() == ROWS.tolist() and offsets.tolist() == [0, 1, 3, 6]


def test_cells_of_one_length(tmp_path):
    array = GrowingArray(tmp_path / "a", (2,))
    with array:
        array.add(ROWS, np.array([3, 3]))
    values, offsets = array.mapped()
    assert values.shape == (2, 3, 2) and offsets is None
    assert values._mmap is not None  # so that its pages can be given back


def test_it_goes_on_where_it_was_saved(tmp_path):
    with GrowingArray(tmp_path / "killed", (2,)) as killed:
        killed.add(ROWS[:2], np.array([2]))
        killed.save()
        killed.add(ROWS[3:], np.array([3]))  # never noted
        killed._file.flush()
        for name in ("killed", "killed.lengths"):
            shutil.copy(tmp_path / name, tmp_path / name.replace("killed", "a"))
    array = GrowingArray(tmp_path / "a", (2,))
    assert len(array) == 1
    with array:
        array.add(ROWS[2:], np.array([4]))
    values, offsets = array.mapped()
    assert values.tolist() == ROWS.tolist() and offsets.tolist() == [0, 2, 6]
    assert len(GrowingArray(tmp_path / "a", (2,))) == 2


def test_an_interruption_keeps_what_was_added(tmp_path):
    with pytest.raises(KeyboardInterrupt), GrowingArray(tmp_path / "a", (2,)) as array:
        array.add(ROWS, np.array([6]))
        raise KeyboardInterrupt
    assert GrowingArray(tmp_path / "a", (2,)).mapped()[0].tolist() == [ROWS.tolist()]


def test_rows_that_the_disk_has_lost_are_not_believed(tmp_path):
    with GrowingArray(tmp_path / "a", (2,)) as array:
        array.add(ROWS, np.array([6]))
    (tmp_path / "a").write_bytes(b"half")
    assert len(GrowingArray(tmp_path / "a", (2,))) == 0


def test_removed(tmp_path):
    with GrowingArray(tmp_path / "a", (2,)) as array:
        array.add(ROWS, np.array([6]))
    array.remove()
    assert list(tmp_path.iterdir()) == [] and len(array) == 0


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    message = r"cannot be kept in .*file.*data\.keep_features=false"
    with pytest.raises(RunError, match=message), GrowingArray(tmp_path / "file" / "a", (2,)):
        pass
