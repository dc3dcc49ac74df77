import html
import io
import math
import re
import shutil
import wave
from dataclasses import replace

import numpy as np
import pytest
from html_page import Page
from PIL import Image

from polymodal.data.findings import Finding
from polymodal.data.modalities.modality import Shown
from polymodal.evaluation import (
    Evaluation,
    Example,
    Outcome,
    Report,
    SchemaRow,
    Score,
    evaluate,
    most_frequent,
    verdict,
    write_report,
)
from polymodal.evaluation.hearing import Heard, Hearing
from polymodal.evaluation.language import say
from polymodal.evaluation.report import _best_epoch, render

NASTY = "<img src=x onerror=alert(1)> 中文"
N = 60
RANDOM = np.random.default_rng(0)


def classified(classes=3, target="answer"):
    truth = RANDOM.integers(classes, size=N)
    shares = RANDOM.dirichlet(np.ones(classes), size=N)
    shares[np.arange(N), truth] += 1
    shares /= shares.sum(axis=1, keepdims=True)
    labels = (NASTY, *(f"class {i}" for i in range(1, classes)))
    rows = np.arange(N)
    return Outcome(target, "classification", truth, shares.argmax(axis=1), shares, labels, rows)


def valued():
    truth = np.exp(RANDOM.normal(size=N))
    return Outcome("price", "regression", truth, truth * 1.1, None, (), np.arange(N), log=True)


def tagged():
    truth = RANDOM.random((N, 2)) < 0.4
    shares = np.clip(truth * 0.5 + RANDOM.random((N, 2)) / 2, 0, 1)
    return Outcome("tags", "tagging", truth, shares > 0.5, shares, ("x", "y"), np.arange(N))


def picture(size=(640, 480)):
    pixels = RANDOM.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def sound(seconds=0.1):
    with wave.open(file := io.BytesIO(), "wb") as wav:
        wav.setparams((1, 2, 8000, 0, "NONE", ""))
        wav.writeframes(bytes(int(16000 * seconds)))
    return file.getvalue()


def full_report(**changes):
    answer, price = classified(), valued()
    floor = most_frequent(answer.truth, answer)
    subsets = [
        (("photo", "question"), evaluate(answer).headline),
        (("photo",), Score(0.2, 0.1, 0.3)),
    ]
    cells = [
        ("photo", Shown("image", picture((20, 10)), "20×10")),
        ("question", Shown("text", NASTY)),
        ("voice", Shown("audio", sound(), "0.1 s")),
        ("clip", Shown("video", b"\x1aE\xdf\xa3" + bytes(90), "2 s")),
        ("caption", None),
    ]
    fields = {
        "title": NASTY,
        "created": "2026-03-04",
        "evaluation": Evaluation({o.target: evaluate(o) for o in (answer, price)}, rows=N),
        "outcomes": [answer, price],
        "rows": {"train": 1000, "test": N},
        "seconds": {"train": 184.0, "own stage": 2.0},
        "command": "polymodal fit table.csv",
        "baselines": {"answer": {"most_frequent": evaluate(floor)}},
        "verdicts": {"answer": verdict(answer, {"most_frequent": floor}, subsets=subsets)},
        "subsets": {"answer": subsets},
        "history": [
            {"epoch": 1, "step": 10, "train_loss": 1.5, "validation_metric": math.nan},
            {"epoch": 2, "step": 20, "train_loss": 1.0, "validation_metric": 0.6},
        ],
        "schema": [SchemaRow(NASTY, "text", "input", "text_transformer", 10, 2, 9, NASTY)],
        "findings": [
            Finding(
                "outlier",
                "warning",
                column=NASTY,
                what=NASTY,
                rows=range(42),
                why=NASTY,
                remedy=NASTY,
            )
        ],
        "recipe": f"epochs: 2 # {NASTY}",
        "environment": {"torch": NASTY},
        "model": [("encoder photo", 1200, 56_000), ("head answer", 34, 700)],
        "examples": {"answer": {"worst": [Example(7, NASTY, "class 1", 0.93, cells)]}},
    }
    return Report(**{**fields, **changes})


@pytest.mark.parametrize("language", ["en", "zh"])
def test_when_words_were_heard(language):
    heard = [Heard("dog <b>", np.array([0.1, 1.0]), 0.9), Heard("狗", np.array([1.0, 0.1]), 0.2)]
    cells = [("voice", Shown("audio", sound(), "0.1 s"))]
    example = Example(7, "a\nb", "", 0.9, cells, hearing=Hearing("voice", 0.1, heard, True))
    text = render(full_report(examples={"answer": {"worst": [example]}}), language=language)
    page = Page(text)
    assert text.count('class="hearing"') == 1 and text.count('<bdi class="word">') == 2
    assert "dog <b>" not in text and "dog &lt;b&gt;" in text
    assert 'data-start="0.050" data-end="0.100"' in text
    assert text.count('class="elsewhere"') == 1 and "80%" in text  # told from elsewhere
    assert say("heard_aligned", language) in html.unescape(text)
    assert say("nothing_written", language) in text
    assert "url(data:image/png" in text and "button" in page.tags
    # Without a sound to play there is nothing to show it under.
    silent = example._replace(cells=[("voice", None)])
    text = render(full_report(examples={"answer": {"worst": [silent]}}), language=language)
    assert 'class="hearing"' not in text and "hearing button" in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_is_whole_and_asks_for_nothing(language):
    text = render(full_report(), language=language)
    page = Page(text)
    assert all(source.startswith("data:") for source in page.values("src"))
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.values("href"))
    assert len(page.ids) == len(set(page.ids))
    assert "link" not in page.tags and "@import" not in text and "url(" not in text
    assert "default-src 'none'" in text
    assert text.startswith("<!doctype html>")
    for part in ("summary", "modalities", "learning", "answers", "examples", "findings",
                 "schema", "making"):  # fmt: skip
        assert part in page.ids


