"""One job of `dlopt solve`: a composed config, checked and made a problem of its kind."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from dlopt.errors import DloptError, UnknownNameError
from dlopt.kind import KeyValueError, Kind, Problem, Verb, is_number
from dlopt.registry import built_in_verbs, load_kind
from dlopt.runs.tables import flat

from .composing import CommandError, compose_words, parse_overrides, session
from .schema import groups_of, keys_of, known_keys, opaque_keys, register, sections_of


@dataclasses.dataclass(frozen=True)
class Job:
    """One solve, ready to run.

    Attributes:
        kind, verb: of what kind of problem, and what is asked.
        scenario: the one played.
        problem: what is solved.
        config: every key with its value.
        choices: what was chosen in each config group of the kind; and `scenario`.
        settings: what the result depends on besides the problem's content and versions, as `section.key: value`.
    """

    kind: Kind
    verb: Verb
    scenario: str
    problem: Problem
    config: Mapping[str, Any]
    choices: Mapping[str, str]
    settings: Mapping[str, Any]

    @property
    def identity(self) -> dict[str, str]:
        """Name and digest of what is solved, for `run.json`."""
        return dataclasses.asdict(self.problem.identity)

    @property
    def resume(self) -> Path | None:
        """The run to go on with."""
        folder = self.config.get("resume")
        return None if folder is None else Path(folder).expanduser()


def job(verb: str, words: Sequence[str] = (), config_dir: str | None = None) -> Job:
    """The job that `dlopt solve VERB WORDS` would run, composed from `conf/`; nothing is written.

    Raises:
        DloptError: as the command would say.
    """
    named, _ = named_kind(words)
    kinds = candidates(verb, named, config_dir is not None)
    register(kinds)
    with session(config_dir):
        parse_overrides(words)
        extra = extra_words(verb, words, named)
        return job_of(*split(compose_words([*words, *extra], built_in_verbs()[verb][0].config)))


def named_kind(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The kind that `kind=NAME` asks for, None where nothing does; and the other words."""
    rest = [word for word in words if not word.startswith("kind=")]
    kinds = {word.partition("=")[2] for word in words if word.startswith("kind=")}
    if len(kinds) > 1 or any("," in name for name in kinds):
        raise CommandError("One command solves problems of one kind: give kind=NAME once.")
    return next(iter(kinds), None), rest


def candidates(verb: str, named: str | None, own_scenarios: bool) -> list[Kind]:
    """The kinds that a command can be about, the one it names last.

    Args:
        verb: what is asked.
        named: the kind it names.
        own_scenarios: whether scenarios of the user's may be in play, which can name any kind.
    """
    from dlopt.registry import BUILT_IN, all_kinds

    if named is not None:
        kind = load_kind(named)
        kind.verb(verb)
        return [kind]
    kinds = [load_kind(name) for name in BUILT_IN]
    if own_scenarios:
        kinds = [found.kind for found in all_kinds() if found.kind is not None]
    return [kind for kind in kinds if any(known.name == verb for known in kind.all_verbs)]


def extra_words(verb: str, words: Sequence[str], named: str | None) -> list[str]:
    """What every job of a command is given besides: its verb, and the scenario where none is named."""
    from .scenarios import scenarios

    extra = [f"verb={verb}"]
    if any(word.startswith("scenario=") for word in words):
        return extra
    known, default = built_in_verbs()[verb]
    scenario = known.scenario if named in (None, default) else load_kind(named or default).verb(verb).scenario
    if scenario is None:
        names = [found.name for found in scenarios() if verb in found.verbs]
        raise CommandError(f"Which scenario? Add scenario=NAME, one of: {', '.join(names)}.")
    return [*extra, f"scenario={scenario}"]


def split(cfg: DictConfig) -> tuple[DictConfig, dict[str, str]]:
    """A composed config without Hydra's part, and what was chosen in its groups."""
    choices = {str(name): str(value) for name, value in cfg.hydra.runtime.choices.items()}
    own = copy.deepcopy(cfg)  # masked_copy would lose the types that interpolations are checked against
    with open_dict(own):
        del own["hydra"]
    return own, choices


def job_of(own: DictConfig, chosen: Mapping[str, str]) -> Job:
    """Check a composed config and build its problem.

    Args:
        own: without Hydra's part.
        chosen: what was chosen in each config group.

    Raises:
        DloptError: the first value that cannot be.
        OmegaConfBaseException: a value cannot be resolved, or is of another type.
    """
    kind, scenario, verb = load_kind(chosen["kind"]), chosen["scenario"], str(own.verb)
    choices = {name: chosen[name] for name in groups_of(kind)} | {"scenario": scenario}
    _check_keys(own, kind, choices)
    served = list(own.scenario.verbs)
    if verb not in served:
        how = " or ".join(f"`dlopt solve {name} scenario={scenario}`" for name in served)
        raise DloptError(f"`dlopt solve {verb}` cannot serve scenario {scenario!r}; {how} does.")
    for name in sections_of(kind):
        if not isinstance(own[name], DictConfig):
            raise CommandError(f"{name}={own[name]} is not possible: set its keys one by one, as {name}.KEY=VALUE.")
    content: Any = OmegaConf.to_container(own, resolve=True)
    _check_values(kind, verb, content)
    problem = kind.problem(verb, content, choices)
    settings = {**flat(content), **problem.extra}
    return Job(kind, kind.verb(verb), scenario, problem, content, choices, settings)


def _check_keys(own: DictConfig, kind: Kind, choices: Mapping[str, str]) -> None:
    """Refuse keys the schema does not have (a scenario file or `++key=` can add some)."""
    known, opaque = known_keys(kind, choices), opaque_keys(kind)
    unknown = [key for key in _dotted(OmegaConf.to_container(own, resolve=False), opaque) if key not in known]
    if unknown:
        raise UnknownNameError("key", unknown[0], sorted(known))


def _dotted(content: Any, opaque: set[str], prefix: str = "") -> list[str]:
    keys = []
    for key, value in content.items():
        name = f"{prefix}{key}"
        keys.append(name)
        if isinstance(value, dict) and name not in opaque:
            keys += _dotted(value, opaque, f"{name}.")
    return keys


def _check_values(kind: Kind, verb: str, content: Mapping[str, Any]) -> None:
    """Every value is one that its key can have: finite, one of its words, within its rule."""
    values = flat(dict(content))
    for name, value in values.items():
        numbers = value if isinstance(value, list) else [value]
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            raise CommandError(f"{name}={value} is not possible: it must be a finite number.")
    for name, key in {**keys_of(kind), **keys_of(kind, verb)}.items():
        if name not in values:
            continue
        value = values[name]
        if key.words and not key.open and str(value).lower() not in key.words:
            raise UnknownNameError(f"value of {name}", str(value).lower(), key.words)
        if key.rule is not None and value is not None and not (is_number(value) and key.rule.holds(value)):
            raise KeyValueError(name, value, key.rule.words)
