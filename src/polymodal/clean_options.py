"""The section ``clean`` of a recipe: which repairs are made, and how far they go."""

from __future__ import annotations

from typing import Literal

from polymodal.recipe_options import Options

Fill = Literal["off", "median", "most_frequent", "model", "constant"]
Normalisation = Literal["nfc", "nfkc", "whitespace"]
PersonalData = Literal["email", "phone", "card", "id"]
Cells = Literal["keep", "treat_as_missing", "drop_rows"]


class CleanOptions(Options):
    """Which repairs ``clean`` makes. What is on by default loses nothing a model could use."""

    unreadable: Cells = "treat_as_missing"
    """files that are not there, empty, damaged or of another kind"""
    empty_media: Cells = "keep"
    """recordings without sound, pictures of one colour, absurd sizes and durations"""
    extensions: Literal["keep", "fix"] = "keep"
    """files whose name says another format than they hold: fix makes a copy with the right name"""
    text: tuple[Normalisation, ...] = ("nfc", "whitespace")
    """how strings are made alike: nfc (letters in one piece), nfkc (also full-width letters and
    signs), whitespace (one blank between words, none at the ends, no invisible signs)"""
    encoding: Literal["keep", "fix"] = "fix"
    """text that was read in a wrong encoding, where the right one is certain"""
    personal_data: tuple[PersonalData, ...] = ()
    """what is replaced in strings by a word in brackets: email, phone, card, id"""
    spelling: Literal["keep", "merge"] = "merge"
    """spellings of one category: merge takes the most frequent one"""
    dates: Cells = "keep"
    """dates that are not in the calendar"""
    outliers: Cells = "keep"
    """numbers far from all others of their column"""
    units: Literal["keep", "fix"] = "keep"
    """numbers that are too large by a constant factor"""
    swapped: Literal["keep", "fix"] = "keep"
    """cells of two columns that were exchanged"""
    duplicates: Literal["keep", "keep_first"] = "keep_first"
    """rows that repeat another in inputs and targets (only where they hold media or text)"""
    near_duplicates: Literal["keep", "keep_first"] = "keep"
    """rows whose media or text is that of another row of the part, exactly or nearly"""
    shared_with_test: Literal["keep", "drop_from_training"] = "keep"
    """rows whose cells stand in the test part, too, exactly or nearly"""
    contradictions: Literal["keep", "drop_all"] = "keep"
    """rows with the same inputs and different targets"""
    label_errors: Literal["keep", "treat_as_missing", "drop_rows", "relabel"] = "keep"
    """training rows whose label is probably wrong; relabel takes the one that fits better"""
    targets: bool = False
    """repair what stands in target columns, too (text, encoding, spelling, units, …)"""
    fill: Fill | dict[str, Fill] = "off"
    """missing numbers and categories: off, median, most_frequent, model (from the other numbers
    and categories), constant; or column -> one of these; learned from the training part"""
    constant: float | str = 0.0
    """what fill: constant writes"""
    indicator: bool = True
    """for each column that is filled, a column NAME_missing that is 1 where it was"""
    sound: Literal["off", "spectral_gating"] = "off"
    """remove steady noise from all recordings; the results are new files"""
    pictures: Literal["off", "median", "bilateral"] = "off"
    """remove noise from all pictures: single pixels (median), or grain (bilateral); new files"""