def test_what_users_wrote_is_escaped():
    text = render(full_report())
    page = Page(text)
    assert "<img src=x" not in text
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert page.tags.count("img") == 1 and page.tags.count("audio") == 1


def test_the_page_tells_what_it_was_given():
    text = render(full_report())
    for words in ("1,000", "3 min 04 s", "own stage", "2.0 s", "row 7", "0.930", "1,234", "absent",
                  "20×10", "data:audio/wav;base64,", "42", "and more", "best epoch: 2",
                  "“question” helps", "polymodal fit table.csv", "56,700"):  # fmt: skip
        assert words in text, words
    assert "nan" not in re.sub(r"base64,[^\"]*", "", text).lower()


def test_chinese_leaves_no_english_sentence():
    text = render(full_report(), language="zh")
    assert 'lang="zh-CN"' in text and "最严重的错误" in text and "准确率" in text
    words = " ".join(Page(text).words)
    assert not re.search(r"\b(Bars|The|rows?|truth|Target)\b", words)


def test_a_report_of_almost_nothing():
    empty = np.zeros(0, int)
    outcome = Outcome("answer", "classification", empty, empty, None, ("a", "b"), empty)
    report = Report("t", "now", Evaluation({"answer": evaluate(outcome)}, rows=0), [outcome])
    text = render(report)
    Page(text)
    assert "–" in text and "Nothing to report." in text
    Page(render(Report("t", "now", Evaluation({}, rows=0), [])))


def test_many_classes_and_tags_are_listed_instead_of_drawn():
    many, tags = classified(40, "species"), tagged()
    evaluation = Evaluation({o.target: evaluate(o) for o in (many, tags)}, rows=N)
    text = render(Report("t", "now", evaluation, [many, tags]))
    Page(text)
    assert "Most confused pairs" in text or "no mistake" in text
    assert "Which class is taken for which" not in text
    assert "Tag by tag" in text


def test_the_best_epoch_is_the_one_that_training_keeps():
    def best(*rows):
        keys = ("epoch", "validation_metric", "validation_loss")
        return _best_epoch([dict(zip(keys, row, strict=True)) for row in rows])

    assert best((1, 0.5, 1.0), (2, 0.9, 0.4), (3, 0.9, 0.3), (4, 0.9, 0.3)) == 3
    assert best((1, None, 1.0), (2, math.nan, 0.1), (3, 0.1, None)) == 3
    assert best((1, math.nan, 1.0)) is None


def test_single_inputs_are_told_from_baselines():
    report = full_report()
    baselines = {**report.baselines["answer"], "photo": report.evaluation["answer"]}
    text = render(replace(report, baselines={"answer": baselines}))
    assert text.count(">only photo<") == 1  # trained alone, not also with the others hidden
    assert ">most frequent answer<" in text


def test_large_pictures_are_made_small_and_large_sounds_left_out():
    shared, big = picture(), sound(110)
    assert len(shared) > 500_000 and len(big) > 1_500_000
    cells = [("photo", Shown("image", shared)), ("voice", Shown("audio", big))]
    examples = [Example(i, "a", "b", 0.5, cells) for i in range(2)]
    examples += [Example(9, "a", "b", None, [("photo", Shown("image", picture()))])] * 22
    text = render(full_report(examples={"answer": {"worst": examples}}))
    assert len(text) < 2_000_000
    assert text.count("data:image/webp") == 24
    assert "too large to be shown here (1.8 MB)" in text


def test_the_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    write_report(path, full_report())
    before = path.read_text(encoding="utf-8")
    assert before.rstrip().endswith("</html>")
    with pytest.raises(KeyError):
        write_report(path, full_report(outcomes=[tagged()]))
    assert path.read_text(encoding="utf-8") == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.slow
def test_a_browser_shows_it_without_error_at_any_width(tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium")
    write_report(tmp_path / "report.html", full_report())
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width in (360, 1280):
            page = browser.new_page(viewport={"width": width, "height": 800})
            heard = []
            page.on("console", lambda message: heard.append(message.text))  # noqa: B023
            page.on("pageerror", lambda error: heard.append(str(error)))  # noqa: B023
            page.goto((tmp_path / "report.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.click("button.theme")
            assert page.evaluate("document.documentElement.dataset.theme") == "dark"
            assert heard == []
        browser.close()


def test_an_input_that_fell_behind_is_drawn_and_told():
    history = [
        {"epoch": 1, "train_loss": 1.0, "validation_loss": 1.0, "validation_metric": score,
         "alone/photo": 0.34, "alone/sound": score}
        for score in (0.8, 0.9)
    ]  # fmt: skip
    report = full_report(history=history)
    answer = report.baselines["answer"]
    text = render(report)
    Page(text)
    assert "Beside it each input alone" in text and ">photo</text>" in text
    assert "hardly more than guessing" in text and "train.balance: auto" in text
    own = evaluate(classified())
    baselines = {name: {**answer, "photo": own, "sound": own} for name in ("answer", "price")}
    text = render(replace(report, baselines=baselines, balance="ogm_ge"))
    assert "“photo” has fallen behind" in text and "train.balance: ogm_ge" in text
    assert "Beside it" not in render(full_report())
