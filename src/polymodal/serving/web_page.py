"""The page for people, made from the schema: inputs, the answer as bars, and what mattered."""

from __future__ import annotations

import asyncio
import importlib
import math
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from polymodal.data.modalities import Number, Tags
from polymodal.serving.api_keys import ApiKeys
from polymodal.serving.model_registry import ModelRegistry
from polymodal.serving.page_uploads import OnlyUploads, inside
from polymodal.serving.page_words import LANGUAGES, Language, word
from polymodal.serving.problem import Problem
from polymodal.serving.request_model import InputField, RequestModel
from polymodal.serving.served_model import UNUSABLE

CSS = """
.gradio-container { max-width: 1080px !important; margin: 0 auto !important }
#head { align-items: center }
#head h1 { margin: 0; font-size: 1.5rem }
#head p { margin: .2rem 0 0; opacity: .75 }
#language { border: 0; box-shadow: none; background: none; padding: 0; min-width: 0 }
.input-card { gap: 6px !important; border: 1px solid var(--border-color-primary);
  border-radius: 10px; padding: 6px 6px 10px; background: var(--block-background-fill) }
.input-card .block { border: 0 !important; box-shadow: none !important }
.input-card :focus-visible { outline: 2px solid #6366f1 !important; outline-offset: 1px }
.input-card button:focus:not(:focus-visible) { outline: none !important }
.left-out { padding: 0 8px !important; background: none !important }
.card { border: 1px solid var(--border-color-primary); border-radius: 10px; padding: 12px 14px;
  background: var(--block-background-fill) }
.card h3 { margin: 0 0 2px; font-size: 1rem }
.card p { margin: 0 0 8px; opacity: .75; font-size: .9rem }
.bar { margin: 9px 0 }
.bar .line { display: flex; justify-content: space-between; gap: 12px; font-size: .92rem }
.bar .track { position: relative; height: 8px; border-radius: 4px; margin-top: 3px;
  background: var(--border-color-primary); overflow: hidden }
.bar .fill { position: absolute; height: 100%; border-radius: 4px; background: #4f46e5 }
.bar .fill.against { background: #b45309 }
.bar .aside { opacity: .7; font-size: .82rem }
.problem { border-color: #dc2626; border-left-width: 5px }
.quiet { opacity: .7; padding: 14px; text-align: center }
footer { display: none !important }
@media (max-width: 640px) { .gradio-container { padding: 8px !important } }
"""
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "PingFang SC",
        "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif")  # fmt: skip
MOST_BARS = 8
INTO_VIEW = """() => {
  const shown = [...document.querySelectorAll(".answer")].find((one) => one.offsetParent);
  const place = shown?.getBoundingClientRect();
  if (place && (place.top > innerHeight - 160 || place.bottom < 240)) {
    shown.scrollIntoView({behavior: "smooth", block: "start"});
  }
}"""


