"""The page for people, made from the schema: inputs, the answer as bars, and what mattered."""

from __future__ import annotations

import asyncio
import importlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from polymodal.serving.answer_cards import answer_cards, card, problem_card, quiet_card
from polymodal.serving.api_keys import ApiKeys
from polymodal.serving.model_registry import ModelRegistry
from polymodal.serving.page_inputs import PageInput, PageInputs
from polymodal.serving.page_style import CSS
from polymodal.serving.page_uploads import OnlyUploads
from polymodal.serving.page_words import LANGUAGES, Language, word
from polymodal.serving.problem import Problem
from polymodal.serving.search_tab import SearchTab
from polymodal.serving.served_index import ServedIndex

FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "PingFang SC",
        "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif")  # fmt: skip
Tab = tuple[Callable[[Language], str], Callable[[Any], None]]
INTO_VIEW = """() => {
  const shown = [...document.querySelectorAll(".answer")].find((one) => one.offsetParent);
  const place = shown?.getBoundingClientRect();
  if (place && (place.top > innerHeight - 160 || place.top < -40)) {
    shown.scrollIntoView({behavior: "smooth", block: "start"});
  }
}"""


@asynccontextmanager
async def mounted_page(
    app: FastAPI, registry: ModelRegistry, keys: ApiKeys | None, index: ServedIndex | None = None
) -> AsyncIterator[None]:
    """The page at ``/`` of an application, as long as the context lasts.

    Args:
        app: gets the page.
        registry: of the models, which are loaded; each gets a tab.
        keys: with them the page asks for a key first.
        index: to be searched in a tab of its own; None where there is none.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    with tempfile.TemporaryDirectory(prefix="polymodal-uploads-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        gradio = await asyncio.to_thread(importlib.import_module, "gradio")
        inner = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        gradio.mount_gradio_app(
            inner,
            _Page(gradio, registry, Path(folder), index).blocks(),
            path="/",
            footer_links=[],
            run_history=False,
            show_error=False,
            ssr_mode=False,
            enable_monitoring=False,
            mcp_server=False,
            max_file_size=registry.limits.bytes,
            theme=_theme(gradio),
            css=CSS,
            auth=None if keys is None else (lambda _, key: keys.accepts(key) is not None),
            auth_message=None if keys is None else f"{word('login', 'en')} {word('login', 'zh')}",
        )
        async with inner.router.lifespan_context(inner):
            app.mount("/", OnlyUploads(inner, Path(folder)))
            yield


def _theme(gradio: Any) -> Any:
    """Gradio's soft theme with the system's own fonts: nothing is fetched."""
    plain = importlib.import_module("gradio.themes.utils.fonts").Font
    fonts = [plain(name) for name in FONTS]
    return gradio.themes.Soft(
        primary_hue="indigo", neutral_hue="slate", font=fonts, font_mono=[plain("monospace")]
    )


class _Page:
    """Builds the page and answers it.

    Args:
        gradio: the package.
        registry: of the models.
        uploads: the folder of uploaded files.
        index: to be searched; None where there is none.
    """

    def __init__(
        self, gradio: Any, registry: ModelRegistry, uploads: Path, index: ServedIndex | None
    ) -> None:
        self._gradio, self._registry, self._index = gradio, registry, index
        self._inputs = PageInputs(
            gradio, uploads, characters=registry.limits.characters, says=self._says
        )
        # Each is given a language and gives the updates of what it shows.
        self._spoken: list[tuple[Any, Callable[[Language], dict[str, Any]]]] = []

    def blocks(self) -> Any:
        """The page."""
        gr, names = self._gradio, self._registry.names
        with gr.Blocks(title=names[0], analytics_enabled=False, delete_cache=(600, 3600)) as page:
            with gr.Row(elem_id="head"):
                head = gr.HTML(self._head("en"), scale=4)
                language = gr.Radio(
                    list(LANGUAGES), value="English", show_label=False, elem_id="language",
                    container=False, scale=1, min_width=160,
                )  # fmt: skip
            self._says(head, lambda spoken: {"value": self._head(spoken)})
            tabs = self._tabs()
            if len(tabs) == 1:
                tabs[0][1](language)
            else:
                with gr.Tabs():
                    for label, fill in tabs:
                        with gr.Tab(label("en")) as tab:
                            fill(language)
                        self._says(tab, partial(_relabelled, label))
            components = [component for component, _ in self._spoken]
            quiet: dict[str, Any] = {"concurrency_limit": 16, "api_visibility": "private"}
            language.change(self._speak, language, components, show_progress="hidden", **quiet)
            first = _first_language  # Gradio knows what to give it by the annotation
            first.__annotations__ = {"request": gr.Request}
            page.load(first, None, language, show_progress="hidden", **quiet)
        return page

    def _tabs(self) -> list[Tab]:
        """The label of each tab in a language, and what fills it, given the language's component.

        What only compares has no tab to answer in.
        """
        names = [n for n in self._registry.names if self._registry.get(n).engine.answers]
        tabs: list[Tab] = [
            (partial(_label, name, names), partial(self._model, name)) for name in names
        ]
        if self._index is not None:
            tabs.append((partial(word, "search"), partial(self._search, self._index)))
        return tabs or [(lambda _: "", lambda _: self._only_compares())]

    def _head(self, language: Language) -> str:
        title = escape(", ".join(self._registry.names))
        return f"<h1>{title}</h1><p>{word('about', language)}</p>"

    def _says(self, component: Any, update: Callable[[Language], dict[str, Any]]) -> None:
        self._spoken.append((component, update))

    def _speak(self, chosen: str) -> list[Any]:
        language = LANGUAGES.get(chosen, "en")
        updates = [self._gradio.update(**update(language)) for _, update in self._spoken]
        return updates

    def _model(self, name: str, language: Any) -> None:
        gr, model = self._gradio, self._registry.get(name)
        with gr.Row():
            with gr.Column(scale=5, min_width=300):
                parts = [self._inputs.make(field) for field in model.request.fields.values()]
                with gr.Row():
                    clear = gr.Button(word("clear", "en"), variant="secondary", scale=1)
                    ask = gr.Button(word("ask", "en"), variant="primary", scale=3)
            with gr.Column(scale=4, min_width=300):
                answer = gr.HTML(quiet_card("en"), elem_classes="answer")
        self._says(ask, lambda spoken: {"value": word("ask", spoken)})
        self._says(clear, lambda spoken: {"value": word("clear", spoken)})
        shown, boxes = [part.shown for part in parts], [part.left_out for part in parts]
        inputs = [language, *shown, *boxes]
        triggers = [ask.click] + [p.shown.submit for p in parts if isinstance(p.shown, gr.Textbox)]
        asked = gr.on(
            triggers,
            self._answering(name, parts),
            inputs,
            answer,
            preprocess=False,
            concurrency_limit=16,
            api_visibility="private",
        )
        asked.then(None, js=INTO_VIEW, api_visibility="private")
        clear.click(
            lambda chosen: [*[None] * len(parts), *[False] * len(parts),
                            quiet_card(LANGUAGES.get(chosen, "en"))],
            language, [*shown, *boxes, answer], concurrency_limit=16, api_visibility="private",
        )  # fmt: skip

    def _search(self, index: ServedIndex, language: Any) -> None:
        SearchTab(
            self._gradio, index, inputs=self._inputs, says=self._says, language=language,
            into_view=INTO_VIEW,
        )  # fmt: skip

    def _only_compares(self) -> None:
        note = self._gradio.HTML(_note("en"))
        self._says(note, lambda spoken: {"value": _note(spoken)})

    def _answering(self, name: str, parts: Sequence[PageInput]) -> Callable[..., Any]:
        async def answer(chosen: str, *given: Any) -> str:
            language = LANGUAGES.get(chosen, "en")
            model = self._registry.get(name)
            values, boxes = given[: len(parts)], given[len(parts) :]
            kept = [None if box else v for v, box in zip(values, boxes, strict=True)]
            try:
                cells = self._inputs.cells(parts, kept)
                if not cells:
                    return card(word("wrong", language), word("empty", language), "problem")
                found = await model.explain(model.request.parse_cells(cells))
            except Problem as problem:
                return problem_card(problem, language)
            return answer_cards(found, language)

        return answer


def _first_language(request: Any) -> str:
    """The language that the browser asks for first."""
    asked = (request.headers.get("accept-language") or "").lower()
    return "中文" if asked.startswith("zh") else "English"


def _relabelled(label: Callable[[Language], str], language: Language) -> dict[str, Any]:
    return {"label": label(language)}


def _label(name: str, names: Sequence[str], language: Language) -> str:
    """Of a model's tab; a lone model needs no name."""
    return name if len(names) > 1 else word("answer", language)


def _note(language: Language) -> str:
    return f"<div class='card quiet'>{word('only_compares', language)}</div>"
