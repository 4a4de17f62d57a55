"""Cleaning of text before it is cut into tokens."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable

from .._arguments import checks_names
from .._checks import flags

FORMS = ("NFC", "NFD", "NFKC", "NFKD")
_HIDING = re.compile(r"<(!--|script\b|style\b)", re.IGNORECASE)
_SHOWN_AGAIN = {
    kind: re.compile(end, re.IGNORECASE)
    for kind, end in (("!--", "-->"), ("script", r"</script\s*>"), ("style", r"</style\s*>"))
}
_BREAK = re.compile(
    r"</?(?:br|p|div|li|ul|ol|tr|td|th|table|h[1-6]|hr|blockquote|pre)\b[^<>]*>", re.IGNORECASE
)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<![a-zA-Z][^<>]*>")
_URL = re.compile(r"\b(?:https?|ftp)://[^\s<>\"']+|\bwww\.[^\s<>\"']+", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+-])([.+-]*)\w[\w.+-]*@[\w-]+(?:\.[\w-]+)+")
_NUMBER = re.compile(r"(?<![\w.])[+-]?\d+(?:[.,]\d+)*(?!\w)")
_END_OF_URL = ".,;:!?)]}'\""


def strip_html(text: str) -> str:
    """The text without HTML: tags, comments, scripts and styles go, entities become characters. Tags that
    break a line leave a space. A "<" that begins no tag stays.

    Example:
        >>> from drivetrain.text import strip_html
        >>> strip_html("<p>Fish &amp; <b>chips</b><br/>3 < 4")
        ' Fish & chips 3 < 4'
    """
    text = _without_hidden(text)
    return html.unescape(_TAG.sub("", _BREAK.sub(" ", text)))


def _without_hidden(text: str) -> str:
    """A space for each comment, script and style that ends. An end that there is not is searched for once; a
    regular expression would do so behind each beginning."""
    parts, start = [], 0
    endless: set[str] = set()
    for found in _HIDING.finditer(text):
        kind = found[1].lower()
        if found.start() < start or kind in endless:
            continue
        end = _SHOWN_AGAIN[kind].search(text, found.end())
        if end is None:
            endless.add(kind)
            continue
        parts += [text[start : found.start()], " "]
        start = end.end()
    return "".join([*parts, text[start:]])


def strip_accents(text: str) -> str:
    """Letters without their marks.

    Source: scikit-learn's strip_accents_unicode.

    Example:
        >>> from drivetrain.text import strip_accents
        >>> strip_accents("Crème brûlée")
        'Creme brulee'
    """
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def strip_punctuation(text: str, replacement: str = " ") -> str:
    """Text with all punctuation of Unicode (categories P), and ASCII's symbols, replaced.

    Example:
        >>> from drivetrain.text import strip_punctuation
        >>> strip_punctuation("well-known, “quoted”", "")
        'wellknown quoted'
    """
    return "".join(replacement if unicodedata.category(c)[0] == "P" or c in "$+<=>^`|~" else c for c in text)


class Normalizer:
    """Cleans text, in this order; everything is off but what is asked for.

    Args:
        html (bool): Remove tags, decode entities: `strip_html`.
        unicode (str, optional): "NFC", "NFD", "NFKC" or "NFKD".
        urls (str, optional): What web addresses are replaced by: "" removes them, "<url>" marks them.
        emails (str, optional): What addresses of mail are replaced by.
        accents (bool): Remove the marks of letters: `strip_accents`.
        lowercase (bool): str.lower.
        numbers (str, optional): What numbers that stand alone are replaced by.
        punctuation (str, optional): What each punctuation mark is replaced by: `strip_punctuation`. It comes
            before the replacements above are put in, so that their marks stay.
        whitespace (bool): Make every run of white space one space, and none at the ends.
        steps (callables): str -> str, after all this.

    Raises:
        ValueError: For a form of Unicode that is none.

    Example:
        >>> from drivetrain.text import Normalizer
        >>> clean = Normalizer(html=True, unicode="NFKC", urls="<url>", numbers="0", lowercase=True)
        >>> clean("<p>See https://example.org, page 12:&nbsp;ﬁne!</p>")
        ' see <url>, page 0: fine! '
    """

    @checks_names
    def __init__(
        self,
        *,
        html: bool = False,
        unicode: str | None = None,
        urls: str | None = None,
        emails: str | None = None,
        accents: bool = False,
        lowercase: bool = False,
        numbers: str | None = None,
        punctuation: str | None = None,
        whitespace: bool = False,
        steps: Iterable[Callable[[str], str]] = (),
    ) -> None:
        flags("Normalizer", html=html, accents=accents, lowercase=lowercase, whitespace=whitespace)
        if unicode is not None and unicode not in FORMS:
            raise ValueError(f"Normalizer: unicode is {unicode!r}, expected one of {', '.join(FORMS)}")
        for name, value in (
            ("urls", urls),
            ("emails", emails),
            ("numbers", numbers),
            ("punctuation", punctuation),
        ):
            if value is not None and not isinstance(value, str):
                raise TypeError(f"Normalizer: {name} is {value!r}, expected a str to put in, or None")
        self.steps = tuple(steps)
        if not all(callable(step) for step in self.steps):
            raise TypeError(f"Normalizer: steps are {self.steps!r:.80}, expected functions")
        self.html, self.unicode, self.accents = html, unicode, accents
        self.urls, self.emails, self.numbers = urls, emails, numbers
        self.lowercase, self.punctuation, self.whitespace = lowercase, punctuation, whitespace

    def __call__(self, text: str) -> str:
        """The cleaned text.

        Raises:
            TypeError: For what is no str.
        """
        if not isinstance(text, str):
            raise TypeError(f"Normalizer: text is a {type(text).__name__}, expected a str")
        if self.html:
            text = strip_html(text)
        if self.unicode is not None:
            text = unicodedata.normalize(self.unicode, text)  # type: ignore[arg-type]
        # Characters that mean nothing hold the places of replacements until the marks have been removed.
        if self.urls is not None:
            text = _URL.sub(_url_marked, text)
        if self.emails is not None:
            text = _EMAIL.sub("\\1\ufdd1", text)
        if self.accents:
            text = strip_accents(text)
        if self.lowercase:
            text = text.lower()
        if self.numbers is not None:
            text = _NUMBER.sub("\ufdd2", text)
        if self.punctuation is not None:
            text = strip_punctuation(text, self.punctuation)
        for mark, replacement in (("\ufdd0", self.urls), ("\ufdd1", self.emails), ("\ufdd2", self.numbers)):
            if replacement is not None:
                text = text.replace(mark, replacement)
        if self.whitespace:
            text = " ".join(text.split())
        for step in self.steps:
            text = step(text)
        return text


def _url_marked(match: re.Match[str]) -> str:
    """A mark, and the punctuation that ends the sentence rather than the address."""
    address = match[0].rstrip(_END_OF_URL)
    return "\ufdd0" + match[0][len(address) :]
