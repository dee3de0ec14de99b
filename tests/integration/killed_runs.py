"""A trader in mode live as a process to be killed, and a simulated venue as a process that stays."""

import json
import select
import signal
import subprocess
import time
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from demo_runs import started

from glmtrader.domain.event import Event
from glmtrader.domain.ids import AccountId
from glmtrader.domain.orders import Account, MarginMode
from glmtrader.kernel.journal import open_for_reading, read_records
from glmtrader.market.quote_book import Catalogue, QuoteBook
from glmtrader.risk import restoring
from glmtrader.risk.account_desk import AccountDesk
from glmtrader.risk.limits import RiskLimits
from glmtrader.risk.market_inputs import MarketInputs

SIMULATION = """
[[accounts]]
name = "demo"
api_key = "demo"
api_secret = "demo-secret"
balances = { BTC = "10" }
[market]
premium_mean_vol = 0.30
premium_sd_vol = 0.02
funding_mean_8h = 0.0
funding_sd_8h = 0.0
perpetual_premium_sd = 0.0
"""
"""Volatility is dear, so that every start sells; no funding, so that cash stands when nobody trades."""

TRADER = """
mode = "live"
data_dir = "data"
[account]
id = "demo"
numeraire = "BTC"
[deribit]
ws_url = "ws://127.0.0.1:{port}/ws/api/v2"
rest_url = "http://127.0.0.1:{port}"
credentials = {{ client_id = "demo", client_secret = "demo-secret" }}
chain_interval_s = 0.5
[deribit.timeouts]
order_s = 1.0
accept_delay_max_s = 3.0
accept_margin_s = 1.0
[execution]
order_valid_ns = 2_000_000_000
report_retry_ns = 500_000_000
[api]
enabled = false
[risk]
straddles_max = 200.0
[[strategy]]
id = "pq"
kind = "pq_vol"
underlying = "BTC"
params = {{ cooldown_s = 0.5, position_straddles_max = 100 }}
[[strategy]]
id = "hedger"
kind = "delta_hedger"
underlying = "BTC"
params = {{ band = "fixed", legs_wait_s = 1.0 }}
"""


class Venue:
    """A `simulate` process, asked over REST as any client would."""

    def __init__(self, folder: Path) -> None:
        (folder / "venue.toml").write_text(SIMULATION)
        self._folder = folder

    def __enter__(self) -> Self:
        command = ("simulate", "--port", "0", "--seed", "3", "--config", "venue.toml")
        self.process = started(self._folder, *command)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "http://127.0.0.1:" in line, f"{line}{self.process.stderr}"
        self.url = line.split()[-1].removesuffix("/api/v2")
        self.port = int(self.url.rsplit(":", 1)[1])
        authenticated = self._get(
            "public/auth?grant_type=client_credentials&client_id=demo&client_secret=demo-secret"
        )
        self._token = authenticated["access_token"]
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=10)

    def fault(self, **fault: object) -> None:
        """Arm a fault."""
        body = json.dumps(fault).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/sim/faults", data=body)):
            pass

    def clear(self) -> None:
        """Disarm all faults."""
        request = urllib.request.Request(f"{self.url}/sim/faults", method="DELETE")
        with urllib.request.urlopen(request):
            pass

    def positions(self) -> dict[str, Decimal]:
        """Signed sizes by the venue's instrument names."""
        held = self._get("private/get_positions?currency=BTC")
        return {item["instrument_name"]: item["size"] for item in held if item["size"]}

    def cash(self) -> Decimal:
        """Settled cash plus the session's realised profit."""
        summary = self._get("private/get_account_summary?currency=BTC&extended=true")
        cash = Decimal(summary["balance"]) + Decimal(summary["session_rpl"])
        return cash

    def trades(self) -> list[dict[str, Any]]:
        """Every trade of the account."""
        told = self._get("private/get_user_trades_by_currency?currency=BTC&count=1000&sorting=asc")
        assert not told["has_more"]
        found: list[dict[str, Any]] = told["trades"]
        return found

    def open_orders(self) -> list[dict[str, Any]]:
        """What is working at the venue."""
        found: list[dict[str, Any]] = self._get("private/get_open_orders")
        return found

    def orders(self) -> list[dict[str, Any]]:
        """Every closed order that the venue remembers."""
        found: list[dict[str, Any]] = self._get(
            "private/get_order_history_by_currency?currency=BTC&count=1000&include_unfilled=true"
        )
        return found

    def _get(self, method: str) -> Any:
        headers = {}
        if method.startswith("private"):
            headers["Authorization"] = f"bearer {self._token}"
        request = urllib.request.Request(f"{self.url}/api/v2/{method}", headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read(), parse_float=Decimal)["result"]


class Trader:
    """Starts of one trader, one after the other, in one folder."""

    def __init__(self, folder: Path, port: int) -> None:
        (folder / "live.toml").write_text(TRADER.format(port=port))
        self._folder = folder
        self.journal = folder / "data" / "glmtrader.journal"

    def start(self) -> "subprocess.Popen[str]":
        """A new process on the same journal."""
        return started(self._folder, "run", "--config", "live.toml", "--json")

    def run_until(self, wanted: str, *, end: int, delay_s: float = 0.0) -> None:
        """Start, wait for a line that contains `wanted`, and end with a signal so much later."""
        run = self.start()
        try:
            _wait(run, wanted, 30.0)
            time.sleep(delay_s)
        finally:
            run.send_signal(end)
            run.communicate(timeout=10)

    def events(self) -> list[Event]:
        """The journal, verified against its chain."""
        connection = open_for_reading(self.journal)
        try:
            return [record.event for record in read_records(connection)]
        finally:
            connection.close()

    def books(self) -> AccountDesk:
        """What a restart folds out of the journal."""
        account = Account(
            account_id=AccountId("demo"),
            venue="deribit",
            subaccount="main",
            margin_mode=MarginMode.CROSS,
            numeraire="BTC",
        )
        inputs = MarketInputs(Catalogue(), QuoteBook())
        desk = AccountDesk(account, RiskLimits(), inputs)
        restoring.fold(self.events(), {account.account_id: desk}, inputs)
        return desk


def _wait(run: "subprocess.Popen[str]", wanted: str, seconds: float) -> None:
    assert run.stdout is not None
    until = time.monotonic() + seconds
    heard: list[str] = []
    while True:
        ready, _, _ = select.select([run.stdout], [], [], max(0.0, until - time.monotonic()))
        assert ready, f"no {wanted} within {seconds} s after {heard[-3:]}"
        heard.append(run.stdout.readline())
        assert heard[-1], f"ended before {wanted}: {heard[-3:]}"
        if wanted in heard[-1]:
            return
