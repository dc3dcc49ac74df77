"""The page in a real browser: upload, answer, leave out, a bad file, two languages, a phone."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from polymodal.serving.application import Serving
from polymodal.serving.page_uploads import inside
from polymodal.serving.page_words import WORDS, word

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
IN_A_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
    # Gradio's own, of packages that it uses.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.mark.parametrize("key", WORDS)
def test_every_word_is_there_in_both_languages(key: str) -> None:
    values = {"low": 1, "high": 2, "answer": "a", "names": "b", "field": "c", "came": "d",
              "expected": "e", "change": 1.0, "fields": "f", "count": 3,
              "milliseconds": 4, "reason": "g"}  # fmt: skip
    english, chinese = word(key, "en", **values), word(key, "zh", **values)
    assert english and chinese and english != chinese
    assert any(letter > "\u2e80" for letter in chinese)


def test_only_uploads_are_opened(tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"x")
    (tmp_path / "secret").write_bytes(b"x")
    (folder / "link").symlink_to(tmp_path / "secret")
    assert inside(str(folder / "a.png"), folder)
    for path in (str(folder), str(folder / "none"), str(folder / "../secret"), "/etc/passwd",
                 str(folder / "link"), "http://localhost/a", "a\0b", None, 5):  # fmt: skip
        assert not inside(path, folder), path


@contextmanager
def browser(address: str, **options: Any) -> Iterator[Any]:
    """A page of a browser that fails the test on errors and on requests to elsewhere."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_context(**options).new_page()
        elsewhere: list[str] = []
        errors: list[str] = []
        page.on(
            "request",
            lambda r: (
                elsewhere.append(r.url)
                if "://" in r.url[:8]
                and not r.url.startswith(address)
                and not r.url.startswith("blob:")
                else None
            ),
        )
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.get_by_role("button", name="Answer").or_(
            page.get_by_role("button", name="回答")
        ).wait_for(timeout=30_000)
        yield page
        chromium.close()
    assert not elsewhere
    assert not errors


@pytest.fixture(scope="module")
def address(serve: Callable[..., Any], whole_run: Path) -> Iterator[str]:
    with serve({"whole": whole_run}, serving=Serving(page=True, watch=0)) as client:
        yield str(client.base_url).rstrip("/")


class TestInABrowser:
    pytestmark = IN_A_BROWSER

    def test_a_visit(self, address: str, small_rows: list[dict[str, Any]], tmp_path: Path) -> None:
        broken = tmp_path / "broken.png"
        broken.write_bytes(Path(small_rows[20]["photo"]).read_bytes()[:60])
        with browser(address, viewport={"width": 1200, "height": 900}, locale="en-GB") as page:
            ask = page.get_by_role("button", name="Answer")
            ask.click()
            page.get_by_text("Give at least one input.").wait_for()

            files = page.locator("input[type=file]")
            files.nth(0).set_input_files(small_rows[20]["photo"])
            files.nth(1).set_input_files(small_rows[20]["sound"])
            says = page.get_by_role("textbox", name="says · text")
            says.fill("a round one")
            page.get_by_label("ink · number").fill("5")
            page.wait_for_timeout(1500)
            ask.click()
            page.get_by_text("Which input mattered").first.wait_for()
            assert page.get_by_text("Left out: hand, traits").is_visible()
            assert page.locator(".bar .fill").count() > 6

            page.get_by_role("checkbox", name="Leave it out").nth(0).check()
            ask.click()
            page.get_by_text("Left out: photo, hand, traits").wait_for()

            page.get_by_text("中文").click()
            page.get_by_text("不使用此项").first.wait_for()
            page.get_by_role("button", name="回答").click()
            page.get_by_text("未使用：photo, hand, traits").wait_for()

            page.get_by_role("button", name="清空").click()
            page.get_by_text("回答将显示在这里").wait_for()
            files.nth(0).set_input_files(str(broken))
            page.wait_for_timeout(1000)
            page.get_by_role("button", name="回答").click()
            alert = page.get_by_role("alert").filter(has_text="无法回答")
            alert.wait_for()
            assert "photo" in alert.inner_text()

    def test_a_phone_and_a_keyboard(self, address: str) -> None:
        phone = {"viewport": {"width": 390, "height": 844}, "locale": "zh-CN", "has_touch": True}
        with browser(address, **phone) as page:
            page.get_by_text("不使用此项").first.wait_for()  # the browser's language
            assert page.evaluate("document.documentElement.scrollWidth") == 390
            page.get_by_role("textbox", name="says · 文本").focus()
            page.keyboard.type("a round one")
            for _ in range(60):
                page.keyboard.press("Tab")
                if "回答" in page.evaluate("document.activeElement.innerText || ''"):
                    break
            page.keyboard.press("Enter")
            page.get_by_text("哪个输入起了作用").first.wait_for()

    def test_searching(
        self,
        serve: Callable[..., Any],
        ink_run: Path,
        small_rows: list[dict[str, Any]],
        tmp_path: Path,
    ) -> None:
        from polymodal.search.search_index import SearchIndex

        SearchIndex.build(ink_run, small_rows[20:40], tmp_path / "index")
        serving = Serving(page=True, watch=0)
        phone = {"viewport": {"width": 390, "height": 844}, "locale": "zh-CN"}
        with (
            serve({"ink": ink_run}, serving=serving, index=tmp_path / "index") as client,
            browser(str(client.base_url).rstrip("/"), **phone) as page,
        ):
            page.get_by_role("tab", name="搜索").click()
            ask = page.get_by_role("button", name="搜索")
            ask.click()
            page.get_by_text("请至少填写一项，或输入词语。").wait_for()
            page.get_by_label("词语").fill("even")
            ask.click()
            page.locator(".hits > li").nth(1).wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") == 390
            page.get_by_label("只看满足条件的行").fill("nosuch = 3")
            ask.click()
            page.get_by_role("alert").filter(has_text="nosuch").wait_for()

    def test_it_opens_no_paths_and_no_addresses(self, address: str) -> None:
        with httpx.Client(base_url=address) as client:
            for path in ("/etc/passwd", "/proc/self/environ"):
                assert client.get(f"/gradio_api/file={path}").status_code in (403, 404)
            config = client.get("/config").json()
            number = max(d["id"] for d in config["dependencies"] if len(d["inputs"]) > 6)
            inputs = next(d for d in config["dependencies"] if d["id"] == number)["inputs"]
            for path in ("/etc/passwd", "http://127.0.0.1:9/a.png"):
                data: list[Any] = [None] * len(inputs)
                data[1] = {"path": path, "meta": {"_type": "gradio.FileData"}}
                response = client.post(
                    "/gradio_api/queue/join",
                    json={"data": data, "fn_index": number, "session_hash": "abc"},
                )
                assert response.status_code == 422
                assert "opens no paths" in response.json()["detail"]

    def test_with_keys_it_asks_for_one(
        self, serve: Callable[..., Any], ink_run: Path, tmp_path: Path
    ) -> None:
        from polymodal.serving.api_keys import ApiKeys, new_key

        key = new_key(tmp_path / "keys.txt", "anna")
        serving = Serving(keys=ApiKeys(tmp_path / "keys.txt"), page=True, watch=0)
        with serve({"ink": ink_run}, serving=serving) as client:
            assert client.get("/config").status_code == 401
            wrong = client.post("/login", data={"username": "a", "password": "pm_wrong"})
            assert wrong.status_code == 400
            right = client.post("/login", data={"username": "a", "password": key})
            assert right.status_code == 200
            assert client.get("/config").status_code == 200
