"""What was captured and refunded, in order."""

from dataclasses import dataclass, field

from payments.money import Money


@dataclass(frozen=True)
class Entry:
    order_id: str
    reference: str
    amount: Money


@dataclass
class Ledger:
    entries: list[Entry] = field(default_factory=list)

    def record(self, order_id: str, reference: str, amount: Money) -> Entry:
        """Append one entry."""
        entry = Entry(order_id, reference, amount)
        self.entries.append(entry)
        return entry

    def find(self, order_id: str) -> list[Entry]:
        """Every entry of an order."""
        return [entry for entry in self.entries if entry.order_id == order_id]


def balance_of(ledger: Ledger) -> Money:
    """The sum of all entries."""
    total = Money(0)
    for entry in ledger.entries:
        total = total.plus(entry.amount)
    return total
