"""The command's words: each reads its arguments and hands over to the module that does the work."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from accord.cli import ending

MAKE, AGREE, RUN, SHOW = "Make a study", "Agree on it", "Run it and read it", "See what there is"

app = typer.Typer(
    name="accord",
    help="Statistics over data that its owners never share.",
    epilog=ending.CODES,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
gallery = typer.Typer(help="Published systems, each as a study that runs.", rich_markup_mode="rich")
app.add_typer(gallery, name="gallery", rich_help_panel=SHOW)
policy = typer.Typer(help="An owner's own rules for its data: policy.toml in its folder.", rich_markup_mode="rich")
app.add_typer(policy, name="policy", rich_help_panel=AGREE)
bench = typer.Typer(help="Benchmarks, each answer compared with DuckDB.", rich_markup_mode="rich")
app.add_typer(bench, name="bench", rich_help_panel=SHOW)

Study = Annotated[Path, typer.Argument(metavar="STUDY", help="The study's folder.", show_default=False)]


@app.callback(invoke_without_command=True)
def accord(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print the trace of an error; may stand anywhere.")] = False,
) -> None:
    """Statistics over data that its owners never share."""
    if version:
        from accord import __version__

        typer.echo(f"accord {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(rich_help_panel=MAKE)
def new(
    name: Annotated[Path, typer.Argument(metavar="NAME", help="The study's name; a folder of this name is made.", show_default=False)],
    owner: Annotated[
        list[str], typer.Option(metavar="PARTY=FILE", help="An owner and its CSV file; give it for each.", show_default=False)
    ],
    server: Annotated[
        list[str] | None, typer.Option(metavar="PARTY", help="A party that computes; three in all. Default: the owners, or helper too.")
    ] = None,
    purpose: Annotated[str | None, typer.Option(metavar="TEXT", help="What the results are for.", show_default=False)] = None,
) -> None:
    """Write a study from the owners' own files: a template to read and edit."""
    from accord.cli import new as command

    command.new(name, owner, server or [], purpose)


@app.command(rich_help_panel=MAKE)
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV or Parquet file.", show_default=False)],
    study: Annotated[Path | None, typer.Option(metavar="STUDY", help="Default: the study in this folder.", show_default=False)] = None,
    table: Annotated[str | None, typer.Option(metavar="TABLE", help="Default: the table that the file is meant for.")] = None,
) -> None:
    """Check a data file against its table's schema. Nothing leaves this machine."""
    from accord.cli import check as command

    command.check(file, study, table)


@app.command(rich_help_panel=AGREE)
def keys(
    study: Study,
    party: Annotated[list[str] | None, typer.Argument(metavar="[PARTY]…", help="Default: all that the study names.")] = None,
) -> None:
    """Make the keys of parties on this machine."""
    from accord.cli import agree

    agree.make_keys(study, party or [])


@app.command(rich_help_panel=AGREE)
def explain(
    study: Study,
    seconds: Annotated[bool, typer.Option("--seconds", help="Say too how long it will take; measures this machine once.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="Show too the plan before and after each rule that changed it.")] = False,
) -> None:
    """Say in plain words what a study computes, at what cost, and who learns what."""
    from accord.cli import agree

    agree.explain(study, seconds, rules)


@app.command(rich_help_panel=AGREE)
def sign(
    study: Study,
    party: Annotated[list[str] | None, typer.Option(metavar="PARTY", help="Who signs; may be given again.", show_default=False)] = None,
    all_local: Annotated[bool, typer.Option("--all-local", help="Every approver whose keys are on this machine signs.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="For scripts: sign without showing the explanation.")] = False,
) -> None:
    """Show the explanation, ask, and sign."""
    from accord.cli import agree

    agree.sign(study, party or [], all_local, yes)


@policy.command("test")
def policy_test(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A policy.", show_default=False)],
    study: Annotated[Path, typer.Option(metavar="STUDY", help="The study that declares the tables.", show_default=False)],
    examples: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Releases to try in place of the study's own.", show_default=False)
    ] = None,
) -> int:
    """Say of each release whether the policy allows it; if not, which rule says so and what is nearest. Reads no data."""
    from accord.cli import policy as command

    return command.test(file, study, examples)


@app.command(rich_help_panel=RUN)
def run(
    study: Study,
    runtime: Annotated[str, typer.Option(metavar="clear:|sim:|local:", help="Where it runs: see docs/how-to/run-a-server.md.")] = "local:",
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write as JSON what ran, or why it was refused.", show_default=False)
    ] = None,
) -> None:
    """Run a study.

    local: three server processes over TLS; sim: all in one process; clear: no encryption at all, to check a question.
    """
    from accord.cli import results

    results.run(study, runtime, report)


@app.command("open", rich_help_panel=RUN)
def open_result(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="A study (its newest run), or the folder of a run.", show_default=False)],
    recipient: Annotated[str, typer.Option("--as", metavar="RECIPIENT", help="Whose key opens it.", show_default=False)],
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a CSV file, and a report beside it.", show_default=False),
    ] = None,
    release: Annotated[str, typer.Option(metavar="RELEASE", help="Open one release alone.", show_default=False)] = "",
    sums: Annotated[bool, typer.Option("--sums", help="Show the sums with noise behind averages, variances and ratios.")] = False,
) -> None:
    """Decrypt what a recipient got, with its own key, on this machine."""
    from accord.cli import results

    results.open_result(result, recipient, csv, release=release, sums=sums)


