"""Policies as analysts say them: sentences such as `USA: 25% on steel from all`, and schedules as tables."""

from dlopt.policies.carbon import border_prices_from, carbon_prices_from, damages_from, emissions_from
from dlopt.policies.households import households_from
from dlopt.policies.reading import policy_from
from dlopt.policies.retaliation import retaliate, sides
from dlopt.policies.schedule import is_schedule, read_schedule, rules_of
from dlopt.policies.shipped import Schedule, schedules, shipped_schedule
from dlopt.policies.shocks import AppliedShock, shock_from
from dlopt.policies.weights import weights_from
from dlopt.policies.words import parse_policy
from dlopt.trade.apply import Applied, apply_rules, effective_rates
from dlopt.trade.labelled import LabelledPolicy
from dlopt.trade.rules import PolicyWordsError, Rule

__all__ = [
    "Applied",
    "AppliedShock",
    "LabelledPolicy",
    "PolicyWordsError",
    "Rule",
    "Schedule",
    "apply_rules",
    "border_prices_from",
    "carbon_prices_from",
    "damages_from",
    "effective_rates",
    "emissions_from",
    "households_from",
    "is_schedule",
    "parse_policy",
    "policy_from",
    "read_schedule",
    "retaliate",
    "rules_of",
    "schedules",
    "shipped_schedule",
    "shock_from",
    "sides",
    "weights_from",
]
