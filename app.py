"""create_app() and the command line: serve, run, generate, table, models, store, keys, scheduler, worker."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from backends import __version__, settings
from backends.errors import Refused
from viz.pages import page_modules

if TYPE_CHECKING:
    from dash import Dash

    from backends.jobs.engine import Engine
    from viz.server.access import Access

FIRST = "lib.js"
"""The script that all others use."""
BEFORE = "first_view.js"
"""The script that stands before Dash's own."""


def assets_folder() -> Path:
    """Return the folder of scripts and styles: beside this file in the project, within `viz` where it is installed."""
    import viz

    beside = Path(__file__).parent / "assets"
    return beside if beside.is_dir() else Path(viz.__file__).parent / "assets"


def create_app(engine: Engine | None = None, access: Access | None = None) -> Dash:
    """The web app over `engine` (None: one of its own, started when first asked).

    `access` says under which names it answers, and to whom (None: under any, and to everybody).
    """
    import dash

    from backends.jobs.engine import Engine
    from backends.store import Store
    from viz.components import shell
    from viz.components.looking import only_looking
    from viz.server.access import Access
    from viz.server.page_app import Page, PageApp
    from viz.server.security import protect

    engine = engine or Engine(Store())
    app = PageApp(
        __name__,
        title="Vitrine",
        update_title=None,
        use_pages=True,
        pages_folder="",
        assets_folder=str(assets_folder()),
        assets_ignore="^({})$".format("|".join(map(re.escape, (FIRST, BEFORE)))),  # they stand before the others
        serve_locally=True,
        compress=True,
        suppress_callback_exceptions=True,
        health_endpoint="health",
        index_string=shell.index(),
        on_error=shell.on_error,
        include_pages_meta=False,
        enable_mcp=False,
    )
    written = int((assets_folder() / FIRST).stat().st_mtime)
    app.config.external_scripts.append(f"{app.get_asset_url(FIRST)}?m={written}")
    app.server.config["ENGINE"] = engine
    dash.register_page("not_found_404", layout=shell.lost, title="No such page · Vitrine")
    pages = _add_pages(app, only_looking(engine))
    frames = [{"name": page.TITLE, "path": page.PATH} for page in pages]
    own = len(app._callback_list)
    shell.register(app, frames)
    app.layout = lambda: shell.shell(frames)
    app.frame = lambda content: shell.shell(frames, content)
    everywhere = app._callback_list[own:]
    whole = {
        page.PATH: Page(f"{page.TITLE} · Vitrine", shell.guarded(page.layout), [*specs, *everywhere])
        for page, specs in pages.items()
    }
    lost = Page("No such page · Vitrine", shell.lost, everywhere)
    app.prepare(whole, lost, engine.store)
    protect(app, engine, access or Access())
    app.bundle((assets_folder() / BEFORE).read_text(encoding="utf-8"))
    return app


def _add_pages(app: Dash, engine: Engine) -> dict[ModuleType, list[dict[str, Any]]]:
    """Give the app every page, and return those that it has, each with its callbacks.

    Somebody's own that cannot be set up is left out.
    """
    import dash

    from backends import plugins
    from viz.components import shell

    there = {}
    for page in page_modules():
        before = len(app._callback_list)
        try:
            page.register(app, engine)
        except Exception as error:
            if not plugins.is_plugin(page):
                raise
            said = f"register fails ({type(error).__name__}: {str(error)[:200]})"
            plugins.report(Path(str(page.__file__)), f"{page.__file__} is left out: {said}")
            continue
        dash.register_page(
            page.__name__,
            path=page.PATH,
            name=page.TITLE,
            title=f"{page.TITLE} · Vitrine",
            order=page.ORDER,
            description=page.QUESTION,
            layout=shell.guarded(page.layout),
        )
        there[page] = app._callback_list[before:]
    return there


