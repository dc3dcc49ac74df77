"""The tab of the web page that looks for rows: anything the index knows asks, rows answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from polymodal.search.result_view import shown_hits
from polymodal.serving.answer_cards import card, problem_card
from polymodal.serving.hit_cards import hit_cards
from polymodal.serving.page_inputs import PageInput, PageInputs, Says
from polymodal.serving.page_words import LANGUAGES, Language, word
from polymodal.serving.problem import Problem
from polymodal.serving.row_filter import LONGEST
from polymodal.serving.served_index import MOST_WORDS, Question, ServedIndex

MOST_SHOWN = 48
USUALLY_SHOWN = 12


class SearchTab:
    """What the tab has, at the place of the page that is being built.

    Args:
        gradio: the package.
        index: that is asked.
        inputs: makes the inputs.
        says: is told what changes with the language.
        language: the component that holds the language.
        into_view: JavaScript that is run when an answer has come.
    """

    def __init__(
        self, gradio: Any, index: ServedIndex, *, inputs: PageInputs, says: Says, language: Any,
        into_view: str,
    ) -> None:  # fmt: skip
        gr = self._gradio = gradio
        self._index, self._inputs, self._says = index, inputs, says
        with gr.Row():
            with gr.Column(scale=4, min_width=300):
                self._parts = [
                    inputs.make(field, may_be_left_out=False) for field in index.fields.values()
                ]
                words, where, k = self._further()
                with gr.Row():
                    clear = gr.Button(word("clear", "en"), variant="secondary", scale=1)
                    ask = gr.Button(word("search", "en"), variant="primary", scale=3)
            with gr.Column(scale=6, min_width=300):
                answer = gr.HTML(_quiet("en"), elem_classes="answer")
        says(ask, lambda spoken: {"value": word("search", spoken)})
        says(clear, lambda spoken: {"value": word("clear", spoken)})
        shown = [part.shown for part in self._parts]
        asked = gr.on(
            [ask.click]
            + [box.submit for box in (*shown, words, where) if isinstance(box, gr.Textbox)],
            self._answering(self._parts), [language, words, where, k, *shown], answer,
            preprocess=False, concurrency_limit=16, api_visibility="private",
        )  # fmt: skip
        asked.then(None, js=into_view, api_visibility="private")
        clear.click(
            lambda chosen: [*[None] * len(shown), "", "", USUALLY_SHOWN,
                            _quiet(LANGUAGES.get(chosen, "en"))],
            language, [*shown, words, where, k, answer], concurrency_limit=16,
            api_visibility="private",
        )  # fmt: skip

    def _further(self) -> tuple[Any, Any, Any]:
        """Words, filter, and how many rows."""
        gr, index = self._gradio, self._index.index
        fields = ", ".join(index.fields)
        words = gr.Textbox(
            label=word("words", "en"), info=word("words_about", "en"), max_length=MOST_WORDS,
            visible=bool(index.about.texts),
        )  # fmt: skip
        where = gr.Textbox(
            label=word("where", "en"), info=word("where_about", "en", fields=fields),
            max_length=LONGEST,
        )  # fmt: skip
        k = gr.Slider(1, MOST_SHOWN, USUALLY_SHOWN, step=1, label=word("how_many", "en"))
        self._says(
            words, lambda spoken: {"label": word("words", spoken),
                                   "info": word("words_about", spoken)},
        )  # fmt: skip
        self._says(
            where, lambda spoken: {"label": word("where", spoken),
                                   "info": word("where_about", spoken, fields=fields)},
        )  # fmt: skip
        self._says(k, lambda spoken: {"label": word("how_many", spoken)})
        return words, where, k

    def _answering(self, parts: Sequence[PageInput]) -> Callable[..., Any]:
        async def answer(chosen: str, words: Any, where: Any, k: Any, *given: Any) -> str:
            language = LANGUAGES.get(chosen, "en")
            try:
                cells = self._inputs.cells(parts, given)
                words, where = str(words or "")[:MOST_WORDS].strip(), str(where or "").strip()
                if not cells and not words:
                    empty = word("empty_search", language)
                    return card(word("not_found", language), empty, "problem")
                if cells:
                    cells = self._index.model.request.parse_cells(cells)
                question = Question(cells, words, where or None, _count(k))
                found = await self._index.search(question)
                hits = await self._index.in_turn(partial(shown_hits, self._index.index, found))
            except Problem as problem:
                return problem_card(problem, language, title="not_found")
            return hit_cards(found, hits, language)

        return answer


def _count(k: Any) -> int:
    """Rows to show; the page's own slider gives nothing else, but other clients may."""
    number = k if isinstance(k, int | float) and k == k else USUALLY_SHOWN
    return int(min(max(number, 1), MOST_SHOWN))


def _quiet(language: Language) -> str:
    return f"<div class='card quiet'>{word('no_search_yet', language)}</div>"
