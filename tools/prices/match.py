"""Turns the feed's match logic for model names into the book's patterns.

The book knows four signs: `#` is one digit, a trailing `*` a version decoration, a leading `*` a
known route, `**` anything. A bare prefix or substring of the feed becomes one of the first three,
so that it never swallows the name of another model.
"""

import re

from genai_prices import types as feed

# Prefixes after which anything may follow: fine-tunes and families whose members cost the same.
OPEN_PREFIXES = ("gemma-3-", "gemma-3n", ":")
NOT_SPEECH = "^(?!.*-[tT][tT][sS](?:$|-))"


def patterns(clause):
    """The patterns of a clause, and the patterns it excludes."""
    match clause:
        case feed.ClauseEquals():
            return [clause.equals.lower()], []
        case feed.ClauseStartsWith():
            return [_prefix(clause.starts_with.lower())], []
        case feed.ClauseEndsWith():
            return ["*" + clause.ends_with.lower()], []
        case feed.ClauseContains():
            return [_substring(clause.contains.lower())], []
        case feed.ClauseRegex():
            if clause.regex == NOT_SPEECH:
                return [], ["**-tts", "**-tts-**"]
            return _regex(clause.regex if "\\D" in clause.regex else clause.regex.lower()), []
        case feed.ClauseOr() | feed.ClauseAnd():
            parts = [patterns(part) for part in _parts(clause)]
            names = [name for part, _ in parts for name in part]
            excluded = [name for _, part in parts for name in part]
            return list(dict.fromkeys(names)), list(dict.fromkeys(excluded))
    raise TypeError(clause)


def is_a_name(clause, name):
    """Whether `name`, in lower case, is a name that the clause knows."""
    return any(
        isinstance(leaf, feed.ClauseEquals) and leaf.equals.lower() == name
        for leaf in _leaves(clause)
    ) or clause.is_match(name)


def _prefix(text):
    if text.endswith("-2025"):
        return text + "####"
    is_open = text.startswith("ft:") or ".ft-" in text or text.endswith(OPEN_PREFIXES)
    return text + ("**" if is_open else "*")


def _substring(text):
    if text.endswith("-2025"):
        return f"*{text}####"
    return f"*{text}##" if text.endswith("flash-0") else f"*{text}*"


def _regex(regex):
    """The few shapes of regular expressions that the feed uses."""
    body, closed = re.fullmatch(r"\^(.*?)(\$?)", regex).groups()
    bodies = [body]
    while any("[" in each for each in bodies):
        bodies = [
            each[: choice.start()] + character + each[choice.end() :]
            for each in bodies
            for choice in [re.search(r"\[([^\]]+)\]", each)]
            for character in choice.group(1)
        ]
    out = []
    for each in bodies:
        each = re.sub(r"\\d\{(\d+)\}", lambda count: "#" * int(count.group(1)), each)
        each = re.sub(r"\\(.)", r"\1", each.replace("\\d", "#"))
        if re.search(r"[()?+|^$]", each):
            raise ValueError(f"no pattern for the regular expression {regex}")
        out.append(each if closed else each + "*")
    return out


def _parts(clause):
    return clause.or_ if isinstance(clause, feed.ClauseOr) else clause.and_


def _leaves(clause):
    if isinstance(clause, (feed.ClauseOr, feed.ClauseAnd)):
        return [leaf for part in _parts(clause) for leaf in _leaves(part)]
    return [clause]
