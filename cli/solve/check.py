"""Everything that can be wrong with a command is found here, before Hydra makes a folder."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from dlopt.errors import DloptError, UnknownNameError
from dlopt.kind import Kind
from dlopt.registry import built_in_verbs, kind_names
from dlopt.runs.folder import FolderInUseError
from dlopt.runs.record import FILE

from .composing import (
    CommandError,
    compose_words,
    group_options,
    options_of,
    parse_arguments,
    parse_overrides,
    run_composed,
    session,
)
from .job import Job, candidates, extra_words, job_of, named_kind, split
from .launching import parallelism
from .names import with_names
from .resume import check_resume, resumed_by, with_resumed
from .scenarios import scenarios
from .schema import groups_of, keys_of, register


@dataclasses.dataclass(frozen=True)
class Checked:
    """A command found sound.

    Attributes:
        arguments: what Hydra is given.
        folder: the run folder, or the sweep folder; None where nothing is run (`--cfg`, `--info`).
        jobs: number of jobs; None where a plugin's sweeper decides.
        multirun: whether it is a sweep.
        overrides: of every job; none where a plugin's sweeper decides.
        again: whether the folder holds the run that is gone on with.
        config: the primary config that composes it.
        job: what is solved; None for a sweep, and where nothing is run.
        run: runs a task on the config that was composed; None as `job`.
    """

    arguments: list[str]
    folder: Path | None
    jobs: int | None
    multirun: bool
    overrides: Sequence[Sequence[str]] = ()
    again: bool = False
    config: str = "config"
    job: Job | None = None
    run: Callable[[Callable[[DictConfig], None]], None] | None = None


def check(verb: str, arguments: Sequence[str], *, writes: bool = True) -> Checked:
    """Parse and compose a command, for every job of a sweep, and check all values.

    Args:
        verb: what is asked.
        arguments: the words after it.
        writes: whether this process writes; of several that share a solve only the first does.

    Raises:
        DloptError: says what is wrong and the nearest valid names.
    """
    config = built_in_verbs()[verb][0].config
    parsed = parse_arguments(arguments)
    options, given = options_of(parsed), with_names(verb, parsed.overrides)
    words = with_players_gathered([with_sentence_quoted(word) for word in given])
    with session(parsed.config_dir) as loader:
        overrides = parse_overrides(words)
        named, _ = named_kind(words)
        more_places = any(o.key_or_group == "hydra.searchpath" for o in overrides)
        resumed = resumed_by(overrides)
        if resumed is not None:
            words = with_resumed(words, resumed, verb)
            overrides = parse_overrides(words)
            named, _ = named_kind(words)
        kinds = candidates(verb, named, parsed.config_dir is not None or more_places)
        register(kinds)
        _check_keys(overrides, verb, kinds)
        extra = extra_words(verb, words, named)
        if parsed.cfg or parsed.info or parsed.hydra_help or parsed.shell_completion:
            return Checked([*options, *words, *extra], None, None, False, config=config)
        multirun = parsed.multirun or any(o.key_or_group == "hydra.mode" and o.value() == "MULTIRUN" for o in overrides)
        if multirun and not parsed.multirun:  # the same command in other words, which a retry can repeat
            kept = [(o, word) for o, word in zip(overrides, words, strict=True) if o.key_or_group != "hydra.mode"]
            overrides, words = [o for o, _ in kept], [word for _, word in kept]
            options.insert(0, "--multirun")
        jobs = jobs_of(overrides, words, multirun)
        composed, built = [], []
        for words_of_job in jobs:
            prefix = f"Job {' '.join(words_of_job)}: " if len(jobs) > 1 else ""
            with told_by_job(prefix):
                if not more_places:
                    _check_groups(words_of_job, verb, kinds, parsed.config_dir is None)
                composed.append(compose_words([*words_of_job, *extra], config))
                built.append(job_of(*split(composed[-1])))
                check_resume(built[-1])
    hydra = composed[0].hydra
    folder = Path(resolved(hydra.sweep if multirun else hydra.run, "dir")).absolute()
    again = resumed is not None and Path(resumed).expanduser().absolute() == folder
    if writes:
        check_folder(folder, again, multirun)
    key = "hydra.sweep.dir" if multirun else "hydra.run.dir"
    launched = parallelism(composed, overrides) if multirun else []
    final = [*options, *words, *extra, *launched, f"{key}={quoted(str(folder))}"]
    other_sweeper = multirun and "BasicSweeper" not in str(hydra.sweeper.get("_target_"))
    if other_sweeper:
        return Checked(final, folder, None, multirun, again=again, config=config)
    asked = [[*job, *extra] for job in jobs]
    if multirun:
        return Checked(final, folder, len(jobs), multirun, asked, again, config)
    run = functools.partial(run_composed, composed[0], folder, loader)
    return Checked(final, folder, len(jobs), multirun, asked, again, config, built[0], run)


def _check_keys(overrides: Sequence[Override], verb: str, kinds: Sequence[Kind]) -> None:
    groups = ["kind", "scenario"]
    allowed = {name for kind in kinds for name in keys_of(kind, verb)}
    known = {name for kind in kinds for name in keys_of(kind)}
    for override in overrides:
        key = override.key_or_group
        if key.startswith(("hydra.", "hydra/")):
            continue
        if key not in groups and key not in allowed:
            if key in known:
                own = sorted({name.partition(".")[0] for name in allowed} | {"scenario"})
                raise CommandError(f"{key} means nothing to `dlopt solve {verb}`. Its keys: {', '.join(own)}.")
            unknown = UnknownNameError("key", key, ["scenario", *sorted(allowed)])
            raise CommandError(f"{unknown} `dlopt solve {verb} --help` explains every key.")
        if override.is_delete() or override.is_add():
            raise CommandError(f"{override.input_line!r}: keys can be neither added nor deleted; write {key}=VALUE.")


def jobs_of(overrides: Sequence[Override], words: Sequence[str], multirun: bool) -> list[list[str]]:
    """The overrides of every job: one list, or the product of all swept values."""
    choices = []
    for override, word in zip(overrides, words, strict=True):
        if not override.is_sweep_override():
            choices.append([word])
            continue
        key = override.get_key_element()
        if not multirun:
            raise CommandError(
                f"{word!r} gives several values: add -m to run them all, or write a list as '{key}=[a,b]'."
            )
        if not override.is_discrete_sweep():
            raise CommandError(f"{word!r} is a continuous range; list its values instead: {key}=1,2,3.")
        choices.append([f"{key}={value}" for value in override.sweep_string_iterator()])
    return [list(job) for job in itertools.product(*choices)]


def _check_groups(words: Sequence[str], verb: str, kinds: Sequence[Kind], shipped: bool) -> None:
    """What is chosen in a group exists, and (where all are `shipped`) a scenario is served by the verb."""
    groups = {group for kind in kinds for group in groups_of(kind)}
    for word in words:
        group, _, name = word.partition("=")
        if group == "kind" and name not in kind_names():
            raise UnknownNameError("kind", name, kind_names())
        if group in (*groups, "scenario", "hydra/launcher") and name not in group_options(group):
            what = "launcher (pip install 'dlopt[joblib]' or 'dlopt[slurm]' adds more)" if "/" in group else group
            raise UnknownNameError(what, name, group_options(group))
        if group == "scenario" and shipped:
            served = next((found.verbs for found in scenarios() if found.name == name), (verb,))
            if verb not in served:
                how = " or ".join(f"`dlopt solve {other} scenario={name}`" for other in served)
                raise DloptError(f"`dlopt solve {verb}` cannot serve scenario {name!r}; {how} does.")


@contextlib.contextmanager
def told_by_job(prefix: str) -> Iterator[None]:
    """What is wrong with one job of a sweep says which; `prefix` is empty where there is only one."""
    try:
        yield
    except OmegaConfBaseException as error:
        reason = str(error).splitlines()[0]
        raise CommandError(f"{prefix}{getattr(error, 'full_key', '')}: {reason}") from error
    except OSError as error:  # a path that no file can have
        raise CommandError(f"{prefix}{str(error.filename)[:100]}: {error.strerror}.") from error
    except DloptError as error:
        if prefix:
            raise CommandError(f"{prefix}{error}") from error
        raise


def resolved(node: DictConfig, key: str) -> str:
    try:
        return str(node[key])
    except OmegaConfBaseException as error:
        raise CommandError(f"hydra.*.{key} cannot be resolved: {str(error).splitlines()[0]}") from error


def check_folder(folder: Path, again: bool = False, several: bool = False) -> None:
    """Writable, as far as can be known without making it, and not in use (unless the run there goes on).

    Args:
        folder: of a run, or of a sweep.
        again: whether it goes on with the run that it holds.
        several: whether every job has a folder of its own in it.
    """
    try:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
    except OSError as error:
        raise CommandError(f"Cannot write to {str(folder)[:100]}: {error.strerror}. Choose another folder.") from error
    if not existing.is_dir():
        raise CommandError(f"Cannot write to {folder}: {existing} is a file. Choose another hydra.run.dir.")
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise CommandError(f"Cannot write to {folder}: {error.strerror}. Choose another hydra.run.dir.") from error
    if (folder / FILE).exists() and not again:
        raise FolderInUseError(folder)
    _refuse_links(folder)
    if several and folder.is_dir():
        for job in folder.iterdir():
            _refuse_links(job, job.is_dir())


def _refuse_links(folder: Path, itself: bool = False) -> None:
    """Links where files of a run are written as they are (tables take the place of what is there, links included)."""
    inside = folder / ".hydra"
    written = [folder / "dlopt.log", folder / ".lock", folder / "model", inside, *inside.glob("*")]
    for path in [folder, *written] if itself else written:
        if path.is_symlink():
            raise CommandError(f"{path} is a link: what is written there would land elsewhere. Remove it.")


def with_sentence_quoted(word: str) -> str:
    """A word whose value is a sentence, such as `policy=USA: 25% on steel,cars`, in quotes: its commas are no sweep."""
    key, equals, value = word.partition("=")
    sentence = equals and re.match(r"[^'\"{\[$]*\w: ", value) is not None
    return f"{key}={quoted(value)}" if sentence else word


_OF_PLAYER = re.compile(r"(instruments|bounds)\.([^.=]+)\.([^.=]+)=(.+)")


def with_players_gathered(words: Sequence[str]) -> list[str]:
    """`instruments.USA.tariff=by_sector` and its like, of single players, as one word `by_player={USA:...}`."""
    rest = list[str]()
    players: dict[str, dict[str, list[str]]] = {}
    for word in words:
        found = _OF_PLAYER.fullmatch(word)
        if found is None:
            rest.append(word)
        else:
            section, player, key, value = found.groups()
            players.setdefault(player, {}).setdefault(section, []).append(f"{key}:{value}")
    if not players:
        return rest
    nodes = []
    for name, sections in players.items():
        parts = [f"{section}:{{{','.join(pairs)}}}" for section, pairs in sections.items()]
        nodes.append(f"{name}:{{{','.join(parts)}}}")
    return [*rest, f"by_player={{{','.join(nodes)}}}"]


def quoted(text: str) -> str:
    """In quotes as Hydra reads them: a backslash stands for itself unless a quote follows."""
    escaped = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + (r"\'" if found[2] else ""), text)
    return f"'{escaped}'"