def serve(args: argparse.Namespace) -> int:
    """Serve the pages until Ctrl-C or SIGTERM; answers under way then end first."""
    import signal

    from backends import folders, settings
    from backends.jobs.engine import Engine
    from backends.store import Store
    from viz.server import health, listening, logs
    from viz.server.access import Access, beyond

    logs.configure(settings.value("VITRINE_LOG"))
    access, limits = Access.of_settings(args.host), listening.Limits.of_settings()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if beyond(args.host):
        settings.set_default("VITRINE_ROOTS", folders.NOWHERE)
    engine = Engine(Store())
    try:
        _reach(args.host, args.port)
        engine.store.sweep()
        app = create_app(engine, access)
        server = listening.Server(app.server, args.host, args.port, limits)
        app.server.config[health.FIGURES] = server.figures
        for end in (signal.SIGINT, signal.SIGTERM):
            signal.signal(end, lambda *_: server.stop())
        engine.warm()
        print(f"Vitrine is at {access.link(args.host, args.port)}  (Ctrl-C stops it)", flush=True)
        server.run()
    except OSError as error:
        print(f"cannot serve on {args.host}:{args.port}: {error}; set HOST or PORT", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    finally:
        engine.close()
    return 0


def _reach(host: str, port: int) -> None:
    """Raise `OSError` at once when the address cannot be served on, rather than after everything was loaded."""
    import socket

    for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[:1]:
        with socket.create_server(address[:2], family=family):
            pass


def run(args: argparse.Namespace) -> int:
    """Compute one method and write result.json, arrays.safetensors and figure.html, with a receipt where asked for."""
    import backends
    from viz.server import downloads

    model = backends.open_model(args.model)
    raw = {"image": args.input} if "pixels" in model.offers else args.input
    target: Any = args.target.split("|") if args.target and "|" in args.target else args.target
    if args.sequence:
        target = {"sequence": args.sequence}
    if args.corrupted:
        raw = {"clean": raw, "corrupted": corrupted(model, raw, args.corrupted)}
    options = circuit(args.circuit) | dict(pair.partition("=")[::2] for pair in args.set)
    result = backends.run(model, args.method, raw, target=target, **options)
    said = {}
    if args.receipt:
        receipt = backends.evidence.receipt(model, result, raw, target=target, word=args.word)
        result = dataclasses.replace(result, facts={**result.facts, "receipt": receipt.plain()})
        said = {"verdict": receipt.verdict, "rule": receipt.rule}
    out = Path(args.out)
    result.save(out)
    (out / "figure.html").write_text(downloads.html(result))
    numbers = _numbers(result.facts)
    print(json.dumps({"out": str(out), "target": result.target, "unit": result.unit, "facts": numbers, **said}))
    return 0


def corrupted(model: Any, raw: Any, given: str) -> Any:
    """The input called `given`, or one made from `raw` in the way that it names."""
    import backends
    from backends.models.input_pair import WAYS

    if given in WAYS:
        return backends.corrupt(model, raw, given)
    return {"image": given} if "pixels" in model.offers else given


def circuit(path: str | None) -> dict[str, Any]:
    """The options that replay the circuit in a file: its own JSON, or the result.json that has it."""
    from backends.methods.causal.circuit import options

    if not path:
        return {}
    try:
        written = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(f"the circuit {path!r} cannot be read: {error}") from None
    return options(written.get("facts", {}).get("circuit", written) if isinstance(written, dict) else written)


def generate(args: argparse.Namespace) -> int:
    """Continue a text, and print its tokens with their probabilities as JSON."""
    import backends

    options = dict(pair.partition("=")[::2] for pair in args.set)
    print(json.dumps(backends.generate(backends.open_model(args.model), args.input, **options), ensure_ascii=False))
    return 0


def table(args: argparse.Namespace) -> int:
    """Answer every row of a folder of images or a CSV of texts; writes table.csv and table.json."""
    import backends
    from backends.inputs import datasets
    from viz.server import table_downloads

    data = datasets.open_path(args.data)
    for note in data.notes:
        print(note, file=sys.stderr)
    found = backends.table(backends.open_model(args.model), data)
    table_downloads.write(Path(args.out), data, found)
    print(
        json.dumps({"out": args.out, **{n: v for n, v in found["summary"].items() if n not in ("by_class", "answers")}})
    )
    return 0


def _numbers(facts: Any) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if isinstance(value, (int, float, str)) and name != "text"}


def models(args: argparse.Namespace) -> int:
    """List the bundled models and the methods, and what is wrong with somebody's own files."""
    from backends import catalog, plugins, registry

    for card in catalog.bundled():
        print(f"{card['name']:28} {card['title']}")
    print("\nany hub id or folder opens too; methods: " + ", ".join(registry.entries("methods")))
    for problem in plugins.problems():
        print(problem, file=sys.stderr)
    return 0


def store(args: argparse.Namespace) -> int:
    """Verify the store, drop what is too much of it, or say how large it is; 1 where something was damaged."""
    from backends.store import Store

    kept, damaged = Store(), 0
    if args.what == "verify":
        for kind, key in kept.verify():
            damaged += 1
            print(f"damaged, and dropped: {kind}/{key}")
        print(f"{damaged} damaged; all else is as it was written")
    if args.what == "gc":
        before, pieces = kept.size(), kept.sweep()
        print(f"{pieces} pieces of dead writers; {(before - kept.trim()) / 2**20:.1f} MB freed")
    for kind, (count, held) in kept.sizes().items():
        print(f"{kind:10} {count:8}  {held / 2**20:10.1f} MB")
    print(f"{kept.root} keeps at most {kept.limit / 2**30:g} GB (VITRINE_STORE_GB)")
    return 1 if damaged else 0


