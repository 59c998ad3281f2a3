"""The command line. Commands live in `serving/commands/`; this file names them and turns errors into exit codes."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from data.errors import LeadliftError
from data.redact import without_passwords

# Both send usage data to third parties unless told not to; said before anything imports them.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")


class _Commands(TyperGroup):
    """Typer's own messages repeat an argument that does not fit: what is a URL goes without its password."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as wrong:
            if isinstance(said := getattr(wrong, "message", None), str):
                wrong.message = without_passwords(said)  # type: ignore[attr-defined]
            raise


def build_app() -> typer.Typer:
    """The application with all its commands."""
    from serving.commands import (
        check,
        content,
        data,
        experiment,
        features,
        fields,
        keys,
        models,
        monitor,
        numbers,
        openapi,
        paths,
        promote,
        rescore,
        rules,
        scores,
        status,
        store,
        writeback,
    )

    app = typer.Typer(
        name="leadlift",
        cls=_Commands,
        help="Predicts which leads convert: calibrated probabilities beside points both teams agreed on.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for module in (
        data,
        check,
        content,
        rules,
        features,
        fields,
        models,
        promote,
        scores,
        rescore,
        paths,
        experiment,
        keys,
        openapi,
        store,
        monitor,
        numbers,
        writeback,
        status,
    ):
        module.register(app)
    return app


def main() -> None:
    """Entry point of `leadlift`: errors we raise on purpose are one line and an exit code, never a traceback."""
    try:
        build_app()()
    except LeadliftError as error:
        print(f"error: {without_passwords(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("stopped; nothing half-written was published", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as refused:  # of the operating system: a path, a permission, a full disk
        if not refused.errno:
            raise
        where = f"{refused.filename}: " if refused.filename else ""
        print(
            f"error: {where}{refused.strerror}. Check the path, who may write there and the room left.", file=sys.stderr
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
