"""Checks: what is wrong with a table, by column and row.

Every check is a function of a :class:`Subject` that returns findings; one file for each family.
"""

from polymodal.checks.checking import CHECKS, check
from polymodal.checks.subject import Subject

__all__ = ["CHECKS", "Subject", "check"]
