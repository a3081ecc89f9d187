"""Amounts in the smallest unit of a currency."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal


@dataclass(frozen=True)
class Money:
    """An amount that never loses a cent to floating point."""

    cents: int
    currency: str = "EUR"

    def plus(self, other: "Money") -> "Money":
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up")
        return Money(self.cents + other.cents, self.currency)


def share(amount: Money, percent: Decimal) -> Money:
    """The given percentage of an amount, rounded to a cent."""
    exact = Decimal(amount.cents) * percent / 100
    return Money(int(exact.to_integral_value(rounding=ROUND_HALF_UP)), amount.currency)