def keys(args: argparse.Namespace) -> int:
    """Make the keys of a cluster in a folder."""
    from backends.jobs.cluster import make_keys

    folder = make_keys(Path(args.folder))
    print(f"copy {folder} to each machine of the cluster, for its user only, and set VITRINE_TLS to it there")
    return 0


def scheduler(args: argparse.Namespace) -> int:
    """Serve the scheduler that hands the web processes' jobs to workers, until Ctrl-C."""
    from backends.jobs.cluster import schedule

    with contextlib.suppress(KeyboardInterrupt):
        schedule(args.host, args.port)
    return 0


def worker(args: argparse.Namespace) -> int:
    """Join the cluster of a scheduler and work for it: one process, one thread, one GPU."""
    from backends.jobs.cluster import work_for

    address = args.scheduler or settings.value("VITRINE_SCHEDULER")
    if not address:
        raise Refused("no scheduler named; start `python app.py scheduler` and give --scheduler tls://HOST:8786")
    print(f"working for {address}  (Ctrl-C stops it)", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        work_for(address)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    name = "vitrine" if Path(sys.argv[0]).stem == "vitrine" else "app.py"
    top = argparse.ArgumentParser(prog=name, description="Vitrine: a glass case for neural networks")
    top.add_argument("--version", action="version", version=f"Vitrine {__version__}")
    commands = top.add_subparsers(dest="command")
    one = commands.add_parser("serve", help="serve the pages (the default)")
    one.add_argument("--host", default=settings.value("HOST"))
    one.add_argument("--port", type=int, default=int(settings.number("PORT")))
    one.set_defaults(do=serve)
    one = commands.add_parser("run", help="compute one method of one input into a folder")
    one.add_argument("method")
    one.add_argument("--model", required=True, help="bundled/<name>, a hub id or a folder")
    one.add_argument("--input", required=True, help="the text, or the path of the image")
    one.add_argument("--corrupted", help="the input that this one is compared with; 'swap' or 'resample' makes one")
    one.add_argument("--circuit", help="the JSON of a circuit whose heads and options are taken")
    one.add_argument("--target", help="a class or token; 'a|b' explains a rather than b; default: what is predicted")
    one.add_argument("--sequence", help="explain this continuation instead of one token")
    one.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="an option of the method")
    one.add_argument(
        "--receipt", action="store_true", help="also test whether to believe the map, and keep the receipt"
    )
    one.add_argument("--word", help="the word whose map is tested, of a drawing")
    one.add_argument("--out", default="vitrine-out", help="the folder to write")
    one.set_defaults(do=run)
    one = commands.add_parser("generate", help="let a model continue a text, token by token")
    one.add_argument("--model", required=True, help="bundled/<name>, a hub id or a folder")
    one.add_argument("--input", required=True, help="the text")
    options = "tokens, temperature (none: the most probable), top_k, top_p or seed"
    one.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help=options)
    one.set_defaults(do=generate)
    one = commands.add_parser("table", help="answer every row of your own data, and say how often that is right")
    one.add_argument("data", help="a folder of images, a CSV or TSV of texts, or a zip")
    one.add_argument("--model", required=True, help="bundled/<name>, a hub id or a folder")
    one.add_argument("--out", default="vitrine-out", help="the folder to write")
    one.set_defaults(do=table)
    commands.add_parser("models", help="list bundled models and methods").set_defaults(do=models)
    one = commands.add_parser("store", help="verify what is kept, make room, or say how large it is")
    one.add_argument("what", choices=("verify", "gc", "size"))
    one.set_defaults(do=store)
    one = commands.add_parser("keys", help="make the keys with which the machines of a cluster know each other")
    one.add_argument("folder", help="a new folder, for VITRINE_TLS")
    one.set_defaults(do=keys)
    one = commands.add_parser("scheduler", help="hand the jobs of web processes to workers on several machines")
    one.add_argument("--host", default="127.0.0.1", help="where to listen; beyond 127.0.0.1 VITRINE_TLS must name keys")
    one.add_argument("--port", type=int, default=8786)
    one.set_defaults(do=scheduler)
    one = commands.add_parser("worker", help="work for a scheduler")
    one.add_argument("--scheduler", help="tls://HOST:8786; default: VITRINE_SCHEDULER")
    one.set_defaults(do=worker)
    return top


def main(words: list[str] | None = None) -> int:
    """Run one command; a refusal is one line on stderr and exit code 2."""
    words = sys.argv[1:] if words is None else words
    known = (
        "serve",
        "run",
        "generate",
        "table",
        "models",
        "worker",
        "keys",
        "scheduler",
        "store",
        "-h",
        "--help",
        "--version",
    )
    try:
        settings.check()
        args = parser().parse_args(words if words and words[0] in known else ["serve", *words])
        return args.do(args)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
