"""Every night: the balance of the day."""

from payments.ledger import Ledger, balance_of


def daily_report(ledger: Ledger) -> str:
    """One line for the accountants."""
    balance = balance_of(ledger)
    return f"{len(ledger.entries)} entries, balance {balance.cents / 100:.2f} {balance.currency}"