@asynccontextmanager
async def mounted_page(
    app: FastAPI, registry: ModelRegistry, keys: ApiKeys | None
) -> AsyncIterator[None]:
    """The page at ``/`` of an application, as long as the context lasts.

    Args:
        app: gets the page.
        registry: of the models, which are loaded; each gets a tab.
        keys: with them the page asks for a key first.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    with tempfile.TemporaryDirectory(prefix="polymodal-uploads-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        gradio = await asyncio.to_thread(importlib.import_module, "gradio")
        inner = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        gradio.mount_gradio_app(
            inner,
            _Page(gradio, registry, Path(folder)).blocks(),
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


@dataclass
class _Part:
    """An input of the page.

    Args:
        field: what it sends.
        shown: Gradio's component.
        left_out: the box beside it.
    """

    field: InputField
    shown: Any
    left_out: Any

    def label(self, language: Language) -> str:
        """The column and what it is."""
        return f"{self.field.name} · {word(self.field.kind, language)}"

    def hint(self, language: Language) -> str | None:
        """What is usual, where that is known."""
        modality = self.field.modality
        if not isinstance(modality, Number):
            return None
        ends = [modality.center - 2 * modality.scale, modality.center + 2 * modality.scale]
        low, high = (f"{math.exp(end) if modality.log else end:.3g}" for end in ends)
        return word("usual", language, low=low, high=high)


class _Page:
    """Builds the page and answers it.

    Args:
        gradio: the package.
        registry: of the models.
        uploads: the folder of uploaded files.
    """

    def __init__(self, gradio: Any, registry: ModelRegistry, uploads: Path) -> None:
        self._gradio, self._registry, self._uploads = gradio, registry, uploads
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
            if len(names) == 1:
                self._model(names[0], language)
            else:
                with gr.Tabs():
                    for name in names:
                        with gr.Tab(name):
                            self._model(name, language)
            components = [component for component, _ in self._spoken]
            quiet: dict[str, Any] = {"concurrency_limit": 16, "api_visibility": "private"}
            language.change(self._speak, language, components, show_progress="hidden", **quiet)
            first = _first_language  # Gradio knows what to give it by the annotation
            first.__annotations__ = {"request": gr.Request}
            page.load(first, None, language, show_progress="hidden", **quiet)
        return page

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
                parts = [self._part(field) for field in model.request.fields.values()]
                with gr.Row():
                    clear = gr.Button(word("clear", "en"), variant="secondary", scale=1)
                    ask = gr.Button(word("ask", "en"), variant="primary", scale=3)
            with gr.Column(scale=4, min_width=300):
                answer = gr.HTML(_quiet("en"), elem_classes="answer")
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
                            _quiet(LANGUAGES.get(chosen, "en"))],
            language, [*shown, *boxes, answer], concurrency_limit=16, api_visibility="private",
        )  # fmt: skip

    def _part(self, field: InputField) -> _Part:
        with self._gradio.Column(elem_classes="input-card", min_width=100):
            shown = self._component(field)
            left_out = self._gradio.Checkbox(
                False, label=word("leave_out", "en"), elem_classes="left-out", container=False
            )
        part = _Part(field, shown, left_out)
        shown.label = part.label("en")
        hint = {"info": part.hint("en")} if part.hint("en") else {}
        if hint:
            shown.info = hint["info"]
        self._says(
            shown,
            lambda spoken: (
                {"label": part.label(spoken)} | ({"info": part.hint(spoken)} if hint else {})
            ),
        )
        self._says(left_out, lambda spoken: {"label": word("leave_out", spoken)})
        return part

    def _component(self, field: InputField) -> Any:
        gr, kind = self._gradio, field.kind
        if kind == "image":
            # image_mode None: the file is passed on as it is.
            return gr.Image(
                type="filepath", image_mode=None, sources=["upload", "webcam", "clipboard"],
                height=230,
            )  # fmt: skip
        if kind == "audio":
            return gr.Audio(type="filepath", sources=["upload", "microphone"])
        if kind == "video":
            return gr.Video(sources=["upload", "webcam"], height=230)
        if field.is_file:
            many = "multiple" if kind == "gallery" else "single"
            return gr.File(file_count=many, height=120)
        if kind == "category":
            return gr.Dropdown([str(choice) for choice in field.choices], value=None)
        if isinstance(field.modality, Tags):
            return gr.Dropdown(field.modality.labels, value=None, multiselect=True)
        # Numbers too: Gradio's own field for them gives 0 where nothing was entered.
        lines = 3 if kind in ("text", "passages") else 1
        longest = {"max_length": self._registry.limits.characters} if kind == "text" else {}
        return gr.Textbox(lines=lines, placeholder=_placeholder(field), **longest)

    def _answering(self, name: str, parts: Sequence[_Part]) -> Callable[..., Any]:
        async def answer(chosen: str, *given: Any) -> str:
            language = LANGUAGES.get(chosen, "en")
            model = self._registry.get(name)
            values, boxes = given[: len(parts)], given[len(parts) :]
            try:
                used = {p.field.name: value for p, value, box
                        in zip(parts, values, boxes, strict=True) if not box}  # fmt: skip
                cells = {n: self._cell(model.request, n, value) for n, value in used.items()}
                cells = {n: cell for n, cell in cells.items() if cell not in (None, "", [])}
                if not cells:
                    return _card(word("wrong", language), word("empty", language), "problem")
                found = await model.explain(model.request.parse_cells(cells))
            except Problem as problem:
                return _problem(problem, language)
            return _answers(found, language)

        return answer

    def _cell(self, request: RequestModel, name: str, value: Any) -> Any:
        """What Gradio's component holds, as a request has it."""
        field = request.fields[name]
        if field.is_file and value:
            files = value if isinstance(value, list) else [value]
            read = [self._read(file) for file in files]
            return read if field.kind == "gallery" else read[0]
        if field.kind == "passages" and isinstance(value, str):
            return [line for line in value.splitlines() if line.strip()]
        return value

    def _read(self, file: Any) -> bytes:
        # Of a video Gradio sends {"video": {"path": …}}, of anything else {"path": …}.
        found = file.get("video", file) if isinstance(file, Mapping) else {}
        path = found.get("path") if isinstance(found, Mapping) else None
        if not inside(path, self._uploads):
            raise Problem(422, "unreadable-input", "There is no such upload.")
        return Path(str(path)).read_bytes()


