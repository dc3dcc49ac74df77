import numpy as np

from polymodal.clustering.naming import name_groups, typical_values, typical_words, words_of


def test_words_of_chinese_and_english() -> None:
    assert words_of("两只狗在草地上") == ["两只", "只狗", "草地"]
    assert words_of("The 3 Dogs' x-ray, of 2026") == ["dogs", "ray"]


def test_typical_words_are_frequent_here_and_rare_elsewhere() -> None:
    texts = ["a photo of a dog", "photo: dog runs", "photo of cat", "a cat photo", None]
    assert typical_words(texts, np.array([0, 0, 1, 1, 1]), most=1) == [["dog"], ["cat"]]
    chinese = ["红色的汽车", "红色的汽车开走", "蓝色大海", "蓝色大海边"]
    found = typical_words(chinese, np.array([0, 0, 1, 1]), most=2)
    assert set(found[0]) == {"红色", "汽车"} and set(found[1]) == {"蓝色", "大海"}


def test_typical_values_stand_out() -> None:
    values = ["x", "x", "y", "y", "y", "x"]
    assert typical_values(values, np.array([0, 0, 1, 1, -1, -1])) == [["x"], ["y"]]
    assert typical_values(["x"] * 4, np.array([0, 0, 1, 1])) == [[], []]


def test_names_are_unlike_each_other() -> None:
    groups = np.array([0, 0, 1, 1, 2])
    texts = {"t": ["red bus", "red bus", "red bus", "red bus", None]}
    names = name_groups(groups, texts, {})
    assert len(set(names)) == 3 and names[2] == "group 3"
