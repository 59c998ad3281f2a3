"""Every error Leadlift raises on purpose, as one small tree.

    LeadliftError              exit 1   something failed and we can say what
    |-- InputError             exit 1   a file, row or value that cannot be used
    |   |-- MappingError       exit 1   the mapping file asks for what the table has not
    |   |-- RejectLimitError   exit 1   too many bad rows; nothing was changed
    |   `-- BundleError        exit 1   a model bundle that is broken or was altered
    |-- StoreError             exit 1   a store's database that does not answer now; nothing was changed
    |-- CrmError               exit 1   a CRM that takes no more now; what it accepted is remembered
    |-- UsageError             exit 2   a wrong option or argument
    |   `-- SettingsError      exit 2   a wrong or unknown setting
    `-- Verdict                exit 3   the work was done and the answer is no

A message is one line: where, what was expected, what came, what to do. It never carries
personal data: name the column and the row, not the value of a person's field.
"""

from __future__ import annotations

from typing import Self


class LeadliftError(Exception):
    """Base of all deliberate errors; `exit_code` is what the command line returns."""

    exit_code = 1


class InputError(LeadliftError):
    """Bad or unusable input.

    Build it with `InputError.of(where=..., expected=..., got=..., remedy=...)`, or from a ready sentence.
    """

    @classmethod
    def of(cls, *, where: str, expected: str, got: str, remedy: str) -> Self:
        return cls(f"{where}: expected {expected}, got {got}. {remedy}")


class MappingError(InputError):
    """The mapping file and the table do not fit each other."""


class RejectLimitError(InputError):
    """More rows were rejected than the limit allows; the dataset is unchanged."""


class BundleError(InputError):
    """A bundle is incomplete, damaged, or of features this version does not know."""


class StoreError(LeadliftError):
    """A store's database does not answer, not in time, or broke off: the same may work in a moment."""


class CrmError(LeadliftError):
    """A CRM takes no more now: the token, a limit, its set-up, or it is out of reach. The next run goes on.

    code: the reason in one word, which the leads left over are marked with.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class UsageError(LeadliftError):
    """A wrong option or argument."""

    exit_code = 2


class SettingsError(UsageError):
    """A wrong or unknown setting."""


class Verdict(LeadliftError):
    """The question was answered and the answer is no: a closed gate, too little history, no champion."""

    exit_code = 3
