"""How well a run of slake answers closed and open questions, in each language.

    python examples/slake_open/closed_questions.py runs/slake_open $POLYMODAL_DATA/slake

The table says which questions are closed ("Is this a CT?", "Which is bigger, liver or kidney?").
Those of the test part are compared with two ways of answering without looking at the picture, both
learned from the closed questions of the training part in the same language:

* majority: the most frequent answer;
* same words: the most frequent answer to the question in the very same words; majority for a
  question whose words are new.

An answer is right if it is the true one, but for case and punctuation. Intervals are 95 % bootstrap
intervals over the questions; those of differences are paired.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import polymodal as pm
from polymodal.evaluation import Outcome, Score, difference, evaluate

LANGUAGES = {"en": "English", "zh": "Chinese"}
Pair = tuple[str, str]  # a question and its answer


def majority(known: Sequence[Pair]) -> str:
    """The most frequent answer; case does not count."""
    return Counter(answer.lower() for _, answer in known).most_common(1)[0][0]


def by_same_words(known: Sequence[Pair], asked: Sequence[str]) -> list[str]:
    """The most frequent answer to each question in its very words, else to any question."""
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    usual = majority(known)
    for question, answer in known:
        answers[question.lower()][answer.lower()] += 1
    found = [answers.get(question.lower()) for question in asked]
    return [counts.most_common(1)[0][0] if counts else usual for counts in found]


def part_of(outcome: Outcome, places: np.ndarray) -> Outcome:
    """What was said and what is true in some rows of an outcome."""
    truth, answer, rows = outcome.truth[places], outcome.answer[places], outcome.rows[places]
    return replace(outcome, truth=truth, answer=answer, rows=rows, scores=None, surprise=None)


def in_words(score: Score) -> str:
    """A share of right answers with its interval."""
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"


def compared(ours: Outcome, known: Sequence[Pair], asked: Sequence[str]) -> Iterator[str]:
    """What is printed of closed questions beside answers without a look at the picture."""
    usual = majority(known)
    others = {
        f"majority, {usual!r}": [usual] * len(ours),
        "same words": by_same_words(known, asked),
    }
    for name, said in others.items():
        theirs = replace(ours, answer=np.array(said))
        share, ahead = evaluate(theirs)["exact_match"], difference(ours, theirs)
        yield f"   {name}: {in_words(share)}; the model is ahead by {in_words(ahead)}"


def main() -> None:
    """Answer the questions of a part, and print how many answers are right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="the run directory")
    parser.add_argument("data", type=Path, help="the folder slake")
    parser.add_argument("--part", default="test", choices=("val", "test"))
    options = parser.parse_args()

    table = pm.Table.read(options.data)
    split, language, kind, question, answer = (
        np.array(table.cells(name), dtype=object)
        for name in ("split", "lang", "answer_type", "question", "answer")
    )
    rows = np.flatnonzero(split == options.part)
    outcome = pm.Predictor.load(options.run).outcomes(table.take(rows))["answer"]
    rows = rows[outcome.rows]
    for code, name in LANGUAGES.items():
        for closed in (True, False):
            alike = (language == code) & (kind == ("CLOSED" if closed else "OPEN"))
            places = np.flatnonzero(alike[rows])
            ours = part_of(outcome, places)
            share = in_words(evaluate(ours)["exact_match"])
            print(f"{name}, {'closed' if closed else 'open'}: {share} of {len(ours)} questions")
            if closed:
                learned = np.flatnonzero(alike & (split == "train"))
                known = [(question[row], answer[row]) for row in learned if answer[row]]
                print("\n".join(compared(ours, known, question[rows[places]].tolist())))


if __name__ == "__main__":
    main()
