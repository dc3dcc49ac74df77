"""What tells who a person is: e-mail addresses, numbers of phones, cards and identity cards."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import date

from polymodal.clean_options import PersonalData

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# Thirteen to nineteen digits, perhaps in groups, with no further digit beside them.
CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.]?\d)")
CHINESE_ID = re.compile(r"(?<!\d)\d{17}[\dXx](?![\dA-Za-z])")
PHONES = (
    # Chinese mobile: eleven digits from 13 to 19, perhaps with the country's number.
    re.compile(r"(?<![\d+])(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)"),
    # With the number of a country: +49 30 1234567.
    re.compile(r"(?<!\w)\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,6}(?!\d)"),
    # North American: (555) 123-4567, 555-123-4567.
    re.compile(r"(?<![\d-])(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[.-]\d{4}(?![\d-])"),
    # A Chinese city: 010-12345678.
    re.compile(r"(?<![\d-])0\d{2,3}-\d{7,8}(?![\d-])"),
)
ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
ID_SIGNS = "10X98765432"


def mask_personal_data(text: str, kinds: Collection[PersonalData]) -> str:
    """The text with what tells who a person is replaced by its kind in brackets.

    A number is taken for a card or an identity card only where its check digit is right.

    >>> mask_personal_data("Ask Li at li@example.org or 138 0013 8000.", ("email", "phone"))
    'Ask Li at [email] or [phone].'
    >>> mask_personal_data("4111 1111 1111 1111, not 4111 1111 1111 1112", ("card",))
    '[card], not 4111 1111 1111 1112'
    """
    if "id" in kinds:
        text = _masked(text, CHINESE_ID, "[id]", is_chinese_id)
    if "card" in kinds:
        text = _masked(text, CARD, "[card]", passes_luhn)
    if "email" in kinds:
        text = EMAIL.sub("[email]", text)
    if "phone" in kinds:
        for pattern in PHONES:
            text = pattern.sub("[phone]", text)
    return text


def passes_luhn(number: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812).

    >>> passes_luhn("79927398713"), passes_luhn("79927398710")
    (True, False)
    """
    digits = [int(sign) for sign in number if sign.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_chinese_id(number: str) -> bool:
    """Whether 18 signs are a resident's number: a date of birth, and the check sign (GB 11643).

    >>> is_chinese_id("11010519491231002X"), is_chinese_id("110105194912310021")
    (True, False)
    """
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(int(sign) * weight for sign, weight in zip(number, ID_WEIGHTS, strict=False))
    return number[17].upper() == ID_SIGNS[total % 11]


def _masked(text: str, pattern: re.Pattern[str], word: str, holds: Callable[[str], bool]) -> str:
    return pattern.sub(lambda found: word if holds(found[0]) else found[0], text)
