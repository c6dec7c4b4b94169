"""`dlopt data schedules`: tariff schedules that come with dlopt."""

from __future__ import annotations

from .lines import add_row, print_table, say, table_of


def schedules() -> None:
    """Tariff schedules of record: name, date, what they are, and what they leave out."""
    from dlopt.policies import schedules as known

    table = table_of(None, ["name", "date", "what it is"])
    for schedule in known():
        add_row(table, schedule.name, schedule.date, schedule.title)
    print_table(table)
    for schedule in known():
        say(f"\n{schedule.name}: {schedule.source}. {schedule.note}")
    say("\nUse one: dlopt solve equilibrium policy=us_2025_04_02")
