"""Networks whose last layers have names of their own."""

from __future__ import annotations

import inspect


class Headed:
    """A network that knows its last layers by name, and is made with an argument ``classes``.

    A file describes it by the arguments of its constructor, so that new heads are another ``classes`` there.
    """

    heads: tuple[str, ...] = ()

    def _say_classes(self, classes: int) -> None:
        arguments, keywords = self.__dict__["_constructor"]
        place = list(inspect.signature(type(self)).parameters).index("classes")
        if place < len(arguments):
            arguments = (*arguments[:place], classes, *arguments[place + 1 :])
        else:
            keywords = {**keywords, "classes": classes}
        self.__dict__["_constructor"] = (arguments, keywords)
