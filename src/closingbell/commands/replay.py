"""``closingbell replay``: the recorded market as a server on loopback."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from closingbell.domain.market_zones import NEW_YORK
from closingbell.errors import ClosingbellError

if TYPE_CHECKING:
    from closingbell.replay.server import ReplayServer

EXAMPLE_NOW = "2012-11-30T16:31-05:00"


class Instant(click.ParamType[datetime]):
    """An instant with its offset from UTC."""

    name = "instant"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a date and time; write it as {EXAMPLE_NOW}", param, ctx)
        if moment.utcoffset() is None:
            self.fail(f"{value!r} has no offset from UTC; write it as {EXAMPLE_NOW}", param, ctx)
        return moment.astimezone(UTC)


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8765,
    show_default=True,
    help="Port on 127.0.0.1; 0 takes a free one.",
)
@click.option(
    "--now",
    type=Instant(),
    default=EXAMPLE_NOW,
    show_default=True,
    help="The market's time at the start, with its offset from UTC.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="How fast the market's time runs; 0 stands still.",
)
@click.option(
    "--latency-ms", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Delay of every answer."
)
@click.option(
    "--clones",
    type=click.IntRange(0, 99_999),
    default=0,
    show_default=True,
    help="Further symbols C00001, C00002, ... that repeat the recorded companies.",
)
@click.option(
    "--ca-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the certificate that clients coming through CONNECT must trust.",
)
def replay(*, port: int, now: datetime, speed: float, latency_ms: float, clones: int, ca_file: Path | None) -> None:
    """Serve the recorded market (five companies, 2000 to 2013) as Yahoo would have at --now."""
    try:
        server = _make_server(port, now, speed=speed, latency_ms=latency_ms, clones=clones)
        server.listen()
        if ca_file is not None:
            server.write_ca(ca_file)
    except (ClosingbellError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(2) from error
    try:
        server.serve_forever(lambda: click.echo(_greeting(server, ca_file)))
    except KeyboardInterrupt:
        click.echo("The replay has ended.")


def _make_server(port: int, now: datetime, *, speed: float, latency_ms: float, clones: int) -> ReplayServer:
    try:
        # Here, which keeps the extra optional: other commands must work without it.
        from closingbell.replay.clocks import ReplayClock  # noqa: PLC0415
        from closingbell.replay.server import ReplayServer  # noqa: PLC0415
    except ModuleNotFoundError as error:
        hint = 'the replay needs the extra "demo": pip install "closingbell[demo]"'
        raise click.UsageError(f"{error.name} is not installed; {hint}") from error
    clock = ReplayClock(start=now, speed=speed)
    return ReplayServer(clock=clock, latency_ms=latency_ms, clones=clones, port=port)


def _greeting(server: ReplayServer, ca_file: Path | None) -> str:
    market, now = server.market, server.clock.now()
    symbols = ", ".join(one.symbol for one in market.listings)
    local = now.astimezone(NEW_YORK)
    started = f"YAHOO_BASE_URL={server.base_url} CLOSINGBELL_NOW={local.isoformat(timespec='seconds')}"
    trusted = ca_file or Path("replay-ca.pem")
    lines = [
        f"The recorded market speaks Yahoo's wire on {server.base_url}",
        f"  its clock    {local:%A %Y-%m-%d %H:%M:%S %Z}, New York",
        f"  its data     {symbols}, {market.first_date} to {market.last_date}; minute bars are made up",
        *([f"  clones       C00001 to C{market.clones:05}"] if market.clones else []),
        "",
        "closingbell against it:",
        f"  {started} closingbell ...",
        "an unmodified yfinance against it" + ("" if ca_file else " (start with --ca-file replay-ca.pem)") + ":",
        f"  REQUESTS_CA_BUNDLE={trusted} HTTPS_PROXY={server.base_url} python -c "
        '\'import yfinance; yfinance.set_tz_cache_location("replay-cache"); '
        'print(yfinance.Ticker("AAPL").history(period="5d"))\'',
        "",
        "Ctrl-C ends it.",
    ]
    return "\n".join(lines)
