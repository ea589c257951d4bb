"""
C{smartproxy completion}: what a shell has to know to complete the command line, made of
the very parser that reads it, so that it cannot be wrong about it.

L{outline} reads the parser, and a function for each shell writes that down.  The
script is complete in itself: no key that is pressed begins a Python.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["SHELLS", "Choice", "Level", "outline", "script"]

#: What an argument is called that is a file or a directory.
_FILES = ("FILE", "DIRECTORY", "PATH")


class Choice(NamedTuple):
    """
    An option, or an argument by its place.

    @ivar flags: How it is written; empty for an argument by its place.
    @ivar text: What it means, in a few words.
    @ivar takes: Whether something comes after it.
    @ivar values: What that may be, if it is one of some.
    @ivar isFile: Whether it is a file.
    """

    flags: tuple[str, ...]
    text: str
    takes: bool
    values: tuple[str, ...]
    isFile: bool


class Level(NamedTuple):
    """
    What may be said after some words.

    @ivar path: These words, without the name of the command.
    @ivar words: Those that may come next, each with what it means.
    @ivar options: As they are.
    @ivar arguments: Likewise.
    """

    path: tuple[str, ...]
    words: tuple[tuple[str, str], ...]
    options: tuple[Choice, ...]
    arguments: tuple[Choice, ...]


def outline(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[Level]:
    """
    All that can be said.

    @param parser: Of the whole command.
    @param path: The words that led to it.
    """
    words: list[tuple[str, str]] = []
    options: list[Choice] = []
    arguments: list[Choice] = []
    deeper: list[Level] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            texts = {each.dest: each.help or "" for each in action._choices_actions}
            for name, child in action.choices.items():
                words.append((name, _short(texts.get(name, ""))))
                deeper += outline(child, (*path, name))
            continue
        values = tuple(map(str, action.choices or ()))
        takes = action.nargs != 0
        isFile = takes and not values and str(action.metavar) in _FILES
        choice = Choice(tuple(action.option_strings), _short(action.help or ""), takes, values, isFile)
        (options if choice.flags else arguments).append(choice)
    yield Level(path, tuple(words), tuple(options), tuple(arguments))
    yield from deeper


def _short(text: str) -> str:
    # What stands there without an option is of no use beside it.
    return text.partition(";")[0].partition("default:")[0].strip()


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """
    What the shell is to read.

    @param shell: One of L{SHELLS}.
    @param parser: Of the whole command.
    """
    levels = list(outline(parser))
    return "\n".join(_WRITERS[shell](parser.prog, levels)) + "\n"


def _quoted(text: str) -> str:
    """
    For any of the three shells: in single quotes.
    """
    return "'" + text.replace("'", "'\\''") + "'"


def _at(path: Sequence[str]) -> str:
    return _quoted(" ".join(path))


def _steps(levels: list[Level]) -> list[str]:
    """
    The ways that lead on, for what finds out where on the line somebody is.
    """
    return [_at((*level.path, word)) for level in levels for word, _ in level.words]


def _values(choice: Choice, name: str) -> str:
    # What may be anything is completed by nothing.
    return f"{name}_files" if choice.isFile else f"{name}_words {_quoted(' '.join(choice.values))}"


def _cases(levels: list[Level], name: str) -> Iterator[str]:
    """
    What bash and zsh have in common: after which option what comes, and what else there
    is, as the branches of two C{case}s.
    """
    yield '  case "$at:$before" in'
    for level in levels:
        for option in level.options:
            if option.takes:
                patterns = "|".join(_quoted(f"{' '.join(level.path)}:{flag}") for flag in option.flags)
                yield f"    {patterns}) {_values(option, name)}; return ;;"
    yield "  esac"
    yield '  case "$at" in'
    for level in levels:
        flags = " ".join(flag for option in level.options for flag in option.flags)
        words = " ".join([word for word, _ in level.words] + [v for a in level.arguments for v in a.values])
        otherwise = f"{name}_words {_quoted(words)}"
        if any(each.isFile for each in level.arguments):
            otherwise = f"{name}_files"
        yield (
            f"    {_at(level.path)}) if [[ $word == -* ]]; then {name}_words {_quoted(flags)};"
            f" else {otherwise}; fi ;;"
        )
    yield "  esac"


def _bash(prog: str, levels: list[Level]) -> Iterator[str]:
    name = f"_{prog}"
    yield f"# Completion of {prog} for bash: source <({prog} completion bash)"
    yield f'{name}_words() {{ mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word"); }}'
    yield f"{name}_files() {{"
    yield "  compopt -o filenames 2>/dev/null"
    yield '  mapfile -t COMPREPLY < <(compgen -f -- "$word")'
    yield "}"
    yield f"{name}() {{"
    yield "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} at= each i"
    yield "  COMPREPLY=()"
    # --option=value are three words for bash.
    yield "  if [[ $word == '=' ]]; then word="
    yield "  elif [[ $before == '=' ]]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi"
    yield "  for ((i = 1; i < COMP_CWORD; i++)); do"
    yield '    each="${at:+$at }${COMP_WORDS[i]}"'
    yield f'    case "$each" in {"|".join(_steps(levels))}) at=$each ;; esac'
    yield "  done"
    yield from _cases(levels, name)
    yield "}"
    yield f"complete -F {name} {prog}"


def _zsh(prog: str, levels: list[Level]) -> Iterator[str]:
    name = f"_{prog}"
    yield f"#compdef {prog}"
    yield f"# Completion of {prog} for zsh: source <({prog} completion zsh)"
    yield f"{name}_words() {{ compadd -- ${{=1}} }}"
    yield f"{name}_files() {{ _files }}"
    yield f"{name}() {{"
    yield "  local word=${words[CURRENT]} before=${words[CURRENT-1]} at= each i"
    yield "  for ((i = 2; i < CURRENT; i++)); do"
    yield '    each="${at:+$at }${words[i]}"'
    yield f'    case "$each" in {"|".join(_steps(levels))}) at=$each ;; esac'
    yield "  done"
    yield from _cases(levels, name)
    yield "}"
    yield f"compdef {name} {prog}"


def _fish(prog: str, levels: list[Level]) -> Iterator[str]:
    here = f"__{prog}_at"
    yield f"# Completion of {prog} for fish: {prog} completion fish | source"
    yield f"function {here}"
    yield "  set -l at"
    yield "  for word in (commandline -opc)[2..-1]"
    yield "    set -l each (string join -- ' ' $at $word)"
    yield f'    if contains -- "$each" {" ".join(_steps(levels))}'
    yield "      set at $each"
    yield "    end"
    yield "  end"
    yield '  test "$at" = "$argv[1]"'
    yield "end"
    yield f"complete -c {prog} -f"
    for level in levels:
        begin = f"complete -c {prog} -n {_quoted(f'{here} {_at(level.path)}')}"
        for word, text in level.words:
            yield f"{begin} -a {_quoted(word)} -d {_quoted(text)}"
        for each in level.arguments:
            if each.isFile:
                yield f"{begin} -F"
            elif each.values:
                yield f"{begin} -a {_quoted(' '.join(each.values))}"
        for option in level.options:
            flags = " ".join(
                f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags
            )
            takes = " -r" if option.takes else ""
            values = (
                " -F" if option.isFile else f" -a {_quoted(' '.join(option.values))}" if option.values else ""
            )
            yield f"{begin} {flags}{takes}{values} -d {_quoted(option.text)}"


_WRITERS = {"bash": _bash, "zsh": _zsh, "fish": _fish}

#: Those for which there is one.
SHELLS = tuple(_WRITERS)