def _first_language(request: Any) -> str:
    """The language that the browser asks for first."""
    asked = (request.headers.get("accept-language") or "").lower()
    return "中文" if asked.startswith("zh") else "English"


def _placeholder(field: InputField) -> str:
    examples = {"geo": "48.137, 11.575", "timestamp": "2024-05-31 17:05"}
    return examples.get(field.kind, field.title)[:80]


def _quiet(language: Language) -> str:
    return f"<div class='card quiet'>{word('nothing_yet', language)}</div>"


def _card(title: str, body: str, kind: str = "", *, html: bool = False) -> str:
    inner = body if html else f"<p>{escape(body)}</p>"
    role = " role='alert'" if kind == "problem" else ""
    return f"<div class='card {kind}'{role}><h3>{escape(title)}</h3>{inner}</div>"


def _problem(problem: Problem, language: Language) -> str:
    known = {"too-busy": "busy", "took-too-long": "busy", "too-large": "too_large"}
    body = problem.detail
    if problem.kind in known:
        body = word(known[problem.kind], language)
    elif problem.mistakes:
        body = " ".join(
            word("unusable", language, field=m.field.removeprefix("inputs."), came=_reason(m.came))
            for m in problem.mistakes
        )
    return _card(word("wrong", language), body, "problem")


def _reason(came: str) -> str:
    """What is wrong with a cell, without the frame that programs get it in."""
    return came.removeprefix(f"{UNUSABLE} (").removesuffix(")") if UNUSABLE in came else came


def _answers(found: Mapping[str, Any], language: Language) -> str:
    """The answer of each target, and what each input added to it."""
    cards = []
    for target, said in found["answers"].items():
        shares = said.get("probabilities")
        shown = _shown(said["value"])
        body = f"<p style='font-size:1.35rem;opacity:1;font-weight:600'>{escape(shown)}</p>"
        if shares:
            body += "".join(_bar(k, s, f"{s:.1%}") for k, s in [*shares.items()][:MOST_BARS])
        cards.append(_card(f"{word('answer', language)} · {target}", body, html=True))
        cards.append(_influence(found["influence"][target], shown, bool(shares), language))
    if found["missing"]:
        cards.append(_note(word("left_out", language, names=", ".join(found["missing"]))))
    cards += [_note(note) for note in found["notes"]]
    return "<div style='display:grid;gap:12px'>" + "".join(cards) + "</div>"


def _influence(changes: Mapping[str, Any], answer: str, shares: bool, language: Language) -> str:
    title = word("mattered", language)
    if len(changes) < 2:
        return _card(title, word("only_one", language))
    about = word("mattered_about" if shares else "mattered_number", language, answer=answer)
    most = 1.0 if shares else max(abs(c["change"] or 0.0) for c in changes.values()) or 1.0
    bars = []
    for column, found in sorted(changes.items(), key=lambda item: -abs(item[1]["change"] or 0.0)):
        change = found["change"] or 0.0
        written = word("by_points", language, change=-100 * change) if shares else f"{-change:+.3g}"
        without = word("instead", language, answer=_shown(found["without"]))
        bars.append(_bar(column, abs(change) / most, written, without, against=change < 0))
    return _card(title, f"<p>{escape(about)}</p>" + "".join(bars), html=True)


def _bar(name: str, share: float, written: str, aside: str = "", *, against: bool = False) -> str:
    width = f"{100 * min(max(share, 0.0), 1.0):.1f}%"
    kind = "fill against" if against else "fill"
    below = f"<div class=aside>{escape(aside)}</div>" if aside else ""
    return (
        f"<div class=bar><div class=line><span>{escape(name)}</span><span>{written}</span></div>"
        f"<div class=track><div class='{kind}' style='width:{width}'></div></div>{below}</div>"
    )


def _note(text: str) -> str:
    return f"<div class='card quiet' style='text-align:left'>{escape(text)}</div>"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "—"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