@app.command("approve-output", rich_help_panel=RUN)
def approve_output(
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="FILE.report.json, as `accord open` wrote it.", show_default=False)],
    party: Annotated[str, typer.Option("--as", metavar="PARTY", help="Whose key signs.", show_default=False)],
    checker: Annotated[str, typer.Option(metavar="NAME", help="The person who checked.", show_default=False)],
    decline: Annotated[str | None, typer.Option(metavar="REASON", help="Sign that it may not be used.", show_default=False)] = None,
    study: Annotated[Path | None, typer.Option(metavar="STUDY", help="The study, for a report that lies elsewhere.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="For scripts: sign without showing what is signed.")] = False,
) -> None:
    """Sign that a person checked an output: the report's hash, with a party's key."""
    from accord.cli import output

    output.approve(report, party, checker, decline, study, yes)


@app.command(rich_help_panel=RUN)
def verify(
    receipt: Annotated[
        Path, typer.Argument(metavar="RECEIPT", help="A receipt or report, a run's folder, or a study.", show_default=False)
    ],
    study: Annotated[Path | None, typer.Option(metavar="STUDY", help="The study, for a receipt that lies elsewhere.")] = None,
) -> None:
    """Check a receipt: signatures, approvals, and that its three servers agree; or a report. Needs no network."""
    from accord.cli import results

    results.verify(receipt, study)


@app.command(rich_help_panel=SHOW)
def status(study: Study) -> None:
    """Say where a study stands: who has signed, who is missing, what has run."""
    from accord.cli import agree

    agree.status(study)


@gallery.command("list")
def gallery_list() -> None:
    """Name what can be run."""
    from accord.cli import gallery as command

    command.show()


@gallery.command("run")
def gallery_run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="See: accord gallery list.", show_default=False)],
    data: Annotated[Path | None, typer.Option(metavar="PATH", help="Your own data; default: made up, seeded.", show_default=False)] = None,
    runtime: Annotated[str, typer.Option(metavar="clear:|sim:|local:", help="Where it runs.")] = "local:",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Run one, and compare its result with the plaintext oracle."""
    from accord.cli import gallery as command

    return command.run(name, data, runtime, json)


@bench.callback()
def bench_all() -> None:
    """Benchmarks, each answer compared with DuckDB."""


@bench.command("tpch")
def bench_tpch(
    sf: Annotated[float, typer.Option(metavar="NUMBER", help="The scale factor; 1 is six million rows of lineitem.")] = 0.01,
    queries: Annotated[str, typer.Option(metavar="Q1,Q6,…", help="Default: all 22.", show_default=False)] = "",
    runtime: Annotated[str, typer.Option(metavar="clear:|sim:|local:", help="Where it runs.")] = "local:",
    data: Annotated[Path | None, typer.Option(metavar="FOLDER", help="The tables' files; default: made.", show_default=False)] = None,
    apart: Annotated[bool, typer.Option("--apart", help="Each table has an owner of its own: every join crosses owners.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end, and progress on stderr alone.")] = False,
) -> int:
    """TPC-H over three owners: a suppliers' side, a customers' side, a registry of nations and parts."""
    from accord.cli import bench as command

    return command.tpch(sf, queries, runtime, data, apart, json)


@app.command(rich_help_panel=SHOW)
def demo(name: Annotated[str, typer.Argument(metavar="[NAME]", help="Which of the gallery.")] = "trade") -> int:
    """Watch a study happen, from preview to receipt."""
    from accord.cli import gallery as command

    return command.demo(name)


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns the exit code (see accord.cli.ending)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    return ending.run(app, sys.argv[1:] if arguments is None else arguments)
