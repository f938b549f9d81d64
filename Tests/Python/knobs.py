"""The values at the top of a model in `graphs/`."""
import re


class Words(dict):
    """Names that mean nothing else stand for themselves, as `haar` does."""

    def __missing__(self, name):
        return name


def knobs(path, **settings):
    """What the `let`s in front of a model's input are, with `settings` in place of its own."""
    with open(path) as file:
        head = file.read().split("\ninput ")[0]
    values = Words(index=lambda value, among: among.index(value))
    for name, text in re.findall(r"^let (\w+) *= *(.+?) *$", head, re.MULTILINE):
        expression = text.replace("among:", "among=").replace("true", "True").replace("false", "False").replace(" / ", " // ")
        values[name] = settings.get(name, eval(expression, {"__builtins__": {}}, values))
    unknown = set(settings) - set(values)
    assert not unknown, f"{path} has no {', '.join(unknown)}"
    return values
